import PenstockEngine
import PenstockWire

/// Every lease of the server, by slot: a token with its slot is looked up by one array index.
///
/// A lease goes through
///
///     grant -> live -> beginFinishing -> finishing -> free
///               |\---> revoke ---------------------> (gone)
///               \----> suspend -> pending ---------> free
///               ^--- goOn ----------/
///
/// where the job of a worker that prefetches is *reserved* first:
///
///     grant -> reserved -> recall -> recalled
///                  \-> start -> live <-/           each can be revoked
///
/// For the engine a reserved job has no lease: to begin with, it may be run or
/// not. So no reservation is ever written, and its end needs no command.
///
/// *Pending* is the time of a command that may end the lease or not: only its
/// outcome tells. For the engine such a lease is a live one, until the command
/// itself ends it.
///
/// *Finishing* is the time from the hand-over of the command that ends it until
/// that is durable. The job stays in the table for so long, so that nobody
/// grants it again from an index that still has it. A slot is used again at
/// once, last freed first, and is told from its earlier leases by the token.
///
/// **Changes.** The engine has to know the live leases as of each hand-over. The
/// table gathers what began and what ended since the last one, in order. A lease
/// that began and ended in between is struck out, so that the short-lived ones,
/// which are nearly all, cost the engine nothing.
///
/// Invariants: a job has at most one lease; applied to what the engine held, the
/// changes give the leases that are live or pending.
struct LeaseTable: ~Copyable {
    /// Raised durably at every start of the server.
    let epoch: UInt64
    /// Milliseconds after which a lease is to be written.
    let writeAfter: UInt64

    /// The last commit whose outcome was told.
    var settled: UInt64 = 0

    var leases: [Lease] = []
    var vacantSlots: [UInt32] = []
    var index = JobSlotIndex()
    private var counter: UInt64 = 0
    /// Leases that are live or pending.
    var liveCount = 0
    /// Leases that are reserved or recalled.
    var reservedCount = 0

    var changes: [SlotChange] = []
    private var struckOutCount = 0

    /// No live lease ends before this time: when a timer is to call ``expired(now:lastHeard:into:)``, which raises it.
    var nextDeadline = UInt64.max
    /// No lease has to be written before this time: when a timer is to call ``unwritten(grantedUpTo:into:)``.
    var nextWrite = UInt64.max

    init(epoch: UInt64, writeAfter: UInt64 = 500) {
        self.epoch = epoch
        self.writeAfter = writeAfter
    }

    /// Leases, whatever their phase.
    var heldCount: Int { index.count }

    /// Slots, vacant ones included.
    var slotCount: Int { leases.count }

    /// Slots for which memory is held.
    var capacityHeld: Int { leases.capacity }

    /// The lease at a slot that is not vacant.
    subscript(slot: UInt32) -> Lease {
        precondition(!leases[Int(slot)].isVacant, "the slot is vacant")
        return leases[Int(slot)]
    }

    /// The slot of the job's lease, whatever its phase.
    @inline(__always)
    borrowing func slot(of job: JobID) -> UInt32? { index.slot(of: job) }

    /// The lease that a worker names, or nil where the answer is *fenced*: it is stale, another session's, pending or
    /// finishing.
    @inline(__always)
    borrowing func find(_ slot: UInt32, token: LeaseToken, sessionSlot: UInt32) -> Lease? {
        guard Int(slot) < leases.count else { return nil }
        let lease = leases[Int(slot)]
        guard lease.token == token, lease.sessionSlot == sessionSlot, lease.phase == .live, !lease.isVacant else {
            return nil
        }
        return lease
    }

    // MARK: Beginning

