import DequeModule
import Synchronization

/// Gathers the jobs of a worker's slots into batches, and runs a handler for each batch.
///
/// Every job has a slot, whose task waits here for the job's outcome. So leases, cancellations and middleware are those
/// of single jobs.
final class BatchGatherer<Data: Decodable & Sendable>: Sendable {
    private struct Entry {
        let job: Job<Data>
        let waiter: BatchOutcomes.Waiter
        let due: ContinuousClock.Instant
    }

    private struct State {
        var waiting: Deque<Entry> = []
        /// Batches that run.
        var running: Set<ObjectIdentifier> = []
        /// Somebody will look at the first job that waits when it is due.
        var isArmed = false
        var concurrency: Int
        /// The batch that each running job is in.
        var batches: [JobID: BatchOutcomes] = [:]
        /// Jobs that were taken away before they came here.
        var cancelled: Set<JobID> = []
    }

    private let options: BatchOptions
    private let grace: Duration
    private let link: Link
    private let handler: @Sendable (JobBatch<Data>) async throws -> Void
    private let state: Mutex<State>

    init(
        _ link: Link,
        _ options: BatchOptions,
        concurrency: Int,
        grace: Duration,
        handler: @escaping @Sendable (JobBatch<Data>) async throws -> Void
    ) {
        self.link = link
        self.options = options
        self.grace = grace
        self.handler = handler
        state = Mutex(State(concurrency: concurrency))
    }

    func setConcurrency(_ concurrency: Int) {
        state.withLock { $0.concurrency = concurrency }
        startBatches()
    }

    /// Brings a job, and returns its result when its batch has run.
    func run(_ job: Job<Data>) async throws -> RawPayload {
        try await withTaskCancellationHandler {
            defer { _ = state.withLock { $0.cancelled.remove(job.id) } }
            return try await withCheckedThrowingContinuation { waiter in
                let isCancelled = state.withLock { state in
                    if state.cancelled.contains(job.id) { return true }
                    state.waiting.append(Entry(job: job, waiter: waiter, due: .now + options.longestWait))
                    return false
                }
                if isCancelled { return waiter.resume(throwing: CancellationError()) }
                startBatches()
            }
        } onCancel: {
            cancel(job.id)
        }
    }

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
                    end(outcomes, batch.jobs.map(\.id))
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
        link.after(max(due - .now, .zero)) {
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
            let outcomes = BatchOutcomes(Dictionary(entries.map { ($0.job.id, $0.waiter) }) { first, _ in first })
            state.running.insert(ObjectIdentifier(outcomes))
            for entry in entries { state.batches[entry.job.id] = outcomes }
            return (JobBatch(entries.map(\.job), outcomes), outcomes)
        }
    }

    /// The batch counts no more: it has ended, or its handler goes on without its jobs.
    private func end(_ outcomes: BatchOutcomes, _ jobs: [JobID]) {
        state.withLock { state in
            for job in jobs where state.batches[job] === outcomes { state.batches[job] = nil }
            state.running.remove(ObjectIdentifier(outcomes))
        }
        startBatches()
    }

    /// A job was taken away from the worker.
    private func cancel(_ job: JobID) {
        let (waiter, batch) = state.withLock { state -> (BatchOutcomes.Waiter?, (BatchOutcomes, [JobID])?) in
            if let index = state.waiting.firstIndex(where: { $0.job.id == job }) {
                return (state.waiting.remove(at: index).waiter, nil)
            }
            guard let outcomes = state.batches[job] else {
                state.cancelled.insert(job)
                return (nil, nil)
            }
            return (nil, (outcomes, state.batches.filter { $0.value === outcomes }.map(\.key)))
        }
        waiter?.resume(throwing: CancellationError())
        guard let (outcomes, jobs) = batch, outcomes.cancel(job) else { return }
        link.after(grace) { self.end(outcomes, jobs) }
    }
}
