/// What stands around the handlers of a worker: to log, to measure, to trace, to refuse.
///
/// ```swift
/// struct Maintenance: WorkerMiddleware {
///     let isOver: @Sendable () -> Bool
///     func process(_ job: Job<RawPayload>, next: @Sendable () async throws -> Void) async throws {
///         guard isOver() else { throw Delayed(by: .seconds(60)) }
///         try await next()
///     }
/// }
/// let worker = Worker(client, queue: "mail", options: .init(middleware: [Maintenance(...)])) { ... }
/// ```
///
/// The first middleware of a worker is the outermost one. What the last one calls
/// as `next` decodes the job's data, runs the handler and encodes its result.
public protocol WorkerMiddleware: Sendable {
    /// Called once for every run of a job, in the task of its handler, or, for a job of a batch, in a task of its own.
    ///
    /// - Parameters:
    ///   - job: with its data as bytes.
    ///   - next: runs what stands inside, and throws what the handler threw. If it is not called, the handler does not
    ///     run, and the job completes without a result. Each further call runs the handler again, within the same
    ///     attempt; the result of the last one counts.
    /// - Throws: what the attempt ends with, as a handler does: see ``Worker``.
    func process(_ job: Job<RawPayload>, next: @Sendable () async throws -> Void) async throws
}

/// A handler with everything that stands around it.
enum MiddlewareChain {
    static func handler(
        _ middleware: [any WorkerMiddleware],
        around handler: @escaping WorkerCore.Handler
    ) -> WorkerCore.Handler {
        if middleware.isEmpty { return handler }
        return { delivery, worker in
            let job = try Job<RawPayload>(delivery, worker)
            let result = ResultBox()
            try await call(middleware[...], job) { result.value = try await handler(delivery, worker) }
            return result.value
        }
    }

    private static func call(
        _ middleware: ArraySlice<any WorkerMiddleware>,
        _ job: Job<RawPayload>,
        _ handler: @escaping @Sendable () async throws -> Void
    ) async throws {
        guard let first = middleware.first else { return try await handler() }
        try await first.process(job) { try await call(middleware.dropFirst(), job, handler) }
    }
}
