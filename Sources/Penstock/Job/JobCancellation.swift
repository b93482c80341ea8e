import PenstockWire

/// Why the handler of a job is to end before it has finished.
///
/// The handler's task is cancelled, and what it ends with is of no use any more.
/// It can tell why, to clean up accordingly:
///
/// ```swift
/// } catch is CancellationError {
///     if job.cancellation?.reason == .cancelled { try await refund(job.data) }
/// }
/// ```
public struct JobCancellation: Hashable, Sendable, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        /// Somebody has cancelled the job.
        case cancelled
        /// The server has not heard of the worker for the time of a lease, or knows its session no longer: another worker
        /// may run the job now.
        case leaseLost
        /// The attempt has taken longer than the job's `timeout`: it has failed, and may be made again.
        case timedOut
        /// The job was finished by hand, was removed, or has failed with one of its dependencies.
        case withdrawn
        /// The worker ends, and the time that it gives its handlers is over, or the task of its `run()` was cancelled. The
        /// job was given back, if the handler had not ended it by itself.
        case workerStopped
        /// The job's queue was paused, or rests, before the job's batch began. The job was given back; only middleware sees it.
        case recalled
    }

    public let reason: Reason
    /// What whoever cancelled the job gave as a reason, or the failure with which it has ended; may be empty.
    public let message: String

    public var description: String { message.isEmpty ? "\(reason)" : "\(reason): \(message)" }

    static let leaseLost = JobCancellation(reason: .leaseLost, message: "")
    static let workerStopped = JobCancellation(reason: .workerStopped, message: "")
    static let recalled = JobCancellation(reason: .recalled, message: "")
}

extension JobCancellation {
    /// What the server says of a lease that it has ended.
    init(_ lease: Revoked.Lease) {
        reason =
            switch lease.reason {
            case .expired: .leaseLost
            case .withdrawn: .withdrawn
            case .cancelled: .cancelled
            case .timeout: .timedOut
            }
        message = lease.message
    }
}
