import PenstockEngine

extension Dispatcher {
    /// Traps where lanes, rows and subscriptions disagree. For tests.
    ///
    /// - Complexity: O(everything).
    borrowing func checkInvariants() {
        leases.checkInvariants()
        checkLanes()
        checkSubscriptions()
    }

    private borrowing func checkLanes() {
        var listedCount = 0
        var windows = 0
        var entries = 0
        for lane in lanes.indices {
            lanes[lane].window.checkInvariants()
            lanes[lane].ring.checkInvariants()
            entries += lanes[lane].window.count + lanes[lane].ring.jobCount
            precondition(lanes[lane].window.count + lanes[lane].ring.jobCount <= windowCapacity)
            checkGroups(lane)
            if lanes[lane].isListed { listedCount += 1 }
            if lanes[lane].subscriptionCount > 0 {
                windows += 1
            } else {
                precondition(lanes[lane].window.isEmpty && lanes[lane].window.bound == .first)
                precondition(lanes[lane].ring.isEmpty && !lanes[lane].isGrouped)
                precondition(lanes[lane].waiters.isEmpty)
            }
            var stale = 0
            var isWanted = false
            for i in 0..<lanes[lane].waiters.count {
                let waiter = lanes[lane].waiters[i]
                if let place = subscriptions.place(slot: waiter.slot, generation: waiter.generation) {
                    precondition(subscriptions.entries[place].isWaiting[Int(waiter.queueIndex)])
                    isWanted = isWanted || subscriptions.entries[place].subscription.isServable
                } else {
                    stale += 1
                }
            }
            precondition(stale == lanes[lane].staleCount)
            // A job and a taker never wait for one another.
            precondition(!isWanted || !lanes[lane].mayHaveJobs || lanes[lane].isListed || lanes[lane].isShut)
            checkGate(lane)
        }
        precondition(listedCount == listed.count)
        precondition(windows == windowCount)
        precondition(entries <= configuration.entriesMax || windowCapacity == 1)
        for i in 0..<listed.count { precondition(lanes[Int(listed[i])].isListed) }
    }

    private borrowing func checkGroups(_ lane: Int) {
        if lanes[lane].isGrouped {
            precondition(lanes[lane].window.isEmpty && lanes[lane].ring.groupCount <= room.groupsMax)
        } else {
            precondition(lanes[lane].ring.isEmpty)
        }
        let limits = lanes[lane].limits
        guard lanes[lane].isLimited else { return precondition(limits.isIdle && limits.leased.isEmpty) }
        var leased: [GroupID: Int] = [:]
        leases.forEachHeld { _, lease in
            if lease.queue.rawValue == UInt32(lane) && lease.group != .none { leased[lease.group, default: 0] += 1 }
        }
        precondition(limits.leased == leased)
        for (group, _) in leased where limits.isFull(group) { precondition(lanes[lane].ring.slot(of: group) == nil) }
    }

    private borrowing func checkGate(_ lane: Int) {
        guard let gate = lanes[lane].gate else { return precondition(!lanes[lane].isShut) }
        var leased = 0
        leases.forEachHeld { _, lease in
            if lease.queue.rawValue == UInt32(lane) { leased += 1 }
        }
        precondition(gate.leased == leased)
        // Nobody waits for a gate that is open, or for a time that no timer knows.
        guard lanes[lane].isShut else { return }
        switch gate.ask(now: 0) {
        case .open: preconditionFailure("a lane is shut, and its gate is open")
        case .shut: break
        case .shutUntil(let time): precondition(nextOpening <= time || gate.ask(now: .max) == .shut)
        }
    }

    private borrowing func checkSubscriptions() {
        var waiting = 0
        for place in subscriptions.entries.indices where !subscriptions.entries[place].isVacant {
            let entry = subscriptions.entries[place]
            precondition(entry.waitingCount == entry.isWaiting.count { $0 })
            waiting += entry.waitingCount
            precondition(!entry.subscription.isServable || entry.waitingCount == entry.isWaiting.count)
        }
        var rows = 0
        for lane in lanes { rows += lane.waiters.count - lane.staleCount }
        precondition(rows == waiting)
    }
}
