import PenstockEngine
import PenstockWire

extension Dispatcher {
    /// Grants jobs while credits and jobs meet.
    ///
    /// The lanes take turns of one job each. In its turn a lane gives to the
    /// subscription that has waited longest; a subscription of several queues
    /// then takes from the next of them that has a job.
    ///
    /// - Parameters:
    ///   - now: milliseconds of the monotonic clock.
    ///   - wall: milliseconds of the wall clock.
    ///   - grantsMax: turns after which the loop is given back. A refill is part of a turn.
    ///   - source: a snapshot not older than the last outcome told, and the connections.
    /// - Returns: true where more could be done.
    /// - Complexity: O(1) for each grant, and O(queues of the subscription) where it has several. Lanes without
    ///   credits or without jobs cost nothing.
    mutating func run<Source: DispatchSource & ~Copyable & ~Escapable>(
        now: UInt64,
        wall: UInt64,
        grantsMax: Int = 1024,
        source: inout Source
    ) -> Bool {
        var turns = 0
        while let lane = listed.first {
            if turns == grantsMax { return true }
            turns &+= 1
            if takeTurn(Int(lane), now: now, wall: wall, source: &source) {
                listed.rotate()
            } else {
                listed.removeFirst()
                lanes[Int(lane)].isListed = false
            }
        }
        return false
    }

    /// Grants one job to the lane's next waiter. Returns false where nothing can meet here now.
    @inline(__always)
    private mutating func takeTurn<Source: DispatchSource & ~Copyable & ~Escapable>(
        _ lane: Int,
        now: UInt64,
        wall: UInt64,
        source: inout Source
    ) -> Bool {
        guard let waiter = nextWaiter(lane) else { return false }
        let place = Int(waiter.slot)
        guard let queueIndex = chooseQueue(waiter, now: now, source: &source) else {
            // Its gate is shut, or whatever the last refill read has a lease: then the next turn reads on.
            return lanes[lane].canProgress && lanes[lane].mayReadOn
        }
        let queue = subscriptions.entries[place].subscription.queues[queueIndex]
        grant(queue, queueIndex: queueIndex, to: place, now: now, wall: wall, source: &source)
        if subscriptions.entries[place].subscription.isServable {
            lanes[lane].waiters.rotate()
        } else {
            removeFirstWaiter(lane, place: place)
        }
        return lanes[lane].canProgress
    }

    /// The first waiter that can be given a job; those before it that can't leave the row.
    @inline(__always)
    private mutating func nextWaiter(_ lane: Int) -> Lane.Waiter? {
        while let waiter = lanes[lane].waiters.first {
            if let place = subscriptions.place(slot: waiter.slot, generation: waiter.generation) {
                if subscriptions.entries[place].subscription.isServable { return waiter }
                removeFirstWaiter(lane, place: place)
            } else {
                lanes[lane].waiters.removeFirst()
                lanes[lane].staleCount -= 1
            }
        }
        return nil
    }

    @inline(__always)
    private mutating func removeFirstWaiter(_ lane: Int, place: Int) {
        let index = Int(lanes[lane].waiters[0].queueIndex)
        lanes[lane].waiters.removeFirst()
        subscriptions.entries[place].isWaiting[index] = false
        subscriptions.entries[place].waitingCount &-= 1
    }

    /// The waiter's next queue that has a job to grant, or nil.
    @inline(__always)
    private mutating func chooseQueue<Source: DispatchSource & ~Copyable & ~Escapable>(
        _ waiter: Lane.Waiter,
        now: UInt64,
        source: inout Source
    ) -> Int? {
        let place = Int(waiter.slot)
        let count = subscriptions.entries[place].isWaiting.count
        var i = subscriptions.entries[place].next
        for _ in 0..<count {
            let queue = subscriptions.entries[place].subscription.queues[i]
            if mayGrant(queue, now: now) && hasJob(queue, source: &source) { return i }
            i = i &+ 1 == count ? 0 : i &+ 1
        }
        return nil
    }

    /// The tests of a grant, in this order: pause, rate, concurrency of the queue. A group at its limit is in no ring.
    ///
    /// A queue that fails one leaves the row until what it waits for may have come, and is then listed again.
    @inline(__always)
    private mutating func mayGrant(_ queue: QueueID, now: UInt64) -> Bool {
        let lane = Int(queue.rawValue)
        return lanes[lane].gate == nil || ask(lane, now: now)
    }

    /// The window has a job: if it is empty, and the index may have more, after one refill.
    @inline(__always)
    private mutating func hasJob<Source: DispatchSource & ~Copyable & ~Escapable>(
        _ queue: QueueID,
        source: inout Source
    ) -> Bool {
        let lane = Int(queue.rawValue)
        if lanes[lane].isGrouped { return hasGroupJob(queue, source: &source) }
        if lanes[lane].window.needsRefill { refill(queue, source: &source) }
        return lanes[lane].isGrouped ? hasGroupJob(queue, source: &source) : !lanes[lane].window.isEmpty
    }

