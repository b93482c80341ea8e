import DequeModule
import Logging
import PenstockWire
import Synchronization

/// Who gathers the jobs of a worker's slots: those that wait with it have not begun.
protocol JobGatherer: Sendable {
    /// Fired when nothing runs any more, after a stop.
    var drained: OneShot { get }
    /// - Parameter jobs: how many may be here at a time, those that run among them.
    func setConcurrency(jobs: Int)
    /// Gives back what has not begun, and what comes until ``resume()``.
    func pause()
    func resume()
    /// Gives back what has not begun, and what comes from now on.
    func stop()
    /// Gives up what still runs.
    func cancelRunning()
}

/// Thrown where a job has not begun and goes back to the server.
struct JobGivenBack: Error, CustomStringConvertible {
    var description: String { "the job was given back before it began" }
}

/// Gathers the jobs of a worker's slots into batches, and runs a handler for each batch.
///
/// Every job has a slot, whose task waits here for the job's outcome. So leases, cancellations and middleware are those
/// of single jobs.
final class BatchGatherer<Data: Decodable & Sendable>: JobGatherer {
    private struct Entry {
        let job: Job<Data>
        let waiter: BatchOutcomes.Waiter
        let due: ContinuousClock.Instant
    }

    /// Where a job is, from the call that brings it to the end of that call.
    private enum Place {
        case coming
        case waiting
        case running(BatchOutcomes)
        /// Taken away from the worker before its batch began.
        case cancelled
    }

    private struct State {
        var waiting: Deque<Entry> = []
        /// By their leases: a job that was lost can come again while an old batch still has it.
        var places: [LeaseToken: Place] = [:]
        /// Batches that run.
        var running: [ObjectIdentifier: BatchOutcomes] = [:]
        /// Somebody will look at the first job that waits when it is due.
        var isArmed = false
        var concurrency: Int
        var isPaused = false
        var isStopped = false

        /// Takes out the last entries.
        mutating func removeWaiting(from start: Int) -> [BatchOutcomes.Waiter] {
            let entries = waiting.dropFirst(start)
            for entry in entries { places[entry.job.lease.token] = nil }
            defer { waiting.removeLast(entries.count) }
            return entries.map(\.waiter)
        }
    }

    let drained = OneShot()
    private let options: BatchOptions
    private let grace: Duration
    private let client: PenstockClient
    private let handler: @Sendable (JobBatch<Data>) async throws -> Void
    private let state: Mutex<State>

    init(
        _ client: PenstockClient,
        _ options: BatchOptions,
        concurrency: Int,
        grace: Duration,
        handler: @escaping @Sendable (JobBatch<Data>) async throws -> Void
    ) {
        self.client = client
        self.options = options
        self.grace = grace
        self.handler = handler
        state = Mutex(State(concurrency: concurrency))
    }

    // MARK: Jobs

