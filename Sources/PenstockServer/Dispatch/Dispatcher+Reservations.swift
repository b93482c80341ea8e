import PenstockEngine
import PenstockWire

/// Jobs that are reserved for workers that prefetch.
extension Dispatcher {
    /// Begins the time of the attempt that was granted just now, or notes it where the job is reserved.
    mutating func beginAttempt(_ slot: UInt32, _ timeout: UInt64, now: UInt64) {
        if leases[slot].isReserved { leases.noteTimeout(slot, timeout) } else { limit(slot, until: now &+ timeout) }
    }

    /// The worker has begun a reserved job.
    ///
    /// - Returns: false where the lease is gone, or is no reserved one: there is nothing to be done then.
    @discardableResult
    mutating func start(_ slot: UInt32, token: LeaseToken, sessionSlot: UInt32, now: UInt64, wall: UInt64) -> Bool {
        guard leases.start(slot, token: token, sessionSlot: sessionSlot, now: now, wall: wall) else { return false }
        let lease = leases[slot]
        if lease.timeout > 0 { limit(slot, until: now &+ lease.timeout) }
        let lane = Int(lease.queue.rawValue)
        if lanes[lane].gate?.hasConcurrency == true && leases.requestWrite(slot) { writeRequests.append(slot) }
        startedJobs.append(lease)
        return true
    }

    /// A worker that has not said so before has begun its job: when it was delivered, as far as anybody can know.
    @inline(never)
    mutating func startUnsaid(_ slot: UInt32, token: LeaseToken, sessionSlot: UInt32) -> Lease? {
        guard leases.holds(slot, token) else { return nil }
        let lease = leases[slot]
        let isStarted = start(
            slot,
            token: token,
            sessionSlot: sessionSlot,
            now: lease.grantedAt,
            wall: lease.startedAt
        )
        return isStarted ? leases[slot] : nil
    }

    /// Ends a reserved lease: its job goes back to its turn, as if it had never been granted.
    ///
    /// Nothing is to be made durable for that. The job may not be ready at that turn any more, by a commit whose outcome is
    /// not told yet; a delivery finds that out, and the outcome withdraws it.
    @discardableResult
    mutating func cancelReservation(_ slot: UInt32) -> Lease {
        let lease = leases.revoke(slot)
        freeSlot(of: lease)
        giveBack(lease)
        announce([ReadyEntry(queue: lease.queue, group: lease.group, turn: lease.turn, job: lease.job)])
        return lease
    }

    /// Ends the reserved leases of a subscription that has ended.
    mutating func cancelReservations(of subscription: SubscriptionID) {
        var slots: [UInt32] = []
        leases.forEachReserved(where: { $0.subscription == subscription }) { slot, _ in slots.append(slot) }
        for slot in slots { cancelReservation(slot) }
    }

    /// Asks for the reserved jobs of the queue back.
    ///
    /// - Returns: the leases, also those that were asked for before.
    mutating func recall(_ queue: QueueID, now: UInt64) -> [Lease] {
        var recalled: [(UInt32, Lease)] = []
        leases.forEachReserved(where: { $0.queue == queue }) { slot, lease in recalled.append((slot, lease)) }
        for (slot, _) in recalled { leases.recall(slot, now: now) }
        return recalled.map(\.1)
    }

    /// The reserved jobs that were started since it was asked last.
    mutating func takeStartedJobs() -> [Lease] {
        defer { startedJobs.removeAll(keepingCapacity: true) }
        return startedJobs
    }

    // MARK: Where nobody prefetches

    /// The queue has a bound with which prefetch does not go together.
    ///
    /// Whatever else comes to bound how many jobs of a queue, or of a part of it, run at a time is asked for here too.
    func forbidsPrefetch(_ queue: QueueID) -> Bool {
        let lane = Int(queue.rawValue)
        return lane < lanes.count && (lanes[lane].gate?.forbidsPrefetch == true || lanes[lane].isLimited)
    }

    /// Somebody prefetches from the queue.
    ///
    /// - Complexity: O(subscriptions of the server, and their queues).
    func isPrefetched(_ queue: QueueID) -> Bool {
        subscriptions.entries.contains {
            !$0.isVacant && $0.subscription.prefetches && $0.subscription.queues.contains(queue)
        }
    }
}
