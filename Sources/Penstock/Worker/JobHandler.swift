/// What a worker does with the jobs of one name.
///
/// ```swift
/// let worker = Worker(client, queue: "media", concurrency: 8, handlers: [
///     JobHandler(Resize.self) { job in try await resize(job.data) },
///     JobHandler("ping") { (job: Job<RawPayload>) in },
/// ])
/// ```
///
/// What happens to a job of another name is the worker's option `unknownNames`.
public struct JobHandler: Sendable {
    /// The name of the jobs that it is for.
    public let name: String
    let run: WorkerCore.Handler

    /// For jobs of a type.
    public init<Type: JobType>(
        _ type: Type.Type,
        _ handler: @escaping @Sendable (Job<Type>) async throws -> Type.Output
    ) {
        name = type.jobName
        run = Worker.handler(handler)
    }

    /// For jobs of a type without a result.
    public init<Type: JobType>(
        _ type: Type.Type,
        _ handler: @escaping @Sendable (Job<Type>) async throws -> Void
    ) where Type.Output == NoPayload {
        name = type.jobName
        run = Worker.handler(handler)
    }

    /// For jobs of a name, with a result.
    public init<Data: Decodable & Sendable, Result: Encodable & Sendable>(
        _ name: String,
        _ handler: @escaping @Sendable (Job<Data>) async throws -> Result
    ) {
        self.name = name
        run = Worker.handler(handler)
    }

    /// For jobs of a name, without a result.
    public init<Data: Decodable & Sendable>(
        _ name: String,
        _ handler: @escaping @Sendable (Job<Data>) async throws -> Void
    ) {
        self.name = name
        run = Worker.handler(handler)
    }
}

extension Worker {
    /// A worker with a handler for each name of job.
    ///
    /// - Parameters:
    ///   - concurrency: jobs that run at the same time, 1...65,536.
    ///   - handlers: at least one, and each name once.
    /// - Precondition: `concurrency` is 1...65,536, and there is a handler, and no two of one name.
    public convenience init(
        _ client: PenstockClient,
        queues: [String],
        concurrency: Int = 1,
        options: Options = Options(),
        handlers: [JobHandler]
    ) {
        self.init(
            client: client,
            queues: queues,
            concurrency: concurrency,
            options: options,
            handler: HandlersByName(handlers, options.unknownNames).run
        )
    }

    /// A worker with a handler for each name of job.
    ///
    /// - Parameters:
    ///   - concurrency: jobs that run at the same time, 1...65,536.
    ///   - handlers: at least one, and each name once.
    /// - Precondition: `concurrency` is 1...65,536, and there is a handler, and no two of one name.
    public convenience init(
        _ client: PenstockClient,
        queue: String,
        concurrency: Int = 1,
        options: Options = Options(),
        handlers: [JobHandler]
    ) {
        self.init(client, queues: [queue], concurrency: concurrency, options: options, handlers: handlers)
    }
}
