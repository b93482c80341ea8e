import PenstockWire

/// A job of an add as tests write it: what it depends on is named.
struct NodeSpec {
    enum Target {
        case node(String)
        case index(Int)
        case job(JobID)
    }

    struct Dependency {
        var target: Target
        var policy: FailurePolicy?
        var condition = EdgeCondition.success

        static func node(
            _ name: String,
            _ policy: FailurePolicy? = nil,
            on condition: EdgeCondition = .success
        ) -> Dependency {
            Dependency(target: .node(name), policy: policy, condition: condition)
        }
        static func index(
            _ index: Int,
            _ policy: FailurePolicy? = nil,
            on condition: EdgeCondition = .success
        ) -> Dependency {
            Dependency(target: .index(index), policy: policy, condition: condition)
        }
        static func job(
            _ job: JobID,
            _ policy: FailurePolicy? = nil,
            on condition: EdgeCondition = .success
        ) -> Dependency {
            Dependency(target: .job(job), policy: policy, condition: condition)
        }
    }

    var name: String
    var queue: String
    var after: [Dependency]
    var customID: String?
    var data: [UInt8]
    var options: NodeOptions
    /// In a child of a held job: its key there.
    var key: String?
    var headers = Headers()
    /// Its options are sent, those at their default too: they win over those of its queue.
    var isExplicit = false
    var deduplication: Deduplication?
    var group: String?

    /// The same node with a deduplication.
    func deduplicated(
        _ id: String,
        ttl: UInt64 = 0,
        extends: Bool = false,
        replaces: Bool = false,
        keepsLast: Bool = false
    ) -> NodeSpec {
        var node = self
        node.deduplication = Deduplication(
            id: id,
            ttl: ttl,
            extends: extends,
            replaces: replaces,
            keepsLastIfActive: keepsLast
        )
        return node
    }

    /// The same node in a group.
    func grouped(_ group: String) -> NodeSpec {
        var node = self
        node.group = group
        return node
    }

    /// The same node with a key.
    func keyed(_ key: String) -> NodeSpec {
        var node = self
        node.key = key
        return node
    }
}

func job(
    _ name: String,
    queue: String = "q",
    after: [NodeSpec.Dependency] = [],
    id: String? = nil,
    data: [UInt8] = [],
    _ change: (inout NodeOptions) -> Void = { _ in }
) -> NodeSpec {
    var options = NodeOptions()
    change(&options)
    return NodeSpec(name: name, queue: queue, after: after, customID: id, data: data, options: options)
}

/// A flow, or a job alone.
struct ItemSpec {
    var isFlow: Bool
    var name: String
    var nodes: [NodeSpec]
    /// Where it is a child of a held job: the edges from that.
    var child: ChildFields?

    /// The same item as a child of a held job.
    func child(_ policy: FailurePolicy? = nil, on condition: EdgeCondition = .success) -> ItemSpec {
        var item = self
        item.child = ChildFields(policy: policy, condition: condition)
        return item
    }

    static func child(_ node: NodeSpec, _ policy: FailurePolicy? = nil) -> ItemSpec { single(node).child(policy) }

    static func flow(_ nodes: [NodeSpec]) -> ItemSpec { flow("", nodes) }
    static func flow(_ name: String, _ nodes: [NodeSpec]) -> ItemSpec {
        ItemSpec(isFlow: true, name: name, nodes: nodes)
    }
    static func single(_ node: NodeSpec) -> ItemSpec { ItemSpec(isFlow: false, name: "", nodes: [node]) }
}

extension Add {
    /// The message of the items; a name stands for the last node before it that has it, over all items.
    init(sequence: UInt64, _ specs: [ItemSpec]) {
        var queues: [String] = []
        var indexes: [String: UInt64] = [:]
        var items: [AddItem] = []
        var count: UInt64 = 0
        for spec in specs {
            var nodes: [AddNode] = []
            for node in spec.nodes {
                if !queues.contains(node.queue) { queues.append(node.queue) }
                let dependencies = node.after.map { dependency in
                    let target: DependencyFields.Target =
                        switch dependency.target {
                        case .node(let name): .node(indexes[name]!)
                        case .index(let index): .node(UInt64(index))
                        case .job(let job): .job(job)
                        }
                    return DependencyFields(target, policy: dependency.policy, condition: dependency.condition)
                }
                nodes.append(
                    AddNode(
                        queue: UInt16(queues.firstIndex(of: node.queue)!),
                        name: node.name,
                        contentType: node.data.isEmpty ? .none : .binary,
                        data: node.data,
                        dependencies: dependencies,
                        customID: node.customID,
                        childKey: node.key,
                        headers: node.headers,
                        deduplication: node.deduplication,
                        group: node.group,
                        options: node.options,
                        explicit: node.isExplicit ? .all : []
                    )
                )
                indexes[node.name] = count
                count += 1
            }
            items.append(
                AddItem(kind: spec.isFlow ? .flow : .job, name: spec.name, child: spec.child, nodes: nodes)
            )
        }
        self.init(sequence: sequence, queues: queues, items: items)
    }
}

/// The ids that an add was given, by the names of the nodes.
struct Added {
    var items: [AddOutcome.Item]
    var ids: [String: JobID] = [:]

    init(_ outcome: AddOutcome, _ specs: [ItemSpec]) {
        items = outcome.items
        for (item, spec) in zip(outcome.items, specs) {
            for (id, node) in zip(item.jobIDs, spec.nodes) { ids[node.name] = id }
        }
    }

    var flow: FlowID { items[0].flow }
    subscript(name: String) -> JobID { ids[name]! }
}
