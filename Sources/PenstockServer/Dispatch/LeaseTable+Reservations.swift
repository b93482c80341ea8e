import PenstockEngine
import PenstockWire

// Leases of jobs that were not started, as far as the server knows.

extension LeaseTable {
    /// The worker has begun a reserved job: its lease is a live one from now on, and the engine is told.
    ///
    /// - Returns: false where the slot has no reserved lease of that token and session.
    mutating func start(
        _ slot: UInt32,
        token: LeaseToken,
        sessionSlot: UInt32,
        now: UInt64,
        wall: UInt64
    ) -> Bool {
        let place = Int(slot)
        guard holds(slot, token), leases[place].sessionSlot == sessionSlot, leases[place].isReserved else {
            return false
        }
        leases[place].phase = .live
        leases[place].grantedAt = now
        leases[place].startedAt = wall
        leases[place].settled = settled
        leases[place].change = UInt32(changes.count)
        changes.append(SlotChange(slot: slot, job: leases[place].job))
        reservedCount &-= 1
        liveCount &+= 1
        nextWrite = min(nextWrite, now &+ writeAfter)
        return true
    }

    /// Asks for a reserved job back: the lease lasts for its duration from now on, and is not prolonged.
    mutating func recall(_ slot: UInt32, now: UInt64) {
        precondition(leases[Int(slot)].isReserved && !leases[Int(slot)].isVacant, "only a reserved job is recalled")
        guard leases[Int(slot)].phase == .reserved else { return }
        leases[Int(slot)].phase = .recalled
        leases[Int(slot)].grantedAt = now
        nextDeadline = min(nextDeadline, now &+ UInt64(leases[Int(slot)].lockDuration))
    }

    /// Notes how long the attempt of a reserved job may take.
    mutating func noteTimeout(_ slot: UInt32, _ milliseconds: UInt64) { leases[Int(slot)].timeout = milliseconds }

    /// Calls `body` with each reserved lease that `isIncluded`.
    ///
    /// - Complexity: O(slots), and O(1) where nothing is reserved.
    borrowing func forEachReserved(where isIncluded: (Lease) -> Bool, _ body: (UInt32, Lease) -> Void) {
        guard reservedCount > 0 else { return }
        for slot in leases.indices where !leases[slot].isVacant && leases[slot].isReserved {
            if isIncluded(leases[slot]) { body(UInt32(slot), leases[slot]) }
        }
    }
}
