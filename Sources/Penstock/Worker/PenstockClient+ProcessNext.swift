import NIOCore

extension PenstockClient {
    /// Takes one job from a queue, runs it, and returns when its end is stored.
    ///
    /// ```swift
    /// while try await client.processNext(from: ["mail"], handler: { (job: Job<Mail>) in try await send(job.data) }) {}
    /// ```
    ///
    /// What the handler returns or throws has the meaning that it has for a ``Worker``: a failure of it fails the
    /// attempt, and is not thrown here. Where the task is cancelled the job is given back.
    ///
    /// For one job after the other a worker is much faster: each call here begins with asking for a job.
    ///
    /// - Parameters:
    ///   - queues: the first of them with a job gives one; any other may follow in the next call.
    ///   - limit: how long to wait for a job. It should not be shorter than the way to the server and back.
    ///   - options: as for a worker; a running handler is never cut off, whatever the `shutdownTimeout`, and there is no
    ///     `prefetch`.
    /// - Returns: true where there was a job, whatever its handler made of it; false where none came in time.
    /// - Throws: ``PenstockError`` where no job can be asked for, with the code `timedOut` where the server was not
    ///   reached within the limit, and where the end of the job could not be stored: with the code `fenced` its lease had
    ///   been lost before, because it was cancelled, took longer than its timeout, or went to others.
    @discardableResult
    public func processNext<Data: Decodable & Sendable, Result: Encodable & Sendable>(
        from queues: [String],
        within limit: Duration = .seconds(1),
        options: Worker.Options = Worker.Options(),
        handler: @escaping @Sendable (Job<Data>) async throws -> Result
    ) async throws -> Bool {
        try await processNext(from: queues, within: limit, options, Worker.handler(handler))
    }

    /// Takes one job from a queue, runs it, and returns when its end is stored; the job has no result.
    @discardableResult
    public func processNext<Data: Decodable & Sendable>(
        from queues: [String],
        within limit: Duration = .seconds(1),
        options: Worker.Options = Worker.Options(),
        handler: @escaping @Sendable (Job<Data>) async throws -> Void
    ) async throws -> Bool {
        try await processNext(from: queues, within: limit, options, Worker.handler(handler))
    }

    /// Takes one job from a queue and runs it with the handler of its name.
    @discardableResult
    public func processNext(
        from queues: [String],
        within limit: Duration = .seconds(1),
        options: Worker.Options = Worker.Options(),
        handlers: [JobHandler]
    ) async throws -> Bool {
        try await processNext(
            from: queues,
            within: limit,
            options,
            HandlersByName(handlers, options.unknownNames).run
        )
    }

    private func processNext(
        from queues: [String],
        within limit: Duration,
        _ options: Worker.Options,
        _ handler: @escaping WorkerCore.Handler
    ) async throws -> Bool {
        guard options.prefetch == 0 else {
            throw PenstockError(.invalidOption, "A prefetch of \(options.prefetch) for one job; only 0 is allowed.")
        }
        var options = options
        options.shutdownTimeout = nil
        let worker = Worker(
            client: self,
            queues: queues,
            concurrency: 1,
            options: options,
            isSingle: true,
            handler: handler
        )
        // It holds on to the worker, and with it to the handler.
        let timer = workerLink.after(limit) { worker.shutDown() }
        defer { timer.cancel() }
        try await worker.run()
        return worker.hasBegunJob
    }
}
