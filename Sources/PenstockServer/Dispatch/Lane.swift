/// What the dispatcher keeps of one queue: its window, and the subscriptions that wait for its jobs.
struct Lane {
    /// A subscription's place in the row. The subscription may have gone or have spent its credits since: that
    /// is found out when its turn comes.
    struct Waiter {
        var slot: UInt32
        var generation: UInt32
        /// The queue's index in the subscription.
        var queueIndex: UInt32
    }

    var window = ReadyWindow()
    /// True where jobs of the queue have groups: then `ring` takes the place of the window.
    var isGrouped = false
    /// It was looked whether there are such jobs, since the window was new.
    var hasLookedForGroups = false
    var ring = GroupRing()
    /// The subscriptions that could be given a job when they came, the next one first.
    var waiters = Ring<Waiter>()
    /// Waiters whose subscription is gone.
    var staleCount = 0
    /// Subscriptions that name the queue, servable or not.
    var subscriptionCount = 0
    /// It stands in the dispatcher's row of lanes that can make progress.
    var isListed = false
    /// Its gate was shut when it was asked last: nothing is granted until that may have changed.
    var isShut = false
    /// What holds its grants back; nil where nothing was set of the queue.
    var gate: Gate?
    /// Something was set of its groups: `limits` hold their grants back.
    var isLimited = false
    var limits = GroupLimits()

    /// Covers nothing, and holds no memory.
    mutating func release() {
        window.release()
        ring.release()
        isGrouped = false
        hasLookedForGroups = false
    }

    /// A job and a taker may meet here.
    @inline(__always)
    var canProgress: Bool { !waiters.isEmpty && mayHaveJobs && !isShut }

    /// There is a job, or there may be one.
    @inline(__always)
    var mayHaveJobs: Bool { isGrouped ? ring.mayHaveJobs : window.mayHaveJobs }

    /// No job is at hand, but the index may have more.
    @inline(__always)
    var mayReadOn: Bool { isGrouped ? ring.mayHaveJobs : window.needsRefill }
}