    /// Grants a job, or reserves it. Returns the slot and token, or nil where the job has a lease.
    @inline(__always)
    mutating func grant(
        _ job: JobID,
        queue: QueueID,
        group: GroupID = .none,
        turn: Turn,
        subscription: SubscriptionID,
        sessionSlot: UInt32,
        lockDuration: UInt32,
        isReserved: Bool = false,
        now: UInt64,
        wall: UInt64
    ) -> (slot: UInt32, token: LeaseToken)? {
        let slot = vacantSlots.last ?? UInt32(leases.count)
        guard index.insert(job, slot: slot) else { return nil }
        counter += 1
        var lease = Lease(
            job: job,
            token: LeaseToken(epoch: epoch, counter: counter),
            turn: turn,
            flow: .none,
            grantedAt: now,
            startedAt: wall,
            subscription: subscription,
            queue: queue,
            group: group,
            sessionSlot: sessionSlot,
            bytes: 0,
            lockDuration: lockDuration,
            change: UInt32(changes.count)
        )
        lease.settled = settled
        if isReserved { lease.phase = .reserved }
        place(lease, at: slot)
        if !isReserved { nextWrite = min(nextWrite, now &+ writeAfter) }
        return (slot, lease.token)
    }

    /// Enters a lease that an earlier run of the server wrote. It keeps its token and its slot, which its worker goes
    /// on to echo, and has its full duration again.
    ///
    /// - Parameter now: the monotonic clock's milliseconds; the deadline counts from there.
    mutating func restore(
        _ job: JobID,
        token: LeaseToken,
        queue: QueueID,
        group: GroupID = .none,
        turn: Turn,
        flow: FlowID,
        sessionSlot: UInt32,
        lockDuration: UInt32,
        now: UInt64,
        startedAt: UInt64,
        at slot: UInt32
    ) {
        precondition(token != .none && token < LeaseToken(epoch: epoch, counter: 0), "a token of an earlier run")
        makeVacant(slot)
        let isNew = index.insert(job, slot: slot)
        precondition(isNew, "a job has at most one lease")
        let lease = Lease(
            job: job,
            token: token,
            turn: turn,
            flow: flow,
            grantedAt: now,
            startedAt: startedAt,
            subscription: .none,
            queue: queue,
            group: group,
            sessionSlot: sessionSlot,
            bytes: 0,
            lockDuration: lockDuration,
            change: UInt32(changes.count),
            isWriteRequested: true
        )
        leases[Int(slot)] = lease
        vacantSlots.removeAll { $0 == slot }
        enter(lease, at: slot)
    }

    /// Makes sure that there is such a slot, and that it is vacant.
    private mutating func makeVacant(_ slot: UInt32) {
        precondition(slot < Self.slotsMax, "a slot that was never given out")
        while leases.count <= Int(slot) {
            vacantSlots.append(UInt32(leases.count))
            leases.append(.vacant)
        }
        precondition(leases[Int(slot)].isVacant, "a slot holds one lease")
    }

    /// Beyond any table that fits memory: what names such a slot is damaged.
    static let slotsMax: UInt32 = 1 << 24

    @inline(__always)
    private mutating func place(_ lease: Lease, at slot: UInt32) {
        if Int(slot) < leases.count {
            vacantSlots.removeLast()
            leases[Int(slot)] = lease
        } else {
            leases.append(lease)
        }
        enter(lease, at: slot)
    }

    @inline(__always)
    private mutating func enter(_ lease: Lease, at slot: UInt32) {
        nextDeadline = min(nextDeadline, lease.grantedAt &+ UInt64(lease.lockDuration))
        if lease.phase == .reserved {
            reservedCount &+= 1
        } else {
            liveCount &+= 1
            changes.append(SlotChange(slot: slot, job: lease.job))
        }
    }

    /// Notes what the job's row told, and what credit the lease took.
    @inline(__always)
    mutating func note(_ slot: UInt32, flow: FlowID, bytes: UInt32) {
        leases[Int(slot)].flow = flow
        leases[Int(slot)].bytes = bytes
    }

    /// Notes when the lease's attempt has to have ended.
    mutating func limit(_ slot: UInt32, until deadline: UInt64) { leases[Int(slot)].attemptEnd = deadline }

    /// True where the slot has the lease of this token, whatever its phase.
    func holds(_ slot: UInt32, _ token: LeaseToken) -> Bool {
        Int(slot) < leases.count && leases[Int(slot)].token == token && !leases[Int(slot)].isVacant
    }