    /// Reads on from the window's bound. What has a lease is skipped, so that the window may be empty still.
    private mutating func refill<Source: DispatchSource & ~Copyable & ~Escapable>(
        _ queue: QueueID,
        source: inout Source
    ) {
        let lane = Int(queue.rawValue)
        if !lanes[lane].hasLookedForGroups {
            lanes[lane].hasLookedForGroups = true
            if source.hasGroups(queue) { return beginRounds(lane) }
        }
        guard let bound = lanes[lane].window.bound else { return }
        scratch.removeAll(keepingCapacity: true)
        let limit = min(windowCapacity, configuration.refillEntriesMax)
        let isExhausted = source.read(queue: queue, group: .none, from: bound, limit: limit, into: &scratch)
        precondition(scratch.count <= limit && (isExhausted || !scratch.isEmpty), "a source reads what there is")
        for i in scratch.indices where leases.slot(of: scratch[i].job) == nil {
            lanes[lane].window.extend(scratch[i].turn, scratch[i].job)
        }
        if isExhausted {
            lanes[lane].window.coverAll()
        } else {
            lanes[lane].window.cover(through: scratch[scratch.count - 1].turn)
        }
    }

    /// Gives the queue's first job to the subscription.
    @inline(__always)
    private mutating func grant<Source: DispatchSource & ~Copyable & ~Escapable>(
        _ queue: QueueID,
        queueIndex: Int,
        to place: Int,
        now: UInt64,
        wall: UInt64,
        source: inout Source
    ) {
        let lane = Int(queue.rawValue)
        guard let (group, item) = firstJob(lane) else { preconditionFailure("a queue without a job was chosen") }
        let id = subscriptions.id(at: place)
        let sessionSlot = subscriptions.entries[place].subscription.sessionSlot
        guard
            let (slot, token) = leases.grant(
                item.job,
                queue: queue,
                group: group,
                turn: item.turn,
                subscription: id,
                sessionSlot: sessionSlot,
                lockDuration: subscriptions.entries[place].subscription.lockDuration,
                isReserved: subscriptions.entries[place].subscription.prefetches,
                now: now,
                wall: wall
            )
        else {
            // It was granted at another turn: what ends that lease announces the job again.
            dropFirstJob(lane)
            return
        }
        let grant = Grant(
            entry: ReadyEntry(queue: queue, group: group, turn: item.turn, job: item.job),
            slot: slot,
            token: token,
            subscription: id,
            connection: subscriptions.entries[place].subscription.connection,
            sessionSlot: sessionSlot,
            stream: subscriptions.entries[place].subscription.stream,
            queueIndex: queueIndex
        )
        switch source.deliver(grant) {
        case .sent(let bytes, let flow, let timeout):
            // A job without data takes a byte too, so that credits always end.
            let taken = max(1, bytes)
            leases.note(slot, flow: flow, bytes: UInt32(taken))
            if timeout > 0 { beginAttempt(slot, timeout, now: now) }
            serveFirstJob(lane)
            subscriptions.entries[place].subscription.creditJobs -= 1
            subscriptions.entries[place].subscription.creditBytes -= taken
            if lanes[lane].gate != nil || lanes[lane].isLimited { pass(lane, group, slot, now: now) }
            subscriptions.entries[place].took(from: queueIndex)
        case .gone:
            leases.revoke(slot)
            dropFirstJob(lane)
        case .noRoom:
            leases.revoke(slot)
            subscriptions.entries[place].subscription.isBlocked = true
        }
    }

    // MARK: The first job

    @inline(__always)
    private func firstJob(_ lane: Int) -> (GroupID, ReadyWindow.Item)? {
        if lanes[lane].isGrouped {
            guard let first = lanes[lane].ring.first, let item = first.item else { return nil }
            return (first.group, item)
        }
        return lanes[lane].window.first.map { (.none, $0) }
    }

    /// The first job was granted.
    @inline(__always)
    private mutating func serveFirstJob(_ lane: Int) {
        if lanes[lane].isGrouped { return lanes[lane].ring.serveFirst() }
        lanes[lane].window.removeFirst()
        // Should groups come, the jobs without one have had their turn.
        lanes[lane].ring.position = GroupID(1)
    }

    /// The first job is not ready any more.
    @inline(__always)
    private mutating func dropFirstJob(_ lane: Int) {
        if lanes[lane].isGrouped { lanes[lane].ring.dropFirst() } else { lanes[lane].window.removeFirst() }
    }
}
