import Logging
import PenstockWire
public import ServiceLifecycle
import Synchronization

/// Runs the jobs of one or more queues.
///
/// ```swift
/// let worker = Worker(client, queue: "steps", concurrency: 64) { (job: Job<Step>) in
///     try await cost(of: job.data)
/// }
/// ```
///
/// What the closure returns is the job's result, encoded as JSON; nothing is no
/// result. If it throws, the attempt has failed, and is made again as long as
/// the job has attempts: after its backoff, or after what ``RetryAfter`` says.
/// ``UnrecoverableError`` fails the job for good. Data that can't be decoded
/// does so too. ``WaitForChildren`` and ``Delayed`` are no failures: the job runs
/// again from the start, when its children are done or after a while.
///
/// The task of the closure is cancelled when the job's lease is lost: the job
/// was cancelled, or the server has heard nothing for the lock's duration. Its
/// result is then of no use, and is dropped.
///
/// A worker is a service. It works while ``run()`` does, which needs that of its
/// client; put it behind the client in a service group.
public final class Worker: Service {
    /// How a worker works, beside its concurrency.
    public struct Options: Sendable {
        /// The worker's name in the server's log: at most 255 bytes. Empty by default.
        public var name: String
        /// How long the server waits for a sign of life before it gives the jobs to others: 1 s to 24 h, by default 30 s.
        ///
        /// The client gives those signs by itself, whatever the handlers do.
        public var lockDuration: Duration
        /// How long running handlers have to finish when the worker shuts down. 30 s by default.
        ///
        /// Then they are cancelled, and their jobs given back, with no attempt counted.
        public var shutdownTimeout: Duration

        public init(
            name: String = "",
            lockDuration: Duration = .seconds(30),
            shutdownTimeout: Duration = .seconds(30)
        ) {
            self.name = name
            self.lockDuration = lockDuration
            self.shutdownTimeout = shutdownTimeout
        }
    }

    private let client: PenstockClient
    private let queues: [String]
    private let concurrency: Int
    private let options: Options
    private let core: WorkerCore
    private let isRunning = Atomic<Bool>(false)

    init(
        client: PenstockClient,
        queues: [String],
        concurrency: Int,
        options: Options,
        handler: @escaping WorkerCore.Handler
    ) {
        precondition(
            concurrency > 0 && concurrency <= Limits.creditJobsMax,
            "a worker's concurrency is 1 to \(Limits.creditJobsMax)"
        )
        self.client = client
        self.queues = queues
        self.concurrency = concurrency
        self.options = options
        core = WorkerCore(client, concurrency: concurrency, handler: handler)
    }

    /// Runs jobs until the service group, or ``shutDown()``, asks for the end.
    ///
    /// Then no further job is taken; those that run have `shutdownTimeout` to
    /// finish. If the task is cancelled they are cancelled at once. In both cases
    /// it returns when the last handler has.
    ///
    /// - Throws: ``PenstockError`` for a queue name or an option that is out of
    ///   bounds, for a second call, where the server refuses the subscription, and,
    ///   with the code `shutDown`, where the client ends while the worker runs.
    ///   The handlers that run then are cancelled in that last case.
    public func run() async throws {
        let subscription = try subscription()
        guard !isRunning.exchange(true, ordering: .relaxed) else {
            throw PenstockError(.alreadyRunning, "run() was called twice; a worker runs once.")
        }
        client.workerLink.begin(core.id, subscription, core)
        await withTaskGroup(of: Void.self) { group in
            for slot in 0..<concurrency {
                group.addTask { await self.core.runSlot(slot) }
            }
            await withTaskCancellationOrGracefulShutdownHandler {
                await core.stopped.wait()
            } onCancelOrGracefulShutdown: {
                self.core.stopped.fire()
            }
            core.stop()
            if Task.isCancelled { core.cancelRunning() }
            // Answered when no delivery can follow; those that still do are given back by the core.
            async let unsubscribed: Void = client.workerLink.end(core.id)
            await finish(&group)
            await unsubscribed
        }
        client.workerLink.forget(core.id)
        if !Task.isCancelled { try core.checkFailure() }
    }

    /// Asks ``run()`` to end, for a worker that is in no service group.
    public func shutDown() { core.stopped.fire() }

    /// Waits for the slots, and cancels them when their time is over.
    private func finish(_ group: inout TaskGroup<Void>) async {
        let timeout = options.shutdownTimeout
        group.addTask {
            do { try await Task.sleep(for: timeout) } catch { return }
            self.core.cancelRunning()
        }
        for _ in 0..<concurrency { await group.next() }
        group.cancelAll()
    }

    private func subscription() throws(PenstockError) -> Subscription {
        guard !queues.isEmpty, queues.count <= Limits.queuesPerMessageMax else {
            throw PenstockError(
                .invalidRequest,
                "A worker on \(queues.count) queues; 1 to \(Limits.queuesPerMessageMax) are allowed."
            )
        }
        for queue in queues { try Checks.queue(queue) }
        guard Set(queues).count == queues.count else {
            throw PenstockError(.invalidRequest, "A worker on a queue that is named twice; once is allowed.")
        }
        try Checks.name(options.name, "worker name")
        guard let milliseconds = options.lockDuration.millisecondsRoundedUp,
            milliseconds >= UInt64(Limits.lockDurationMillisecondsMin),
            milliseconds <= UInt64(Limits.lockDurationMillisecondsMax)
        else {
            throw PenstockError(
                .invalidOption,
                "A lock duration of \(options.lockDuration); 1 second to 24 hours are allowed."
            )
        }
        return Subscription(
            queues: queues,
            concurrency: concurrency,
            lockDuration: UInt32(milliseconds),
            worker: options.name
        )
    }
}
