import PenstockWire

/// How many jobs one handler gets at once.
public struct BatchOptions: Hashable, Sendable {
    /// Jobs in a batch: 1...65,536.
    public let size: Int
    /// How long the first job of a batch waits for others. 100 ms by default; zero takes what is there.
    public let longestWait: Duration

    /// - Precondition: the size is 1...65,536.
    public init(size: Int, longestWait: Duration = .milliseconds(100)) {
        precondition((1...Limits.creditJobsMax).contains(size), "a batch has 1 to \(Limits.creditJobsMax) jobs")
        self.size = size
        self.longestWait = longestWait
    }
}

extension Worker {
    /// A worker that runs a closure for several jobs at once.
    ///
    /// ```swift
    /// let worker = Worker(client, queue: "rows", batches: .init(size: 500)) { (batch: JobBatch<Row>) in
    ///     try await database.insert(batch.jobs.map(\.data))
    /// }
    /// ```
    ///
    /// A batch is run when it is full, or when its first job has waited for the longest wait. Data that can't be
    /// decoded fails its job alone. Jobs that wait for a full batch have not begun: a pause, a lower concurrency and the
    /// worker's end give them back.
    ///
    /// - Parameters:
    ///   - batches: at most 65,536 jobs in all batches that run at the same time.
    ///   - concurrency: batches that run at the same time.
    ///   - handler: gets the jobs; see ``JobBatch`` for what becomes of each.
    /// - Precondition: `concurrency` is at least 1, and `batches.size` times as many are at most 65,536.
    public convenience init<Data: Decodable & Sendable>(
        _ client: PenstockClient,
        queues: [String],
        batches: BatchOptions,
        concurrency: Int = 1,
        options: Options = Options(),
        handler: @escaping @Sendable (JobBatch<Data>) async throws -> Void
    ) {
        let gatherer = BatchGatherer<Data>(
            client,
            batches,
            concurrency: concurrency,
            grace: options.cancellationGrace,
            handler: handler
        )
        self.init(
            client: client,
            queues: queues,
            concurrency: concurrency,
            jobsPerHandler: batches.size,
            options: options,
            startsLater: true,
            gatherer: gatherer,
            handler: { delivery, worker in try await gatherer.run(try Job<Data>(delivery, worker)) }
        )
    }

    /// A worker that runs a closure for several jobs of a queue at once.
    /// - Precondition: `concurrency` is at least 1, and `batches.size` times as many are at most 65,536.
    public convenience init<Data: Decodable & Sendable>(
        _ client: PenstockClient,
        queue: String,
        batches: BatchOptions,
        concurrency: Int = 1,
        options: Options = Options(),
        handler: @escaping @Sendable (JobBatch<Data>) async throws -> Void
    ) {
        self.init(
            client,
            queues: [queue],
            batches: batches,
            concurrency: concurrency,
            options: options,
            handler: handler
        )
    }
}
