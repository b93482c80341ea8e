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
/// result is then of no use, and is dropped; ``Job/cancellation`` says why. A
/// closure that ignores that loses its place after ``Options/cancellationGrace``:
/// another job is run beside it.
///
/// Jobs of several kinds in one queue have handlers by name: see ``JobHandler``.
/// Several jobs at once go to one closure as a ``JobBatch``. For one job at a time
/// there is ``PenstockClient/processNext(from:within:options:handler:)``.
///
/// A worker is a service. It works while ``run()`` does, which needs that of its
/// client; put it behind the client in a service group.
public final class Worker: Service {
    private let client: PenstockClient
    private let options: Options
    private let core: WorkerCore
    /// Jobs that one handler gets at a time.
    private let jobsPerHandler: Int
    private let isRunning = Atomic<Bool>(false)

    init(
        client: PenstockClient,
        queues: [String],
        concurrency: Int,
        jobsPerHandler: Int = 1,
        options: Options,
        isSingle: Bool = false,
        gatherer: (any JobGatherer)? = nil,
        handler: @escaping WorkerCore.Handler
    ) {
        Worker.check(concurrency, jobsPerHandler)
        self.client = client
        self.options = options
        self.jobsPerHandler = jobsPerHandler
        core = WorkerCore(
            client,
            queues: queues,
            concurrency: concurrency * jobsPerHandler,
            options: options,
            isSingle: isSingle,
            gatherer: gatherer,
            handler: handler
        )
    }

    private static func check(_ concurrency: Int, _ jobsPerHandler: Int) {
        precondition(
            concurrency > 0 && concurrency <= Limits.creditJobsMax / jobsPerHandler,
            "a worker's concurrency is 1 to \(Limits.creditJobsMax), for all jobs of its batches together"
        )
    }

    // MARK: While it runs

    /// Handlers that run at the same time: 1...65,536.
    ///
    /// It can be changed at any time. With a higher one more jobs are asked for at once. With a lower one those that
    /// run go on to their end, those that have come and can't begin any more are given back, and no further one comes
    /// until fewer run.
    ///
    /// - Precondition: what is set is at least 1, and at most 65,536, for all jobs of its batches together.
    public var concurrency: Int {
        get { core.concurrency / jobsPerHandler }
        set {
            Worker.check(newValue, jobsPerHandler)
            core.setConcurrency(newValue * jobsPerHandler)
        }
    }

    /// True from ``pause()`` to ``resume()``.
    public var isPaused: Bool { core.state.withLock { $0.isPaused } }

    /// Takes no further job until ``resume()``. What runs goes on; what has come and has not begun is given back.
    ///
    /// Other workers of the queue are not concerned.
    public func pause() { core.pause() }

    /// Takes jobs again after ``pause()``.
    public func resume() { core.resume() }

    // MARK: Running

    /// Runs jobs until the service group, or ``shutDown()``, asks for the end.
    ///
    /// Then no further job is taken; those that run have `shutdownTimeout` to
    /// finish. If the task is cancelled they are cancelled at once. In both cases
    /// it returns when the last handler has, or the `cancellationGrace` of the cancelled ones is over. What the handlers
    /// ended with is on its way to the server then; the client keeps it until it is stored, and its own end waits for that.
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
        let core = core
        await withDiscardingTaskGroup { group in
            for slot in core.begin(subscription) { group.addTask { await core.runSlot(slot) } }
            await withTaskCancellationOrGracefulShutdownHandler {
                for await slot in core.opened { group.addTask { await core.runSlot(slot) } }
            } onCancelOrGracefulShutdown: {
                core.askToStop()
            }
            core.stop()
            if let timeout = options.shutdownTimeout {
                group.addTask {
                    do { try await Task.sleep(for: timeout) } catch { return }
                    core.cancelRunning()
                }
            }
            // Answered when no delivery can follow; those that still do are given back by the core.
            async let unsubscribed: Void = client.workerLink.end(core.id)
            await withTaskCancellationHandler {
                await core.drained.wait()
                await core.gatherer?.drained.wait()
            } onCancel: {
                core.cancelRunning()
            }
            group.cancelAll()
            await unsubscribed
        }
        client.workerLink.forget(core.id)
        if !Task.isCancelled { try core.checkFailure() }
    }

    /// Asks ``run()`` to end, for a worker that is in no service group.
    public func shutDown() { core.askToStop() }

    /// True once a job was begun.
    var hasBegunJob: Bool { core.state.withLock { $0.hasBegunJob } }

    private func subscription() throws(PenstockError) -> Subscription {
        let queues = core.queues
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
            concurrency: core.concurrency,
            lockDuration: UInt32(milliseconds),
            worker: options.name,
            weights: try weights(of: queues)
        )
    }

    private func weights(of queues: [String]) throws(PenstockError) -> [UInt8] {
        if options.weights.isEmpty { return [] }
        for (queue, weight) in options.weights {
            guard queues.contains(queue) else {
                throw PenstockError(.invalidOption, "A weight for the queue \(queue), which is none of the worker's.")
            }
            guard (1...255).contains(weight) else {
                throw PenstockError(
                    .invalidOption,
                    "A weight of \(weight) for the queue \(queue); 1 to 255 are allowed."
                )
            }
        }
        return queues.map { UInt8(options.weights[$0] ?? 1) }
    }
}
