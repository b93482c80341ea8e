import PenstockWire

extension Worker {
    /// A worker that runs a closure for every job of a queue.
    ///
    /// - Parameters:
    ///   - concurrency: jobs that run at the same time, 1...65,536.
    ///   - handler: gets the job, its data decoded, and returns its result.
    /// - Precondition: `concurrency` is 1...65,536.
    public convenience init<Data: Decodable & Sendable, Result: Encodable & Sendable>(
        _ client: PenstockClient,
        queue: String,
        concurrency: Int = 1,
        options: Options = Options(),
        handler: @escaping @Sendable (Job<Data>) async throws -> Result
    ) {
        self.init(
            client: client,
            queues: [queue],
            concurrency: concurrency,
            options: options,
            handler: Worker.handler(handler)
        )
    }

    /// A worker that runs a closure for every job of a queue.
    ///
    /// - Parameters:
    ///   - concurrency: jobs that run at the same time, 1...65,536.
    ///   - handler: gets the job, its data decoded; the job has no result.
    /// - Precondition: `concurrency` is 1...65,536.
    public convenience init<Data: Decodable & Sendable>(
        _ client: PenstockClient,
        queue: String,
        concurrency: Int = 1,
        options: Options = Options(),
        handler: @escaping @Sendable (Job<Data>) async throws -> Void
    ) {
        self.init(
            client: client,
            queues: [queue],
            concurrency: concurrency,
            options: options,
            handler: Worker.handler(handler)
        )
    }

    /// A worker that runs a closure for every job of a queue.
    ///
    /// - Parameters:
    ///   - concurrency: jobs that run at the same time, 1...65,536.
    ///   - handler: gets the job, its data as bytes: see ``RawPayload/decode(as:)``, and returns its result.
    /// - Precondition: `concurrency` is 1...65,536.
    public convenience init<Result: Encodable & Sendable>(
        _ client: PenstockClient,
        queue: String,
        concurrency: Int = 1,
        options: Options = Options(),
        handler: @escaping @Sendable (Job<RawPayload>) async throws -> Result
    ) {
        self.init(
            client: client,
            queues: [queue],
            concurrency: concurrency,
            options: options,
            handler: Worker.handler(handler)
        )
    }

    /// A worker that runs a closure for every job of a queue.
    ///
    /// - Parameters:
    ///   - concurrency: jobs that run at the same time, 1...65,536.
    ///   - handler: gets the job, its data as bytes: see ``RawPayload/decode(as:)``; the job has no result.
    /// - Precondition: `concurrency` is 1...65,536.
    public convenience init(
        _ client: PenstockClient,
        queue: String,
        concurrency: Int = 1,
        options: Options = Options(),
        handler: @escaping @Sendable (Job<RawPayload>) async throws -> Void
    ) {
        self.init(
            client: client,
            queues: [queue],
            concurrency: concurrency,
            options: options,
            handler: Worker.handler(handler)
        )
    }

    /// A worker that runs a closure for every job of a list of queues.
    ///
    /// - Parameters:
    ///   - concurrency: jobs that run at the same time, 1...65,536.
    ///   - handler: gets the job, its data decoded, and returns its result.
    /// - Precondition: `concurrency` is 1...65,536.
    public convenience init<Data: Decodable & Sendable, Result: Encodable & Sendable>(
        _ client: PenstockClient,
        queues: [String],
        concurrency: Int = 1,
        options: Options = Options(),
        handler: @escaping @Sendable (Job<Data>) async throws -> Result
    ) {
        self.init(
            client: client,
            queues: queues,
            concurrency: concurrency,
            options: options,
            handler: Worker.handler(handler)
        )
    }

    /// A worker that runs a closure for every job of a list of queues.
    ///
    /// - Parameters:
    ///   - concurrency: jobs that run at the same time, 1...65,536.
    ///   - handler: gets the job, its data decoded; the job has no result.
    /// - Precondition: `concurrency` is 1...65,536.
    public convenience init<Data: Decodable & Sendable>(
        _ client: PenstockClient,
        queues: [String],
        concurrency: Int = 1,
        options: Options = Options(),
        handler: @escaping @Sendable (Job<Data>) async throws -> Void
    ) {
        self.init(
            client: client,
            queues: queues,
            concurrency: concurrency,
            options: options,
            handler: Worker.handler(handler)
        )
    }

    /// A worker that runs a closure for every job of a list of queues.
    ///
    /// - Parameters:
    ///   - concurrency: jobs that run at the same time, 1...65,536.
    ///   - handler: gets the job, its data as bytes: see ``RawPayload/decode(as:)``, and returns its result.
    /// - Precondition: `concurrency` is 1...65,536.
    public convenience init<Result: Encodable & Sendable>(
        _ client: PenstockClient,
        queues: [String],
        concurrency: Int = 1,
        options: Options = Options(),
        handler: @escaping @Sendable (Job<RawPayload>) async throws -> Result
    ) {
        self.init(
            client: client,
            queues: queues,
            concurrency: concurrency,
            options: options,
            handler: Worker.handler(handler)
        )
    }

    /// A worker that runs a closure for every job of a list of queues.
    ///
    /// - Parameters:
    ///   - concurrency: jobs that run at the same time, 1...65,536.
    ///   - handler: gets the job, its data as bytes: see ``RawPayload/decode(as:)``; the job has no result.
    /// - Precondition: `concurrency` is 1...65,536.
    public convenience init(
        _ client: PenstockClient,
        queues: [String],
        concurrency: Int = 1,
        options: Options = Options(),
        handler: @escaping @Sendable (Job<RawPayload>) async throws -> Void
    ) {
        self.init(
            client: client,
            queues: queues,
            concurrency: concurrency,
            options: options,
            handler: Worker.handler(handler)
        )
    }
}
