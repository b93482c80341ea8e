extension Worker {
    /// How a worker works, beside its concurrency.
    public struct Options: Sendable {
        /// The worker's name, in the server's log and in its list of workers: at most 255 bytes. Empty by default.
        public var name: String
        /// How long the server waits for a sign of life before it gives the jobs to others: 1 s to 24 h, by default 30 s.
        ///
        /// The client gives those signs by itself, whatever the handlers do.
        public var lockDuration: Duration
        /// How long running handlers have to finish when the worker shuts down; nil: for ever. 30 s by default.
        ///
        /// Then they are cancelled, and their jobs given back, with no attempt counted.
        public var shutdownTimeout: Duration?
        /// How long a handler may go on after it was cancelled before its place is given to another job. 10 s by default.
        ///
        /// Swift can't end a task that ignores its cancellation: it goes on beside the others, and a warning is logged.
        public var cancellationGrace: Duration
        /// Of a worker on several queues: how many jobs a queue gives in its turn, while it has any. 1...255, and 1 where
        /// a queue is not named.
        public var weights: [String: Int]
        /// For a worker with handlers by name: what is done with a job whose name none of them has. By default it is
        /// given back for 10 s.
        public var unknownNames: UnknownNames
        /// What stands around the handlers, the outermost first. Nothing by default.
        public var middleware: [any WorkerMiddleware]

        public init(
            name: String = "",
            lockDuration: Duration = .seconds(30),
            shutdownTimeout: Duration? = .seconds(30),
            cancellationGrace: Duration = .seconds(10),
            weights: [String: Int] = [:],
            unknownNames: UnknownNames = .giveBack(after: .seconds(10)),
            middleware: [any WorkerMiddleware] = []
        ) {
            self.name = name
            self.lockDuration = lockDuration
            self.shutdownTimeout = shutdownTimeout
            self.cancellationGrace = cancellationGrace
            self.weights = weights
            self.unknownNames = unknownNames
            self.middleware = middleware
        }
    }
}
