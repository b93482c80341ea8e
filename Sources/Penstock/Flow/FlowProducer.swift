import PenstockWire

/// Adds flows.
///
/// Every add is one transaction: all of its jobs and edges exist after it, or
/// none. It returns once they are stored for good. A mistake in it is found
/// before anything is sent where that is possible; the error names the job.
///
/// One add holds at most a million jobs in 10,000 flows, and 1 GiB. A job names at
/// most 10,000 dependencies. More than 10,000 jobs, or 2 MiB, are sent in parts:
/// nobody sees anything of them until the last has come, and then all of it is there.
///
/// Options that a job does not give are looked for in the `queuesOptions` of the
/// add, then in those of the producer, then in the producer's `defaults`:
///
/// ```swift
/// let flows = FlowProducer(client, defaults: .init(attempts: 3))
/// try await flows.add(tree, queuesOptions: ["mail": .init(attempts: 10, backoff: .exponential(.seconds(1)))])
/// ```
///
/// They apply to what this producer adds. What a handler adds to its own job, and
/// what a ``Queue`` adds, has the options that each job gives.
public struct FlowProducer: Sendable {
    let client: PenstockClient
    private let defaults: OptionDefaults
    private let interceptors: [any FlowInterceptor]

    /// - Parameters:
    ///   - defaults: options of all jobs that don't give them.
    ///   - queuesOptions: options of the jobs of a queue that don't give them; they win over `defaults`.
    ///   - interceptors: see every add before it is sent, in this order.
    public init(
        _ client: PenstockClient,
        defaults: JobOptions = JobOptions(),
        queuesOptions: [String: JobOptions] = [:],
        interceptors: [any FlowInterceptor] = []
    ) {
        self.client = client
        self.defaults = OptionDefaults(queues: queuesOptions, all: defaults)
        self.interceptors = interceptors
    }

    /// Adds a tree: every child is a dependency of its parent.
    ///
    /// Where all of its jobs stand there already by their custom ids, there is no new flow: see ``FlowHandle/id``.
    ///
    /// - Parameter queuesOptions: options of the jobs of a queue that don't give them, in this add.
    /// - Throws: ``PenstockError``. With the code `outcomeUnknown` the flow may have been added, or not.
    @discardableResult
    public func add(
        _ tree: FlowJob,
        queuesOptions: [String: JobOptions] = [:]
    ) async throws(PenstockError) -> FlowHandle {
        try await add(Flow(tree), queuesOptions: queuesOptions)
    }

    /// Adds a graph.
    ///
    /// - Parameter queuesOptions: options of the jobs of a queue that don't give them, in this add.
    /// - Throws: ``PenstockError``. With the code `outcomeUnknown` the flow may have been added, or not.
    @discardableResult
    public func add(
        _ flow: Flow,
        queuesOptions: [String: JobOptions] = [:]
    ) async throws(PenstockError) -> FlowHandle {
        try await addBulk([flow], queuesOptions: queuesOptions)[0]
    }

    /// Adds many trees in one transaction. The handles come in the order of the trees; none for no trees.
    ///
    /// - Parameter queuesOptions: options of the jobs of a queue that don't give them, in this add.
    /// - Throws: ``PenstockError``. With the code `outcomeUnknown` all of them may have been added, or none.
    @discardableResult
    public func addBulk(
        _ trees: [FlowJob],
        queuesOptions: [String: JobOptions] = [:]
    ) async throws(PenstockError) -> [FlowHandle] {
        try await addBulk(trees.map { Flow($0) }, queuesOptions: queuesOptions)
    }

    /// Adds many graphs in one transaction. The handles come in the order of the graphs; none for no graphs.
    ///
    /// - Parameter queuesOptions: options of the jobs of a queue that don't give them, in this add.
    /// - Throws: ``PenstockError``. With the code `outcomeUnknown` all of them may have been added, or none.
    @discardableResult
    public func addBulk(
        _ flows: [Flow],
        queuesOptions: [String: JobOptions] = [:]
    ) async throws(PenstockError) -> [FlowHandle] {
        if flows.isEmpty { return [] }
        let plan = try await plan(flows, queuesOptions)
        return try plan.handles(try await client.add(plan), client)
    }

    /// Adds a job alone, without a flow.
    ///
    /// - Parameters:
    ///   - data: any value that can be encoded; none if it is left out.
    ///   - options: what they don't give, the producer's own options and defaults do.
    /// - Throws: ``PenstockError``. With the code `outcomeUnknown` the job may have been added, or not.
    @discardableResult
    public func add<Data: Encodable & Sendable>(
        _ name: String,
        queue: String,
        data: Data = NoPayload(),
        options: JobOptions = JobOptions()
    ) async throws(PenstockError) -> JobHandle {
        try await add([PlannedJob(name: name, queue: queue, data: data, options: options)])[0]
    }

    /// Adds jobs alone, in one transaction.
    func add(_ jobs: [PlannedJob]) async throws(PenstockError) -> [JobHandle] {
        if jobs.isEmpty { return [] }
        let plan = try await plan(jobs.map { Flow(alone: $0) }, [:])
        return try plan.added(try await client.add(plan), client).map { $0.jobs[0] }
    }

    private func plan(
        _ flows: [Flow],
        _ queuesOptions: [String: JobOptions]
    ) async throws(PenstockError) -> AddPlan {
        let defaults = defaults.behind(queuesOptions)
        try defaults.check()
        var plan = AddPlan(defaults: defaults)
        for flow in try await intercepted(flows) { try plan.add(flow) }
        return plan
    }

    private func intercepted(_ flows: [Flow]) async throws(PenstockError) -> [Flow] {
        if interceptors.isEmpty { return flows }
        var flows = flows
        let tokens = flows.map(\.token)
        for interceptor in interceptors {
            do {
                try await interceptor.intercept(&flows)
            } catch let error as PenstockError {
                throw error
            } catch is CancellationError {
                throw .cancelledByTask
            } catch {
                throw PenstockError(.refusedByInterceptor, "An interceptor refused the add: \(error)")
            }
        }
        // Each caller gets the handles of what it gave, and finds its nodes in them.
        guard flows.map(\.token) == tokens else {
            throw PenstockError(
                .invalidRequest,
                "An interceptor has exchanged, added or taken away flows; it may only change them."
            )
        }
        return flows
    }
}
