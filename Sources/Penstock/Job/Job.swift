public import Logging
import PenstockWire

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A job, as the worker that runs it sees it.
public struct Job<Data: Sendable>: Sendable {
    /// What the job was added with, decoded, or what replaced it since; this run keeps it.
    public let data: Data
    /// The queue that the job is in.
    public let queue: String
    private let delivery: Delivery
    private let worker: WorkerCore
    let client: PenstockClient

    public var id: JobID { JobID(delivery.job) }
    public var name: String { delivery.name }
    /// The flow that the job was added with; nil for a job added alone.
    public var flow: FlowID? { FlowID(optional: delivery.flow) }
    /// The number of this attempt: 1 for the first.
    public var attempt: Int { attemptsMade + 1 }
    /// Attempts that were finished before this one.
    public var attemptsMade: Int { Int(delivery.attemptsMade) }
    /// Attempts that the job has in all.
    public var attempts: Int { Int(delivery.attempts) }
    /// Times that a worker began the job, this one included.
    public var attemptsStarted: Int { Int(delivery.attemptsStarted) }
    /// Times that a worker was lost with the job.
    public var stalledCount: Int { Int(delivery.stalledCount) }
    /// 0 is the most urgent.
    public var priority: Int { Int(delivery.priority) }
    /// What travels with the job: see ``JobOptions/headers``.
    public var headers: [String: String] { delivery.headers.dictionary }
    /// The group of the job in its queue; nil where it has none: see ``JobOptions/group``.
    public var group: String? { delivery.group.isEmpty ? nil : delivery.group }
    /// When the job was added, by the server's clock.
    public var createdAt: Date { Date(milliseconds: delivery.createdAt) }
    /// True where the job has dependencies; all of them have ended, or do not matter any more.
    public var hasDependencies: Bool { delivery.hasDependencies }

    /// Why the job's handler is to end before it has finished; nil where it is not.
    ///
    /// The handler's task is cancelled, too; that of a ``JobBatch`` with its last job that has no outcome.
    public var cancellation: JobCancellation? { worker.cancellation(of: delivery.token) }

    /// The client's logger with the job, its name, its queue and its flow as metadata.
    public var logger: Logger {
        var logger = client.logger
        logger[metadataKey: "job"] = "\(id)"
        logger[metadataKey: "job-name"] = "\(name)"
        logger[metadataKey: "queue"] = "\(queue)"
        if let flow { logger[metadataKey: "flow"] = "\(flow)" }
        return logger
    }

    /// What the job is held by.
    var lease: HeldLease { HeldLease(delivery, worker) }

    /// A handler begins that gets these jobs of one worker.
    static func begin(_ jobs: [Job]) { jobs.first?.worker.start(jobs.map(\.delivery)) }

    /// What any client can ask about the job.
    public var handle: JobHandle {
        JobHandle(id: id, queue: queue, name: name, isExisting: true, client: client, isHeld: true)
    }
}

extension Job where Data: Decodable {
    /// - Throws: ``UndecodableData``.
    init(_ delivery: Delivery, _ worker: WorkerCore) throws {
        let payload = RawPayload(bytes: delivery.data, kind: RawPayload.Kind(rawValue: delivery.contentType.rawValue))
        do throws(PenstockError) {
            data = try PayloadCoder.decode(Data.self, from: payload)
        } catch {
            throw UndecodableData(message: "The data of job \(delivery.job) (\(delivery.name)): \(error.message)")
        }
        queue = Int(delivery.queue) < worker.queues.count ? worker.queues[Int(delivery.queue)] : ""
        self.delivery = delivery
        self.worker = worker
        client = worker.client
    }
}

/// The data of a job is not what its worker's handler takes.
struct UndecodableData: Error, CustomStringConvertible {
    let message: String
    var description: String { message }
}

extension Job {
    /// The results of the dependencies that completed, in the order of the dependencies.
    ///
    /// One without a result is nil, or left out: see ``JobHandle/childrenValues(as:)``.
    ///
    /// - Throws: ``PenstockError``; its code is `decodingFailed` where a result is no `Value`.
    public func childrenValues<Value: Decodable & Sendable>(
        as type: Value.Type
    ) async throws(PenstockError) -> ChildrenValues<Value> {
        try await handle.childrenValues(as: type)
    }

    /// The failures of those dependencies whose failure does not matter to this job.
    public func ignoredChildrenFailures() async throws(PenstockError) -> [ChildFailure] {
        try await handle.ignoredChildrenFailures()
    }

    /// A page of the job's dependencies of one kind. See ``JobHandle/dependencies(_:after:count:)->DependencyPage``.
    public func dependencies(
        _ kind: DependencyKind,
        after cursor: DependencyCursor = .start,
        count: Int = 1000
    ) async throws(PenstockError) -> DependencyPage {
        try await handle.dependencies(kind, after: cursor, count: count)
    }

    /// All pages of the job's dependencies of one kind. See ``JobHandle/dependencyPages(_:after:count:)``.
    public func dependencyPages(
        _ kind: DependencyKind,
        after cursor: DependencyCursor = .start,
        count: Int = 1000
    ) -> Pages<DependencyPage> {
        handle.dependencyPages(kind, after: cursor, count: count)
    }

    /// How many dependencies there are of some kinds.
    public func dependenciesCount(_ kinds: [DependencyKind]) async throws(PenstockError) -> [DependencyKind: Int] {
        try await handle.dependenciesCount(kinds)
    }

    /// How many dependencies there are of each kind.
    public func dependenciesCount() async throws(PenstockError) -> DependencyCounts {
        try await handle.dependenciesCount()
    }

    /// The jobs that depend on this one: all of them, as `queue:id`.
    public func parentKeys() async throws(PenstockError) -> [String] { try await handle.parentKeys() }

    public func state() async throws(PenstockError) -> JobState { try await handle.state() }

    /// Everything that is stored of the job.
    public func info() async throws(PenstockError) -> JobInfo { try await handle.info() }
}
