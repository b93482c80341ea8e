import NIOCore
import PenstockWire

/// Flows and jobs as one ADD: checked, sorted and encoded.
///
/// The nodes of an item stand on the wire in the order of ``FlowGraph``; `places`
/// says for each node, in the order of its flow, where it stands.
struct AddPlan {
    private(set) var items: [AddItem] = []
    private(set) var places: [[Int]] = []
    private var queues: [String] = []
    private var queueIndices: [String: UInt16] = [:]
    private var nodeCount = 0
    private var dataBytes = 0
    private var customIDs: Set<String> = []

    /// A job alone.
    mutating func add(_ node: PlannedNode) throws(PenstockError) {
        items.append(AddItem(isFlow: false, nodes: [try encoded(node, dependencies: [])]))
        places.append([0])
        try count(1)
    }

    mutating func add(_ flow: Flow) throws(PenstockError) {
        guard !flow.nodes.isEmpty else {
            throw PenstockError(.emptyAdd, "The flow \(Names.quoted(flow.name)) holds no job; it must hold one.")
        }
        try Checks.name(flow.name, "flow name")
        try count(flow.nodes.count)
        let targets = try resolved(flow)
        let inner = targets.map { edges in edges.compactMap(\.node) }
        let order: [Int]
        do throws(FlowGraph.Cycle) {
            order = try FlowGraph.sorted(inner)
        } catch {
            let names = (error.nodes + error.nodes.prefix(1)).map { flow.nodes[$0].name }
            throw PenstockError(.cycle, "The flow has a cycle: \(names.joined(separator: " → "))")
        }
        var places = [Int](repeating: 0, count: order.count)
        for (place, node) in order.enumerated() { places[node] = place }
        let first = nodeCount - order.count
        var item = AddItem(isFlow: true, name: flow.name, nodes: [])
        item.nodes.reserveCapacity(order.count)
        for node in order {
            let dependencies = targets[node].map { edge in
                let target: DependencyFields.Target =
                    switch edge.target {
                    case .node(let index): .node(UInt64(first + places[index]))
                    case .job(let id): .job(id.wire)
                    }
                return DependencyFields(target, policy: edge.policy?.wire)
            }
            item.nodes.append(try encoded(flow.nodes[node], dependencies: dependencies))
        }
        items.append(item)
        self.places.append(places)
    }

    private mutating func count(_ nodes: Int) throws(PenstockError) {
        nodeCount += nodes
        guard nodeCount <= Limits.jobsPerAddMax else {
            throw PenstockError(
                .tooManyJobs,
                "More than \(Limits.jobsPerAddMax) jobs in one add, which is the most. Split it into several adds."
            )
        }
    }

    // MARK: Edges

    private struct Edge {
        enum Target: Hashable {
            case node(Int)
            case job(JobID)
        }
        var target: Target
        var policy: FailurePolicy?
        var node: Int? { if case .node(let index) = target { index } else { nil } }
    }

    /// For each node what it depends on, each dependency once.
    private func resolved(_ flow: Flow) throws(PenstockError) -> [[Edge]] {
        var localIDs: [String: Int] = [:]
        for (index, node) in flow.nodes.enumerated() {
            guard let id = node.localID else { continue }
            guard localIDs.updateValue(index, forKey: id) == nil else {
                throw PenstockError(.duplicateLocalID, "Two jobs of the flow have the id \(Names.quoted(id)).")
            }
        }
        var result: [[Edge]] = []
        result.reserveCapacity(flow.nodes.count)
        for node in flow.nodes {
            var edges: [Edge] = []
            var known: [Edge.Target: FailurePolicy?] = [:]
            for dependency in node.dependencies {
                let target = try target(dependency, of: node, in: flow, localIDs)
                if let other = known.updateValue(dependency.onFailure, forKey: target) {
                    guard other == dependency.onFailure else {
                        throw PenstockError(
                            .duplicateDependency,
                            "\(node.name) names a dependency twice, with different policies."
                        )
                    }
                    continue
                }
                edges.append(Edge(target: target, policy: dependency.onFailure))
            }
            guard edges.count <= Limits.dependenciesPerNodeMax else {
                throw PenstockError(
                    .tooManyDependencies,
                    "\(node.name) has \(edges.count) dependencies; \(Limits.dependenciesPerNodeMax) are allowed."
                )
            }
            result.append(edges)
        }
        return result
    }

    private func target(
        _ dependency: FlowDependency,
        of node: PlannedNode,
        in flow: Flow,
        _ localIDs: [String: Int]
    ) throws(PenstockError) -> Edge.Target {
        switch dependency.target {
        case .node(let other):
            guard let index = flow.index(of: other) else {
                throw PenstockError(.unknownDependency, "\(node.name) depends on a node of another flow.")
            }
            return .node(index)
        case .local(let id):
            guard let index = localIDs[id] else {
                throw PenstockError(
                    .unknownLocalID,
                    "\(node.name) depends on \(Names.quoted(id)), an id that no job of the flow has."
                )
            }
            return .node(index)
        case .job(let id): return .job(id)
        }
    }

    // MARK: Nodes

    private mutating func encoded(
        _ node: PlannedNode,
        dependencies: [DependencyFields]
    ) throws(PenstockError) -> AddNode {
        do throws(PenstockError) {
            try Checks.job(node.name)
            let data = try PayloadCoder.encode(node.data)
            try Checks.data(data.bytes)
            dataBytes += data.bytes.count
            try checkSize(dataBytes)
            if let id = node.options.id {
                try Checks.customID(id)
                guard customIDs.insert("\(node.queue):\(id)").inserted else {
                    throw PenstockError(
                        .duplicateCustomID,
                        "The custom id \(Names.quoted(id)) is given twice in one add."
                    )
                }
            }
            return AddNode(
                queue: try queueIndex(node.queue),
                name: node.name,
                contentType: ContentType(rawValue: data.kind.rawValue),
                data: data.bytes,
                dependencies: dependencies,
                customID: node.options.id,
                options: try node.options.wire()
            )
        } catch {
            throw PenstockError(error.code, "Job \(Names.quoted(node.name)): \(error.message)")
        }
    }

    private mutating func queueIndex(_ queue: String) throws(PenstockError) -> UInt16 {
        if let index = queueIndices[queue] { return index }
        try Checks.queue(queue)
        guard queues.count < Limits.queuesPerMessageMax else {
            throw PenstockError(
                .invalidRequest,
                "More than \(Limits.queuesPerMessageMax) queues in one add, which is the most."
            )
        }
        let index = UInt16(queues.count)
        queues.append(queue)
        queueIndices[queue] = index
        return index
    }

    private func checkSize(_ bytes: Int) throws(PenstockError) {
        guard bytes <= Limits.frameBytesMax else {
            throw PenstockError(
                .addTooLarge,
                "The add takes more than the \(Limits.frameBytesMax) bytes of one frame. Split it into several adds."
            )
        }
    }

    // MARK: The frame

    /// The ADD; its sequence number is written when it is sent.
    func frame() throws(PenstockError) -> ByteBuffer {
        guard !items.isEmpty else { throw PenstockError(.emptyAdd, "The add holds no job; it must hold at least one.") }
        var writer = WireWriter(capacity: 256 + dataBytes + nodeCount * 32)
        Add(sequence: 0, queues: queues, items: items).encodeFrame(into: &writer)
        try checkSize(writer.count)
        return ByteBuffer(frames: writer)
    }
}
