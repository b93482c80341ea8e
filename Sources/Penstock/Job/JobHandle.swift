import NIOCore
import PenstockWire

/// A job that exists, to ask the server about.
public struct JobHandle: Sendable {
    public let id: JobID
    public let queue: String
    public let name: String
    /// True where an add found this job instead of making one, and changed nothing about it: by its custom id, or by its
    /// deduplication id.
    public let isExisting: Bool
    /// True where an add found the job by its deduplication id: see ``JobOptions/deduplication``.
    public internal(set) var isDeduplicated = false
    /// True where what was added is kept, and becomes a job of its own when this one has ended: see
    /// ``Deduplication/keepLastIfActive``.
    public internal(set) var isKept = false
    let client: PenstockClient
    /// True where the handler that holds the job asks: its own session need not wait for what the server still settles.
    var isHeld = false

    /// Where reads about the job go.
    var link: Link { isHeld ? client.workerLink : client.link }

    /// The key under which dependents know the job: `queue:id`.
    public var key: String { "\(queue):\(id)" }

    /// Everything that is stored of the job.
    /// - Throws: ``PenstockError``; its code is `jobNotFound` where retention has taken the job.
    public func info() async throws(PenstockError) -> JobInfo {
        JobInfo(try await client.read(JobView.self, GetJob(job: .id(id.wire)), over: link))
    }

    public func state() async throws(PenstockError) -> JobState { try await info().state }

    /// Waits until the job is finished: the server says so, nobody polls.
    ///
    /// - Parameter timeout: for ever where there is none.
    /// - Throws: ``PenstockError``; its code is `timedOut` after the timeout.
    @discardableResult
    public func wait(timeout: Duration? = nil) async throws(PenstockError) -> JobInfo {
        JobInfo(try await client.wait(JobView.self, .job(id.wire), timeout: timeout))
    }

    /// Waits until the job is finished, and returns its result.
    ///
    /// - Throws: ``JobFailedError`` if the job failed or was cancelled, and
    ///   ``PenstockError`` as ``wait(timeout:)`` does, or where the result is no `Value`.
    public func result<Value: Decodable>(as type: Value.Type, timeout: Duration? = nil) async throws -> Value {
        let info = try await wait(timeout: timeout)
        guard info.state == .completed else { throw JobFailedError(info) }
        return try info.result(as: type)
    }

    /// The job, what it depends on, and so on downwards. See ``PenstockClient/tree(of:depth:width:)``.
    public func tree(depth: Int? = nil, width: Int? = nil) async throws(PenstockError) -> JobTree {
        try await client.tree(of: id, depth: depth, width: width, over: link)
    }
}

// Handles of jobs that something else has named. Nothing is asked: if there is no such job, the first request says so.

extension JobHandle {
    /// A job of which everything is known.
    public init(_ info: JobInfo, _ client: PenstockClient) {
        self.init(id: info.id, queue: info.queue, name: info.name, isExisting: true, client: client)
    }

    /// A job of a flow.
    public init(_ node: FlowNodeInfo, _ client: PenstockClient) {
        self.init(id: node.id, queue: node.queue, name: node.name, isExisting: true, client: client)
    }

    /// A job of a tree.
    public init(_ node: JobTree.Node, _ client: PenstockClient) {
        self.init(id: node.id, queue: node.queue, name: node.name, isExisting: true, client: client)
    }

    /// A job that another one depends on.
    public init(_ dependency: Dependency, _ client: PenstockClient) {
        self.init(id: dependency.job, queue: dependency.queue, name: dependency.name, isExisting: true, client: client)
    }
}
