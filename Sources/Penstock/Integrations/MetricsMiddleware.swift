#if Metrics
    public import Metrics

    /// Counts and times the runs of jobs, with swift-metrics.
    ///
    /// | metric | kind | dimensions |
    /// |---|---|---|
    /// | `penstock.jobs.begun` | counter | queue, job |
    /// | `penstock.jobs.ended` | counter | queue, job, outcome |
    /// | `penstock.jobs.duration` | timer | queue, job, outcome |
    ///
    /// `job` is the job's name. The outcome is `completed`, `failed` (this attempt), `put-off` (the job runs again
    /// later, and nothing has failed) or `cancelled`.
    ///
    /// It is there with the package trait `Metrics`.
    public struct MetricsMiddleware: WorkerMiddleware {
        private let factory: any MetricsFactory

        /// - Parameter factory: the one that was bootstrapped, by default.
        public init(factory: any MetricsFactory = MetricsSystem.factory) { self.factory = factory }

        public func process(_ job: Job<RawPayload>, next: @Sendable () async throws -> Void) async throws {
            let dimensions = [("queue", job.queue), ("job", job.name)]
            Counter(label: "penstock.jobs.begun", dimensions: dimensions, factory: factory).increment()
            let begin = ContinuousClock.now
            do {
                try await next()
                count(.completed, dimensions, since: begin)
            } catch {
                count(RunEnd(error, isCancelled: Task.isCancelled), dimensions, since: begin)
                throw error
            }
        }

        private func count(_ end: RunEnd, _ dimensions: [(String, String)], since begin: ContinuousClock.Instant) {
            let dimensions = dimensions + [("outcome", end.rawValue)]
            Counter(label: "penstock.jobs.ended", dimensions: dimensions, factory: factory).increment()
            Timer(label: "penstock.jobs.duration", dimensions: dimensions, factory: factory)
                .record(duration: ContinuousClock.now - begin)
        }
    }
#endif
