import PenstockWire

/// The number of a worker in its client.
struct WorkerID: Hashable, Sendable {
    let rawValue: Int
}

/// A worker's wish for jobs, as the session keeps it from one connection to the next.
struct Subscription: Sendable {
    let queues: [String]
    /// Jobs that it takes at the same time, those that it prefetches among them; 0 while it is paused.
    var concurrency: Int
    /// Milliseconds; 0 is the server's default.
    let lockDuration: UInt32
    let worker: String
    /// For each queue, how many jobs it gives in its turn; empty: one each.
    let weights: [UInt8]
    /// Jobs are reserved until it says that they have started.
    let prefetches: Bool
    /// The stream on the connection that stands; nil while it has none.
    var stream: UInt32?
    /// Counts the connections, so that a credit meant for an earlier one is told apart.
    var generation = 0
    /// Credits that the server was given, less those taken back: the worker may still hold jobs of an earlier connection.
    /// Below zero where those are more than it may run; the server has none then.
    var credits: Int

    init(
        queues: [String],
        concurrency: Int,
        lockDuration: UInt32,
        worker: String,
        weights: [UInt8] = [],
        prefetches: Bool = false
    ) {
        self.queues = queues
        self.concurrency = concurrency
        self.lockDuration = lockDuration
        self.worker = worker
        self.weights = weights
        self.prefetches = prefetches
        credits = concurrency
    }

    /// How long a lease lasts, in milliseconds.
    var lease: Int64 { Int64(lockDuration == 0 ? Limits.lockDurationMillisecondsDefault : lockDuration) }

    var message: Subscribe {
        Subscribe(
            queues: queues,
            creditJobs: UInt32(max(credits, 0)),
            lockDuration: lockDuration,
            worker: worker,
            weights: weights,
            prefetches: prefetches
        )
    }
}

/// The leases of a worker at the time of a resume.
struct HeldLeases: Sendable {
    var generation: Int
    var tokens: [LeaseToken]
    /// Those among them that were reserved, and have started.
    var started: [Started.Lease] = []
}
