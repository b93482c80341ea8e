import PenstockEngine
import PenstockWire

// Rare walks, each O(slots).

extension LeaseTable {
    /// Calls `body` with each live lease that `isIncluded`.
    borrowing func forEachLive(
        where isIncluded: (Lease) -> Bool = { _ in true },
        _ body: (UInt32, Lease) -> Void
    ) {
        for slot in leases.indices where leases[slot].phase == .live && !leases[slot].isVacant {
            if isIncluded(leases[slot]) { body(UInt32(slot), leases[slot]) }
        }
    }

    /// Calls `body` with each lease, whatever its phase: for a reader its job is active, unless it is reserved.
    borrowing func forEachHeld(_ body: (UInt32, Lease) -> Void) {
        for slot in leases.indices where !leases[slot].isVacant { body(UInt32(slot), leases[slot]) }
    }

    /// Appends the slots of the live leases that have lasted since `time` or longer, and are to be written.
    ///
    /// One that was told of once is not told of again. `.max` takes all of them, for a clean stop.
    mutating func unwritten(grantedUpTo time: UInt64, into slots: inout [UInt32]) {
        var next = UInt64.max
        for slot in leases.indices {
            let lease = leases[slot]
            if lease.isVacant || lease.phase != .live || lease.isWriteRequested { continue }
            if lease.grantedAt <= time {
                leases[slot].isWriteRequested = true
                slots.append(UInt32(slot))
            } else {
                next = min(next, lease.grantedAt &+ writeAfter)
            }
        }
        // Each call walks over all slots: leases that come of age shortly after one another share a walk.
        nextWrite = next == .max ? .max : max(next, time &+ writeAfter &+ writeAfter / 4)
    }

    /// Appends the slots of the live and the reserved leases that have run out. The caller ends each of them.
    ///
    /// - Parameters:
    ///   - now: milliseconds of the monotonic clock.
    ///   - lastHeard: when something complete last arrived from a session, on the same clock.
    mutating func expired(now: UInt64, lastHeard: (UInt32) -> UInt64, into slots: inout [UInt32]) {
        var next = UInt64.max
        for slot in leases.indices {
            let lease = leases[slot]
            if lease.isVacant || lease.isEnding { continue }
            let deadline = lease.deadline(lastHeard: lastHeard(lease.sessionSlot))
            if deadline <= now {
                slots.append(UInt32(slot))
            } else {
                next = min(next, deadline)
            }
        }
        nextDeadline = next
    }

    /// Moves the deadlines by the time for which the server was frozen, in milliseconds. What was heard last of a
    /// session is moved by its owner.
    mutating func shift(by gap: UInt64) {
        for slot in leases.indices {
            leases[slot].grantedAt &+= gap
            if leases[slot].attemptEnd > 0 { leases[slot].attemptEnd &+= gap }
        }
        if nextDeadline != .max { nextDeadline &+= gap }
    }

    /// Frees memory where half of the slots, at the end, are vacant. For a slow timer.
    mutating func trim() {
        guard leases.count > 1024, heldCount * 4 < leases.count else { return }
        let keptCount = (leases.lastIndex { !$0.isVacant } ?? -1) + 1
        guard keptCount < leases.count / 2 else { return }
        // Into new memory: an array that only loses elements keeps what it has.
        var kept: [Lease] = []
        kept.reserveCapacity(keptCount)
        for slot in 0..<keptCount { kept.append(leases[slot]) }
        leases = kept
        vacantSlots = leases.indices.reversed().filter { leases[$0].isVacant }.map { UInt32($0) }
    }

    /// Traps where slots, index and counts disagree. For tests.
    borrowing func checkInvariants() {
        index.checkInvariants()
        var held = 0
        var live = 0
        var reserved = 0
        for slot in leases.indices where !leases[slot].isVacant {
            held += 1
            if leases[slot].isReserved {
                reserved += 1
            } else if leases[slot].phase != .finishing {
                live += 1
            }
            precondition(index.slot(of: leases[slot].job) == UInt32(slot))
            precondition(leases[slot].token != .none)
        }
        precondition(held == index.count && live == liveCount && reserved == reservedCount)
        precondition(vacantSlots.count + held == leases.count)
        for slot in vacantSlots { precondition(leases[Int(slot)].isVacant) }
    }
}
