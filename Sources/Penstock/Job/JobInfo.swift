import PenstockWire

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Everything that is stored of a job, exact at one moment of the server's.
public struct JobInfo: Hashable, Sendable {
    /// Why the last attempt failed, or why the job was cancelled.
    public struct Failure: Hashable, Sendable {
        public let message: String
        /// What the worker added, in a form of its own.
        public let details: [UInt8]
    }

    public let id: JobID
    public let queue: String
    public let name: String
    /// The flow that the job was added with; nil for a job added alone.
    public let flow: FlowID?
    public let state: JobState
    /// Why the job failed; nil for one that has not.
    public let cause: FailureCause?
    /// True for a cancelled job that was to run only after a failure, which did not come: see ``EdgeCondition/failure``.
    public let isSkipped: Bool
    /// The options that it was added with, its custom id among them.
    public let options: JobOptions
    /// Attempts that were finished.
    public let attemptsMade: Int
    /// Attempts that were begun.
    public let attemptsStarted: Int
    /// Times that a worker was lost with the job.
    public let stalledCount: Int
    /// When the job was added, by the server's clock, as all times here.
    public let createdAt: Date
    /// The beginning of the last attempt; nil where there was none.
    public let startedAt: Date?
    /// When the job completed, failed or was cancelled; nil for one that has not finished.
    public let finishedAt: Date?
    /// The time until a delayed job is due; nil for any other.
    public let dueIn: Duration?
    public let dependencies: DependencyCounts
    /// Jobs that depend on this one.
    public let dependents: Int
    /// The first dependency whose failure failed this job.
    public let failedDependency: JobID?
    public let data: RawPayload
    /// What its worker reported last; ``RawPayload/none`` where it has reported nothing.
    public let progress: RawPayload
    /// What a completed job returned; nil for any other.
    public let result: RawPayload?
    /// What the last attempt failed with.
    public let failure: Failure?

    /// - Throws: ``PenstockError/Code/decodingFailed``.
    public func data<Value: Decodable>(as type: Value.Type) throws(PenstockError) -> Value {
        try data.decode(as: type)
    }

    /// What its worker reported last; nil where it has reported nothing.
    /// - Throws: ``PenstockError/Code/decodingFailed``.
    public func progress<Value: Decodable>(as type: Value.Type) throws(PenstockError) -> Value? {
        progress == .none ? nil : try progress.decode(as: type)
    }

    /// - Throws: ``PenstockError/Code/decodingFailed``, also for a job that has not completed.
    public func result<Value: Decodable>(as type: Value.Type) throws(PenstockError) -> Value {
        guard let result else {
            throw PenstockError(.decodingFailed, "The job \(id) (\(name)) has no result: it is \(state).")
        }
        return try result.decode(as: type)
    }
}

extension JobInfo {
    init(_ view: JobView) {
        id = JobID(view.id)
        queue = view.queue
        name = view.name
        flow = FlowID(optional: view.flow)
        state = JobState(view.state)
        cause = FailureCause(view.cause)
        isSkipped = view.isSkipped
        options = JobOptions(
            view.options,
            id: view.customID.isEmpty ? nil : view.customID,
            headers: view.headers,
            deduplication: view.deduplication,
            group: view.group.isEmpty ? nil : view.group
        )
        attemptsMade = Int(view.attemptsMade)
        attemptsStarted = Int(view.attemptsStarted)
        stalledCount = Int(view.stalledCount)
        createdAt = Date(milliseconds: view.createdAt)
        startedAt = Date(optionalMilliseconds: view.startedAt)
        finishedAt = Date(optionalMilliseconds: view.finishedAt)
        dueIn = view.state == .delayed ? .milliseconds(view.dueIn) : nil
        dependencies = DependencyCounts(view.dependencies)
        dependents = Int(view.dependents)
        failedDependency = JobID(optional: view.failedDependency)
        data = RawPayload(view.contentType, view.data)
        progress = RawPayload(view.progress)
        switch view.outcome {
        case .none: (result, failure) = (view.state == .completed ? RawPayload.none : nil, nil)
        case .result(let contentType, let bytes): (result, failure) = (RawPayload(contentType, bytes), nil)
        case .failure(let message, let details): (result, failure) = (nil, Failure(message: message, details: details))
        }
    }
}

/// A job whose result was asked for has failed, or was cancelled.
public struct JobFailedError: Error, Hashable, Sendable {
    public let job: JobID
    public let queue: String
    public let name: String
    /// Failed or cancelled.
    public let state: JobState
    /// Nil for a cancelled job.
    public let cause: FailureCause?
    /// What the last attempt failed with; empty where there was none.
    public let message: String
    /// The first dependency whose failure failed this job.
    public let failedDependency: JobID?
}

extension JobFailedError: CustomStringConvertible {
    public var description: String {
        let why = cause.map { ", cause \($0)" } ?? ""
        return "Job \(job) (\(name) in \(queue)) is \(state)\(why)" + (message.isEmpty ? "" : ": \(message)")
    }

    init(_ info: JobInfo) {
        job = info.id
        queue = info.queue
        name = info.name
        state = info.state
        cause = info.cause
        message = info.failure?.message ?? ""
        failedDependency = info.failedDependency
    }
}
