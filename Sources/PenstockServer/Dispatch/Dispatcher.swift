import PenstockEngine
import PenstockWire

/// Who gets which job next. Pure decisions in memory: no I/O, no clock, no locks; the loop thread owns it.
///
/// The parts: a *lane* for each queue, with the window onto its ready index (or, where
/// its jobs have groups, a ring of such windows) and
/// the row of subscriptions that wait for its jobs; the subscriptions with their
/// credits; the lease table. The loop
///
/// 1. tells what the clients want: ``subscribe(_:)``, ``credit(_:jobs:bytes:)``, ``finish(_:token:sessionSlot:)`` ...
/// 2. tells each commit's outcome in its order: ``settle(freed:kept:withdrawn:ready:revoked:)``,
/// 3. calls ``run(now:wall:grantsMax:source:)``, which grants while credits and jobs meet.
///
/// A grant is the first ready job of its queue, or of the group whose turn it is: no
/// job that the dispatcher was told of, and that the source's snapshot still has, is
/// passed over.
///
/// How that holds while outcomes lag behind the snapshot that a refill reads:
/// every job that was announced, is ready and has no lease is in its window or at
/// or above the window's bound, where the snapshot has it. What a refill saw
/// early is announced again later, and is then in the window (a duplicate) or in
/// the lease table (skipped): it can't have left the table before, because what
/// frees its slot is a later commit. Where news about a job come while its lease
/// is finishing or pending, nobody here can tell how that ends: so when the slot
/// is free, the lane leaves what it knows from that turn on to the index.
///
/// Grants, ends and announcements of jobs in order cost no allocation.
struct Dispatcher: ~Copyable {
    struct Configuration: Sendable {
        /// Entries of one window.
        var windowEntriesMax = 4096
        /// Entries of all windows together; some 24 bytes each.
        var entriesMax = 512 * 1024
        /// Entries that one refill reads: so long the loop does nothing else.
        var refillEntriesMax = 256
    }

    let configuration: Configuration
    var leases: LeaseTable
    var timeouts = AttemptTimeouts()
    var subscriptions = SubscriptionTable()
    /// By queue number.
    var lanes: [Lane] = []
    /// The lanes in which a job and a taker may meet, the next one first.
    var listed = Ring<UInt32>()
    /// Entries that a window may hold now: a power of two, so that all of them stay in the budget.
    var windowCapacity: Int
    /// Lanes with a subscription, and so with a window.
    var windowCount = 0
    /// Turns from which on a queue is left to the index, once the slot is free.
    var disputes: [Dispute] = []
    /// No gate opens by itself before this time: when a timer is to call ``openDueGates(now:)``, which raises it.
    var nextOpening = UInt64.max
    /// Leases that are to be written at once.
    var writeRequests: [UInt32] = []
    /// Leases whose reserved jobs were started.
    var startedJobs: [Lease] = []
    /// What a refill read; kept for its memory.
    var scratch: [ReadyEntry] = []

    /// - Parameters:
    ///   - epoch: raised durably at every start of the server.
    ///   - leaseWriteAfter: milliseconds after which a lease is to be written.
    init(epoch: UInt64, leaseWriteAfter: UInt64 = 500, configuration: Configuration = Configuration()) {
        precondition(configuration.windowEntriesMax > 0 && configuration.refillEntriesMax > 0)
        precondition(configuration.entriesMax >= configuration.windowEntriesMax)
        self.configuration = configuration
        leases = LeaseTable(epoch: epoch, writeAfter: leaseWriteAfter)
        windowCapacity = 1
        while windowCapacity * 2 <= configuration.windowEntriesMax { windowCapacity *= 2 }
    }

    /// News of a job came while its lease was finishing or pending.
    struct Dispute {
        var slot: UInt32
        var queue: QueueID
        var group: GroupID
        var turn: Turn
    }

    /// A run could do something.
    var hasWork: Bool { !listed.isEmpty }

    // MARK: Leases

    /// The lease that a worker names, or nil where the answer is *fenced*. What a worker does under a reserved lease says
    /// that its job has been started.
    @inline(__always)
    mutating func find(_ slot: UInt32, token: LeaseToken, sessionSlot: UInt32) -> Lease? {
        leases.find(slot, token: token, sessionSlot: sessionSlot)
            ?? startUnsaid(slot, token: token, sessionSlot: sessionSlot)
    }

    /// Ends the lease by a command that goes into the next hand-over, and gives its credit back at once.
    ///
    /// - Returns: the lease, or nil where the answer is *fenced*.
    @inline(__always)
    mutating func finish(_ slot: UInt32, token: LeaseToken, sessionSlot: UInt32) -> Lease? {
        guard let lease = find(slot, token: token, sessionSlot: sessionSlot) else { return nil }
        leases.beginFinishing(slot)
        giveBack(lease)
        return lease
    }

    /// Hands the lease to a command that goes into the next hand-over and may end it. Until its outcome is told the
    /// lease neither runs out nor counts for another command, and its credit stays taken.
    ///
    /// - Returns: the lease, or nil where the answer is *fenced*.
    mutating func suspend(_ slot: UInt32, token: LeaseToken, sessionSlot: UInt32) -> Lease? {
        guard let lease = find(slot, token: token, sessionSlot: sessionSlot) else { return nil }
        leases.suspend(slot)
        return lease
    }

    /// Ends a live lease that the server itself has chosen: it ran out, or its session is gone.
    mutating func finish(_ slot: UInt32) -> Lease {
        let lease = leases[slot]
        leases.beginFinishing(slot)
        giveBack(lease)
        return lease
    }

    @inline(__always)
    mutating func giveBack(_ lease: Lease) {
        guard let place = subscriptions.place(lease.subscription) else { return }
        subscriptions.entries[place].subscription.creditJobs += 1
        subscriptions.entries[place].subscription.creditBytes += Int(lease.bytes)
        wait(place)
    }

    // MARK: Lanes

    mutating func addLanes(through lane: Int) {
        while lanes.count <= lane { lanes.append(Lane()) }
    }

    /// Puts the lane into the row, if a job and a taker may meet there.
    @inline(__always)
    mutating func list(_ lane: Int) {
        if !lanes[lane].isListed && lanes[lane].canProgress {
            lanes[lane].isListed = true
            listed.append(UInt32(lane))
        }
    }

    /// Puts a servable subscription into the rows of its queues, beginning with the one whose turn it is.
    @inline(__always)
    mutating func wait(_ place: Int) {
        let count = subscriptions.entries[place].isWaiting.count
        guard subscriptions.entries[place].waitingCount < count,
            subscriptions.entries[place].subscription.isServable
        else { return }
        var i = subscriptions.entries[place].next
        for _ in 0..<count {
            if !subscriptions.entries[place].isWaiting[i] {
                subscriptions.entries[place].isWaiting[i] = true
                subscriptions.entries[place].waitingCount &+= 1
                let lane = Int(subscriptions.entries[place].subscription.queues[i].rawValue)
                lanes[lane].waiters.append(
                    Lane.Waiter(
                        slot: UInt32(place),
                        generation: subscriptions.entries[place].generation,
                        queueIndex: UInt32(i)
                    )
                )
                list(lane)
            }
            i = i &+ 1 == count ? 0 : i &+ 1
        }
    }
}
