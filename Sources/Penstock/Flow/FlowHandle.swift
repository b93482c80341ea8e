import PenstockWire

/// A flow that exists, to ask the server about and to act upon.
///
/// An add returns one. A flow of which only the number is known has one too:
///
/// ```swift
/// let flow = FlowHandle(id, client)
/// let summary = try await flow.status()
/// ```
public struct FlowHandle: Sendable {
    /// The flow's number; 0 where an add made no flow, because every job of it stood there already by its custom id.
    ///
    /// A handle with 0 stands for the flow that its ``root`` was added with: what it is asked, and what it is told to
    /// do, is about that one. ``status()`` tells its number.
    public let id: FlowID
    /// The name it was added with; empty in a handle that was made of a number: ask for the ``status()``.
    public let name: String
    /// The jobs in the order in which the flow names them: a tree's root first, then each child before what is below it.
    ///
    /// None in a handle that was made of a number: ask for the ``graph()``.
    public let jobs: [JobHandle]
    private let flow: Flow
    let client: PenstockClient

    /// The flow with a number. Nothing is asked: if there is no such flow, the first request says so.
    public init(_ id: FlowID, _ client: PenstockClient) { self.init(id, Flow(), [], client) }

    init(_ id: FlowID, _ flow: Flow, _ jobs: [JobHandle], _ client: PenstockClient) {
        self.id = id
        name = flow.name
        self.flow = flow
        self.jobs = jobs
        self.client = client
    }

    /// The job at the top: of a tree its root, of a graph the last job that no other one depends on.
    /// - Precondition: the handle was returned by an add.
    public var root: JobHandle {
        guard !jobs.isEmpty else { preconditionFailure("a handle made of a flow's number does not know its jobs") }
        var isDependency = [Bool](repeating: false, count: jobs.count)
        var localIDs: [String: Int] = [:]
        for (index, job) in flow.jobs.enumerated() { if let id = job.localID { localIDs[id] = index } }
        for dependency in flow.jobs.flatMap(\.dependencies) {
            switch dependency.target {
            case .node(let node): isDependency[node.index] = true
            case .local(let id): if let index = localIDs[id] { isDependency[index] = true }
            case .job: break
            }
        }
        return jobs[isDependency.lastIndex(of: false) ?? 0]
    }

    /// The job that a node of the flow has become.
    /// - Precondition: the node is of the flow that was added.
    public subscript(node: FlowNode) -> JobHandle {
        guard let index = flow.index(of: node) else { preconditionFailure("the node is of another flow") }
        return jobs[index]
    }

    /// The job with an id of the flow's own.
    public subscript(id: String) -> JobHandle? {
        flow.jobs.firstIndex { $0.localID == id }.map { jobs[$0] }
    }

    /// The jobs with a name, in the order of the flow.
    public func jobs(named name: String) -> [JobHandle] { jobs.filter { $0.name == name } }
}

extension FlowHandle {
    /// Waits until the flow's last job, its ``root``, is finished, and returns that job's result.
    ///
    /// Of a handle that was made of a number it is the last job that no other one of the flow depends on.
    ///
    /// - Throws: ``JobFailedError`` if the job failed or was cancelled, and ``PenstockError`` as
    ///   ``wait(timeout:)`` does, or where the result is no `Value`.
    public func result<Value: Decodable>(as type: Value.Type, timeout: Duration? = nil) async throws -> Value {
        let root = jobs.isEmpty ? try await storedRoot() : root
        return try await root.result(as: type, timeout: timeout)
    }

    /// The number to ask about: that of the root's flow where the add made none.
    func number() async throws(PenstockError) -> FlowID {
        guard id.rawValue == 0, !jobs.isEmpty else { return id }
        guard let flow = try await root.info().flow else {
            throw PenstockError(
                .flowNotFound,
                "The add made no flow, as all of its jobs existed; its root, the job \(root.id), was added without one."
            )
        }
        return flow
    }

    private func storedRoot() async throws(PenstockError) -> JobHandle {
        let graph = try await graph()
        guard let root = graph.sinks.last else {
            throw PenstockError(.jobNotFound, "The flow \(id) has no jobs any more.")
        }
        return JobHandle(root, client)
    }

    /// The flow's counts and its status.
    public func status() async throws(PenstockError) -> FlowSummary { try await client.flow(try await number()) }

    /// Waits until no job of the flow is unfinished: the server says so, nobody polls.
    ///
    /// - Parameter timeout: for ever where there is none.
    /// - Throws: ``PenstockError``; its code is `timedOut` after the timeout. A
    ///   flow that failed throws nothing: see ``FlowSummary/status``.
    @discardableResult
    public func wait(timeout: Duration? = nil) async throws(PenstockError) -> FlowSummary {
        FlowSummary(try await client.wait(FlowView.self, .flow(try await number().wire), timeout: timeout))
    }

    /// Every job of the flow as it is now, however many pages that takes, in the order of their ids.
    public func nodes() async throws(PenstockError) -> [FlowNodeInfo] { try await client.flowNodes(try await number()) }

    /// Every edge of the flow as it is now, however many pages that takes.
    public func edges() async throws(PenstockError) -> [FlowEdge] { try await client.flowEdges(try await number()) }

    /// The whole flow as it is now: its jobs and what they wait for, however many pages that takes.
    public func graph() async throws(PenstockError) -> FlowGraph {
        let id = try await number()
        return FlowGraph(nodes: try await client.flowNodes(id), edges: try await client.flowEdges(id))
    }
}
