import PenstockEngine

/// The name of a subscription. It stays harmless when the subscription is gone: the next one at its slot has
/// another generation.
struct SubscriptionID: Hashable, Sendable {
    let slot: UInt32
    /// 0 is no subscription.
    let generation: UInt32

    static let none = SubscriptionID(slot: 0, generation: 0)
}

/// A worker's wish for jobs of one or more queues, with one pool of credits.
struct Subscription {
    /// The connection that it came by: the server's own name for it.
    let connection: UInt32
    /// The session's place in the server's table. The leases belong to it, not to the connection.
    let sessionSlot: UInt32
    let stream: UInt32
    /// In the order of the SUBSCRIBE: a delivery names a queue by its index here.
    let queues: [QueueID]
    /// Jobs that may still be granted; below zero where credits were taken back from jobs that it holds.
    var creditJobs: Int
    /// Bytes that may still be granted; the last grant may go below zero.
    var creditBytes: Int
    /// Milliseconds.
    let lockDuration: UInt32
    /// The worker's name for itself: attempts, the list of workers and the log tell it.
    let worker: String
    /// For each queue, how many jobs it gives in its turn; empty: one each.
    let weights: [UInt8]
    /// What it is given is reserved until its worker has started it.
    let prefetches: Bool
    /// Its connection has too much unsent output.
    var isBlocked = false
    /// It gets nothing more.
    var isClosing = false

    init(
        connection: UInt32,
        sessionSlot: UInt32,
        stream: UInt32,
        queues: [QueueID],
        creditJobs: Int,
        creditBytes: Int,
        lockDuration: UInt32,
        worker: String = "",
        weights: [UInt8] = [],
        prefetches: Bool = false
    ) {
        self.connection = connection
        self.sessionSlot = sessionSlot
        self.stream = stream
        self.queues = queues
        self.creditJobs = creditJobs
        self.creditBytes = creditBytes
        self.lockDuration = lockDuration
        self.worker = worker
        self.weights = weights
        self.prefetches = prefetches
    }

    /// It can be given a job now.
    @inline(__always)
    var isServable: Bool { creditJobs > 0 && creditBytes > 0 && !isBlocked && !isClosing }
}
