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
        /// Jobs that the worker has at hand beside those that it runs, so that a handler which ends finds the next one at once
        /// and does not wait for the way to the server and back. None by default.
        ///
        /// Such a job is *reserved*: it waits still, for everybody but this worker. Its attempt, and the time of its
        /// `timeout`, begin with its handler. A pause of the worker or of the queue, and the end of the worker, send it back
        /// as if it had never come; so does a worker that is lost, though only when its lock's duration is over. Other
        /// workers can't have it in the meantime, so keep the number small: what the handlers get through in the time that
        /// the way takes.
        ///
        /// It counts jobs, also where handlers get batches. A queue with a rate or a concurrency of its own refuses it:
        /// ``Worker/run()`` throws the code `prefetchLimited`.
        public var prefetch: Int
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
            prefetch: Int = 0,
            unknownNames: UnknownNames = .giveBack(after: .seconds(10)),
            middleware: [any WorkerMiddleware] = []
        ) {
            self.name = name
            self.lockDuration = lockDuration
            self.shutdownTimeout = shutdownTimeout
            self.cancellationGrace = cancellationGrace
            self.weights = weights
            self.prefetch = prefetch
            self.unknownNames = unknownNames
            self.middleware = middleware
        }
    }
}