    // MARK: Ending

    /// The command that ends the lease goes into this hand-over: the lease is fenced, and has left the engine's set.
    @inline(__always)
    mutating func beginFinishing(_ slot: UInt32) {
        precondition(leases[Int(slot)].phase == .live && !leases[Int(slot)].isVacant, "only a live lease ends")
        leases[Int(slot)].phase = .finishing
        liveCount &-= 1
        noteEnd(slot)
    }

    /// What ended the lease is durable: the slot is vacant, and the job may be granted again.
    @inline(__always)
    @discardableResult
    mutating func free(_ slot: UInt32) -> Lease {
        let lease = leases[Int(slot)]
        precondition(lease.isEnding && !lease.isVacant, "only a finishing or a pending lease is freed")
        if lease.phase == .pending {
            liveCount &-= 1
            noteEnd(slot)
        }
        vacate(slot)
        return lease
    }

    /// A command goes into this hand-over that may end the lease: its outcome frees the slot, or lets the lease go on.
    mutating func suspend(_ slot: UInt32) {
        precondition(leases[Int(slot)].phase == .live && !leases[Int(slot)].isVacant, "only a live lease is suspended")
        leases[Int(slot)].phase = .pending
    }

    /// The command has not ended the lease: it is live again, with the deadline that it would have had.
    mutating func goOn(_ slot: UInt32) {
        let lease = leases[Int(slot)]
        precondition(lease.phase == .pending && !lease.isVacant, "only a pending lease goes on")
        leases[Int(slot)].phase = .live
        nextDeadline = min(nextDeadline, lease.grantedAt &+ UInt64(lease.lockDuration))
        if !lease.isWriteRequested { nextWrite = min(nextWrite, lease.grantedAt &+ writeAfter) }
    }

    /// Marks a lease as one whose writing is asked for; false where it was already.
    mutating func requestWrite(_ slot: UInt32) -> Bool {
        if leases[Int(slot)].isWriteRequested { return false }
        leases[Int(slot)].isWriteRequested = true
        return true
    }

    /// True where the slot holds a live lease.
    func isLive(_ slot: UInt32) -> Bool {
        // A slot at the end may have been trimmed away since.
        Int(slot) < leases.count && !leases[Int(slot)].isVacant && leases[Int(slot)].phase == .live
    }

    /// Ends a live or a reserved lease at once: it was never given, its job was not started, or a durable command took the
    /// job away.
    @discardableResult
    mutating func revoke(_ slot: UInt32) -> Lease {
        let lease = leases[Int(slot)]
        precondition(!lease.isEnding && !lease.isVacant, "only a live or a reserved lease is revoked")
        if lease.isReserved {
            reservedCount &-= 1
        } else {
            liveCount &-= 1
            noteEnd(slot)
        }
        vacate(slot)
        return lease
    }

    @inline(__always)
    private mutating func vacate(_ slot: UInt32) {
        index.remove(leases[Int(slot)].job)
        leases[Int(slot)].job = .none
        leases[Int(slot)].token = .none
        vacantSlots.append(slot)
    }

    @inline(__always)
    private mutating func noteEnd(_ slot: UInt32) {
        let began = Int(leases[Int(slot)].change)
        // The lease has been live since it was granted: so if this entry names its slot, it is its grant.
        if began < changes.count, changes[began].slot == slot {
            changes[began].slot = Self.struckOut
            struckOutCount &+= 1
        } else {
            changes.append(SlotChange(slot: slot, job: .none))
        }
    }

    // MARK: Changes

    private static let struckOut = UInt32.max

    /// There is something to tell the engine.
    var hasChanges: Bool { changes.count > struckOutCount }

    /// Appends what began and ended since the last call, in order.
    mutating func takeChanges(into taken: inout [SlotChange]) {
        if struckOutCount == 0 && taken.isEmpty {
            swap(&changes, &taken)
        } else if struckOutCount < changes.count {
            for change in changes where change.slot != Self.struckOut { taken.append(change) }
        }
        changes.removeAll(keepingCapacity: true)
        struckOutCount = 0
    }
}