    /// Brings a job, and returns its result when its batch has run.
    func run(_ job: Job<Data>) async throws -> RawPayload {
        let token = job.lease.token
        // A lease has one run at a time, whatever the server delivers and the middleware calls.
        let isNew = state.withLock { state in
            if state.places[token] != nil { return false }
            state.places[token] = .coming
            return true
        }
        guard isNew else { throw CancellationError() }
        // Outside of the cancellation handler: no cancellation comes after this.
        defer { _ = state.withLock { $0.places.removeValue(forKey: token) } }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { waiter in
                if let refusal = add(job, token, waiter) { return waiter.resume(throwing: refusal) }
                startBatches()
            }
        } onCancel: {
            cancel(token)
        }
    }

    /// - Returns: why the job does not wait for a batch; nil where it does.
    private func add(_ job: Job<Data>, _ token: LeaseToken, _ waiter: BatchOutcomes.Waiter) -> (any Error)? {
        state.withLock { state in
            if case .cancelled = state.places[token] { return CancellationError() }
            // Too many are here where the concurrency was lowered while this one came.
            if state.isPaused || state.isStopped || state.places.count > state.concurrency * options.size {
                state.places[token] = nil
                return JobGivenBack()
            }
            state.places[token] = .waiting
            state.waiting.append(Entry(job: job, waiter: waiter, due: .now + options.longestWait))
            return nil
        }
    }

    /// A job was taken away from the worker.
    private func cancel(_ token: LeaseToken) {
        let (waiter, outcomes) = state.withLock { state -> (BatchOutcomes.Waiter?, BatchOutcomes?) in
            switch state.places[token] {
            case .coming:
                state.places[token] = .cancelled
            case .waiting:
                state.places[token] = .cancelled
                if let index = state.waiting.firstIndex(where: { $0.job.lease.token == token }) {
                    return (state.waiting.remove(at: index).waiter, nil)
                }
            case .running(let outcomes): return (nil, outcomes)
            case .cancelled, nil: break
            }
            return (nil, nil)
        }
        waiter?.resume(throwing: CancellationError())
        if let outcomes, outcomes.cancel(token) { giveGrace([outcomes]) }
    }

    // MARK: Batches

    /// Starts every batch that can be, and comes back when the next one is due.
    private func startBatches() {
        defer { arm() }
        while let (batch, outcomes) = next() {
            Job.begin(batch.jobs)
            outcomes.began(
                Task {
                    let result: Result<RawPayload, any Error>
                    do {
                        try await handler(batch)
                        result = .success(.none)
                    } catch {
                        result = .failure(error)
                    }
                    outcomes.endAll(result)
                    _ = end(outcomes)
                }
            )
        }
    }

    private func arm() {
        let due = state.withLock { state -> ContinuousClock.Instant? in
            guard !state.isArmed, state.running.count < state.concurrency, let first = state.waiting.first else {
                return nil
            }
            state.isArmed = true
            return first.due
        }
        guard let due else { return }
        client.workerLink.after(max(due - .now, .zero)) {
            self.state.withLock { $0.isArmed = false }
            self.startBatches()
        }
    }

    /// A batch that is full, or whose first job has waited long enough.
    private func next() -> (JobBatch<Data>, BatchOutcomes)? {
        state.withLock { state in
            guard state.running.count < state.concurrency, let first = state.waiting.first,
                state.waiting.count >= options.size || first.due <= .now
            else { return nil }
            let entries = Array(state.waiting.prefix(options.size))
            state.waiting.removeFirst(entries.count)
            let outcomes = BatchOutcomes(
                Dictionary(uniqueKeysWithValues: entries.map { ($0.job.lease.token, $0.waiter) })
            )
            state.running[ObjectIdentifier(outcomes)] = outcomes
            for entry in entries { state.places[entry.job.lease.token] = .running(outcomes) }
            return (JobBatch(entries.map(\.job), outcomes), outcomes)
        }
    }

    /// The batch counts no more: it has ended, or its handler goes on without its jobs.
    ///
    /// - Returns: true with the first of the two.
    private func end(_ outcomes: BatchOutcomes) -> Bool {
        let (isFirst, isDrained) = state.withLock { state in
            let isFirst = state.running.removeValue(forKey: ObjectIdentifier(outcomes)) != nil
            return (isFirst, state.isStopped && state.running.isEmpty)
        }
        if isDrained { drained.fire() }
        startBatches()
        return isFirst
    }

    /// After a while the places of cancelled batches are given free, whatever their handlers do.
    private func giveGrace(_ batches: [BatchOutcomes]) {
        if batches.isEmpty { return }
        client.workerLink.after(grace) {
            for outcomes in batches where self.end(outcomes) {
                self.client.logger.warning(
                    "The handler of a batch goes on although it was cancelled: another batch runs in its place",
                    metadata: ["grace": "\(self.grace)"]
                )
            }
        }
    }

    // MARK: The worker

    func setConcurrency(jobs: Int) {
        let waiters = state.withLock { state in
            state.concurrency = jobs / options.size
            let running = state.places.values.count { if case .running = $0 { true } else { false } }
            return state.removeWaiting(from: max(0, jobs - running))
        }
        for waiter in waiters { waiter.resume(throwing: JobGivenBack()) }
        startBatches()
    }

    func pause() {
        let waiters = state.withLock { state in
            state.isPaused = true
            return state.removeWaiting(from: 0)
        }
        for waiter in waiters { waiter.resume(throwing: JobGivenBack()) }
    }

    func resume() { state.withLock { $0.isPaused = false } }

    func stop() {
        let (waiters, isDrained) = state.withLock { state in
            state.isStopped = true
            return (state.removeWaiting(from: 0), state.running.isEmpty)
        }
        for waiter in waiters { waiter.resume(throwing: JobGivenBack()) }
        if isDrained { drained.fire() }
    }

    func cancelRunning() {
        let batches = state.withLock { Array($0.running.values) }
        for outcomes in batches { outcomes.cancelTask() }
        giveGrace(batches)
    }
}
