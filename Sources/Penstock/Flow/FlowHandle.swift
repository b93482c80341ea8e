import PenstockWire

/// A flow that exists, to ask the server about.
public struct FlowHandle: Sendable {
    public let id: FlowID
    public let name: String
    /// The jobs in the order in which the flow names them: a tree's root first, then each child before what is below it.
    public let jobs: [JobHandle]
    private let flow: Flow
    private let client: PenstockClient

    init(id: FlowID, flow: Flow, jobs: [JobHandle], client: PenstockClient) {
        self.id = id
        name = flow.name
        self.flow = flow
        self.jobs = jobs
        self.client = client
    }

    /// The job at the top: of a tree its root, of a graph the last job that no other one depends on.
    public var root: JobHandle {
        var isDependency = [Bool](repeating: false, count: jobs.count)
        var localIDs: [String: Int] = [:]
        for (index, node) in flow.nodes.enumerated() { if let id = node.localID { localIDs[id] = index } }
        for dependency in flow.nodes.flatMap(\.dependencies) {
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
        flow.nodes.firstIndex { $0.localID == id }.map { jobs[$0] }
    }

    /// The jobs with a name, in the order of the flow.
    public func jobs(named name: String) -> [JobHandle] { jobs.filter { $0.name == name } }
}

extension FlowHandle {
    /// Waits until the flow's last job, its ``root``, is finished, and returns that job's result.
    ///
    /// - Throws: ``JobFailedError`` if the job failed or was cancelled, and ``PenstockError`` as
    ///   ``wait(timeout:)`` does, or where the result is no `Value`.
    public func result<Value: Decodable>(as type: Value.Type, timeout: Duration? = nil) async throws -> Value {
        try await root.result(as: type, timeout: timeout)
    }

    /// The flow's counts and its status.
    public func status() async throws(PenstockError) -> FlowSummary { try await client.flow(id) }

    /// Waits until no job of the flow is unfinished: the server says so, nobody polls.
    ///
    /// - Parameter timeout: for ever where there is none.
    /// - Throws: ``PenstockError``; its code is `timedOut` after the timeout. A
    ///   flow that failed throws nothing: see ``FlowSummary/status``.
    @discardableResult
    public func wait(timeout: Duration? = nil) async throws(PenstockError) -> FlowSummary {
        FlowSummary(try await client.wait(FlowView.self, .flow(id.wire), timeout: timeout))
    }

    /// Every job of the flow as it is now, however many pages that takes, in the order of their ids.
    public func nodes() async throws(PenstockError) -> [FlowNodeInfo] { try await client.flowNodes(id) }

    /// Every edge of the flow as it is now, however many pages that takes.
    public func edges() async throws(PenstockError) -> [FlowEdge] { try await client.flowEdges(id) }
}
