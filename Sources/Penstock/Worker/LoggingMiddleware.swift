public import Logging

/// Logs the beginning and the end of every run of a job, with the job's metadata.
///
/// The message of a failure is the text of what the handler threw.
public struct LoggingMiddleware: WorkerMiddleware {
    private let level: Logger.Level

    /// - Parameter level: of beginnings and of ends without a failure; failures are warnings.
    public init(level: Logger.Level = .info) { self.level = level }

    public func process(_ job: Job<RawPayload>, next: @Sendable () async throws -> Void) async throws {
        var logger = job.logger
        logger[metadataKey: "attempt"] = "\(job.attempt)"
        logger.log(level: level, "A job begins")
        let begin = ContinuousClock.now
        func end(_ level: Logger.Level, _ message: Logger.Message, _ error: (any Error)? = nil) {
            var metadata: Logger.Metadata = ["duration": "\(ContinuousClock.now - begin)"]
            if let error { metadata["error"] = "\(error)" }
            logger.log(level: level, message, metadata: metadata)
        }
        do {
            try await next()
            end(level, "A job is done")
        } catch {
            switch RunEnd(error, isCancelled: Task.isCancelled) {
            case .putOff: end(level, "A job is put off", error)
            case .cancelled: end(level, "The run of a job was cancelled", error)
            case .completed, .failed: end(.warning, "An attempt at a job has failed", error)
            }
            throw error
        }
    }
}

/// How the run of a handler has ended, for those who count.
enum RunEnd: String {
    case completed
    case failed
    /// The job runs again later; nothing has failed.
    case putOff = "put-off"
    case cancelled

    init(_ error: any Error, isCancelled: Bool) {
        self =
            switch error {
            case is WaitForChildren, is Delayed, is RateLimited, is JobMoved, is JobGivenBack: .putOff
            case _ where isCancelled: .cancelled
            default: .failed
            }
    }
}
