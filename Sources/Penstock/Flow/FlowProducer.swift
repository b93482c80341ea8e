import PenstockWire

/// Adds flows.
///
/// Every add is one transaction: all of its jobs and edges exist after it, or
/// none. It returns once they are stored for good. A mistake in it is found
/// before anything is sent where that is possible; the error names the job.
///
/// One add holds at most 10,000 jobs and takes at most 2 MiB on the wire.
public struct FlowProducer: Sendable {
    let client: PenstockClient

    public init(_ client: PenstockClient) { self.client = client }

    /// Adds a tree: every child is a dependency of its parent.
    @discardableResult
    public func add(_ tree: FlowJob) async throws(PenstockError) -> FlowHandle { try await add(Flow(tree)) }

    /// Adds a graph.
    @discardableResult
    public func add(_ flow: Flow) async throws(PenstockError) -> FlowHandle { try await addBulk([flow])[0] }

    /// Adds many trees in one transaction. The handles come in the order of the trees.
    @discardableResult
    public func addBulk(_ trees: [FlowJob]) async throws(PenstockError) -> [FlowHandle] {
        try await addBulk(trees.map { Flow($0) })
    }

    /// Adds many graphs in one transaction. The handles come in the order of the graphs; none for no graphs.
    @discardableResult
    public func addBulk(_ flows: [Flow]) async throws(PenstockError) -> [FlowHandle] {
        if flows.isEmpty { return [] }
        var plan = AddPlan()
        for flow in flows { try plan.add(flow) }
        let outcome = try await client.add(plan.frame())
        return try outcome.checked(flows.count).enumerated().map { index, item throws(PenstockError) in
            let jobs = try handles(item, flows[index].nodes, plan.places[index])
            return FlowHandle(id: FlowID(rawValue: item.flow.rawValue), flow: flows[index], jobs: jobs, client: client)
        }
    }

    /// Adds a job alone, without a flow.
    @discardableResult
    public func add<Data: Encodable & Sendable>(
        _ name: String,
        queue: String,
        data: Data = NoPayload(),
        options: JobOptions = JobOptions()
    ) async throws(PenstockError) -> JobHandle {
        try await add([PlannedNode(name: name, queue: queue, data: data, options: options)])[0]
    }

    /// Adds jobs alone, in one transaction.
    func add(_ nodes: [PlannedNode]) async throws(PenstockError) -> [JobHandle] {
        if nodes.isEmpty { return [] }
        var plan = AddPlan()
        for node in nodes { try plan.add(node) }
        let outcome = try await client.add(plan.frame())
        return try outcome.checked(nodes.count).enumerated().map { index, item throws(PenstockError) in
            try handles(item, [nodes[index]], [0])[0]
        }
    }

    /// The jobs of an item in the order in which they were given.
    private func handles(
        _ item: AddOutcome.Item,
        _ nodes: [PlannedNode],
        _ places: [Int]
    ) throws(PenstockError) -> [JobHandle] {
        let ids = item.jobIDs
        guard ids.count == nodes.count else {
            throw PenstockError(.malformed, "The server gave ids to \(ids.count) jobs; \(nodes.count) were added.")
        }
        let existing = Set(item.existing.map(\.node))
        return nodes.indices.map { index in
            JobHandle(
                id: JobID(ids[places[index]]),
                queue: nodes[index].queue,
                name: nodes[index].name,
                isExisting: existing.contains(UInt32(places[index])),
                client: client
            )
        }
    }
}

extension AddOutcome {
    fileprivate func checked(_ count: Int) throws(PenstockError) -> [Item] {
        guard items.count == count else {
            throw PenstockError(.malformed, "The server answered \(items.count) of the \(count) items of an add.")
        }
        return items
    }
}
