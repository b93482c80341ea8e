import PenstockWire
import Synchronization

/// Several jobs that one handler gets at once, each with an outcome of its own.
///
/// ```swift
/// let worker = Worker(client, queue: "mail", batches: .init(size: 100)) { (batch: JobBatch<Mail>) in
///     let receipts = try await provider.send(batch.jobs.map(\.data))
///     for (job, receipt) in zip(batch.jobs, receipts) {
///         if receipt.isAccepted { batch.complete(job, receipt) } else { batch.fail(job, Rejected(receipt)) }
///     }
/// }
/// ```
///
/// An outcome is on its way to the server as soon as it is given; the first one of
/// a job counts. A job that has none when the handler ends has that of the handler:
/// it completes without a result, or fails with what the handler threw.
public struct JobBatch<Data: Sendable>: Sendable {
    /// The jobs, in the order in which they came; at least one.
    public let jobs: [Job<Data>]
    private let outcomes: BatchOutcomes

    init(_ jobs: [Job<Data>], _ outcomes: BatchOutcomes) {
        self.jobs = jobs
        self.outcomes = outcomes
    }

    /// Completes a job of the batch without a result.
    public func complete(_ job: Job<Data>) { outcomes.end(job.lease.token, .success(.none)) }

    /// Completes a job of the batch with a result. One that can't be encoded fails the job for good.
    public func complete<Result: Encodable & Sendable>(_ job: Job<Data>, _ result: Result) {
        outcomes.end(job.lease.token, Swift.Result { try HandlerOutcome.encoded(result: result) })
    }

    /// Ends the run of a job with an error, which means what it does when a handler throws it.
    public func fail(_ job: Job<Data>, _ error: any Error) { outcomes.end(job.lease.token, .failure(error)) }
}

/// Who waits for the outcomes of a batch's jobs, by their leases.
final class BatchOutcomes: Sendable {
    typealias Waiter = CheckedContinuation<RawPayload, any Error>

    private struct State {
        var waiters: [LeaseToken: Waiter]
        /// The handler is to end: nothing waits for it any more.
        var isCancelled = false
        var task: Task<Void, Never>?
    }

    private let state: Mutex<State>

    init(_ waiters: [LeaseToken: Waiter]) { state = Mutex(State(waiters: waiters)) }

    func end(_ token: LeaseToken, _ outcome: Result<RawPayload, any Error>) {
        state.withLock { $0.waiters.removeValue(forKey: token) }?.resume(with: outcome)
    }

    /// The outcome of all jobs that have none.
    func endAll(_ outcome: Result<RawPayload, any Error>) {
        let waiters = state.withLock { state in
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume(with: outcome) }
    }

    /// The task of the batch's handler.
    func began(_ task: Task<Void, Never>) {
        let isCancelled = state.withLock { state in
            state.task = task
            return state.isCancelled
        }
        if isCancelled { task.cancel() }
    }

    /// A job was taken away. The handler goes on for the others; without any it is cancelled.
    ///
    /// A job that has its outcome is not missed: a handler that has given them all may have something left to do.
    ///
    /// - Returns: true with the last job that had no outcome.
    func cancel(_ token: LeaseToken) -> Bool {
        let (waiter, isLast) = state.withLock { state in
            let waiter = state.waiters.removeValue(forKey: token)
            return (waiter, waiter != nil && state.waiters.isEmpty)
        }
        waiter?.resume(throwing: CancellationError())
        if isLast { cancelTask() }
        return isLast
    }

    /// The handler is to end, whatever it has left to do.
    func cancelTask() {
        let task = state.withLock { state in
            state.isCancelled = true
            return state.task
        }
        task?.cancel()
    }
}
