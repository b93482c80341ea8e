import PenstockEngine
import PenstockWire
import TestSupport
import Testing

@testable import PenstockServer

@Suite(.computing) struct LeaseTableTests {
    @discardableResult
    private func grant(
        _ job: UInt64,
        in table: inout LeaseTable,
        session: UInt32 = 1,
        now: UInt64 = 0
    ) -> (slot: UInt32, token: LeaseToken) {
        let granted = table.grant(
            JobID(job),
            queue: QueueID(0),
            turn: Turn(priority: 0, place: job),
            subscription: .none,
            sessionSlot: session,
            lockDuration: 1000,
            now: now,
            wall: now
        )
        guard let granted else { preconditionFailure("the job has a lease") }
        return granted
    }

    private func changes(_ table: inout LeaseTable) -> [[UInt64]] {
        var changes: [SlotChange] = []
        table.takeChanges(into: &changes)
        return changes.map { [UInt64($0.slot), $0.job.rawValue] }
    }

    @Test
    func `a token is valid at its slot, in its session, while the lease is live`() {
        var table = LeaseTable(epoch: 3)
        let (slot, token) = grant(7, in: &table)
        #expect(token == LeaseToken(epoch: 3, counter: 1))
        #expect(table.find(slot, token: token, sessionSlot: 1)?.job == JobID(7))
        #expect(table.find(slot, token: token, sessionSlot: 2) == nil)
        #expect(table.find(slot + 1, token: token, sessionSlot: 1) == nil)
        #expect(table.find(slot, token: LeaseToken(epoch: 2, counter: 1), sessionSlot: 1) == nil)
        table.beginFinishing(slot)
        #expect(table.find(slot, token: token, sessionSlot: 1) == nil)
        #expect(table.slot(of: JobID(7)) == slot)
        table.free(slot)
        #expect(table.find(slot, token: token, sessionSlot: 1) == nil)
        #expect(table.find(slot, token: .none, sessionSlot: 1) == nil)
        #expect(table.slot(of: JobID(7)) == nil)
    }

    @Test
    func `a job that is finishing can't be granted`() {
        var table = LeaseTable(epoch: 1)
        let (slot, _) = grant(7, in: &table)
        table.beginFinishing(slot)
        let again = table.grant(
            JobID(7),
            queue: QueueID(0),
            turn: .first,
            subscription: .none,
            sessionSlot: 1,
            lockDuration: 1000,
            now: 0,
            wall: 0
        )
        #expect(again == nil)
        #expect(table.heldCount == 1)
        #expect(table.liveCount == 0)
        table.checkInvariants()
    }

    @Test
    func `a slot is used again, last freed first, with another token`() {
        var table = LeaseTable(epoch: 1)
        let (a, first) = grant(1, in: &table)
        let (b, _) = grant(2, in: &table)
        for slot in [a, b] {
            table.beginFinishing(slot)
            table.free(slot)
        }
        let (c, second) = grant(3, in: &table)
        #expect(c == b)
        #expect(second > first)
        #expect(grant(4, in: &table).slot == a)
        #expect(table.slotCount == 2)
        table.checkInvariants()
    }

    @Test
    func `a pending lease neither runs out nor is written, and does both when it goes on`() {
        var table = LeaseTable(epoch: 1)
        let (slot, token) = grant(7, in: &table)
        #expect(changes(&table) == [[0, 7]])
        table.suspend(slot)
        table.checkInvariants()
        #expect(table.find(slot, token: token, sessionSlot: 1) == nil)
        #expect(table.isLive(slot) == false)
        var slots: [UInt32] = []
        table.expired(now: 10_000, lastHeard: { _ in 0 }, into: &slots)
        table.unwritten(grantedUpTo: .max, into: &slots)
        #expect(slots.isEmpty && table.nextDeadline == .max && table.nextWrite == .max)
        #expect(table.hasChanges == false)
        table.goOn(slot)
        table.checkInvariants()
        #expect(table.isLive(slot) == true)
        #expect(table.nextDeadline == 1000 && table.nextWrite == 500)
        table.unwritten(grantedUpTo: .max, into: &slots)
        table.expired(now: 10_000, lastHeard: { _ in 0 }, into: &slots)
        #expect(slots == [slot, slot])
    }

    @Test
    func `a pending lease is a live one for the engine until it is freed`() {
        var table = LeaseTable(epoch: 1)
        let (a, _) = grant(7, in: &table)
        let (b, _) = grant(8, in: &table)
        #expect(changes(&table) == [[0, 7], [1, 8]])
        for slot in [a, b] { table.suspend(slot) }
        #expect(changes(&table) == [] && table.liveCount == 2)
        table.free(a)
        table.goOn(b)
        #expect(changes(&table) == [[0, 0]] && table.liveCount == 1)
        #expect(table.slot(of: JobID(7)) == nil && table.slot(of: JobID(8)) == b)
        table.checkInvariants()
    }

    @Test
    func `the engine hears of what began and what ended, in order`() {
        var table = LeaseTable(epoch: 1)
        let (a, _) = grant(1, in: &table)
        let (b, _) = grant(2, in: &table)
        #expect(changes(&table) == [[0, 1], [1, 2]])
        #expect(table.hasChanges == false)
        table.beginFinishing(b)
        table.revoke(a)
        grant(3, in: &table)
        #expect(table.hasChanges == true)
        #expect(changes(&table) == [[1, 0], [0, 0], [0, 3]])
    }

    @Test
    func `a lease that began and ended since the last hand-over is not told of`() {
        var table = LeaseTable(epoch: 1)
        let (a, _) = grant(1, in: &table)
        table.beginFinishing(a)
        #expect(table.hasChanges == false)
        #expect(changes(&table) == [])
        table.free(a)
        grant(2, in: &table)
        #expect(changes(&table) == [[0, 2]])
    }

    @Test
    func `a job that is granted twice at one slot between hand-overs is told of once`() {
        var table = LeaseTable(epoch: 1)
        let (a, _) = grant(1, in: &table)
        _ = changes(&table)
        table.revoke(a)
        table.revoke(grant(1, in: &table).slot)
        grant(1, in: &table)
        #expect(changes(&table) == [[0, 0], [0, 1]])
    }

    @Test
    func `changes are appended to those that wait already`() {
        var table = LeaseTable(epoch: 1)
        grant(1, in: &table)
        var waiting = [SlotChange(slot: 9, job: JobID(9))]
        table.takeChanges(into: &waiting)
        #expect(waiting.map(\.slot) == [9, 0])
    }

    @Test
    func `a lease runs out when neither grant nor session is young enough`() {
        var table = LeaseTable(epoch: 1)
        let (a, _) = grant(1, in: &table, session: 1, now: 100)
        let (b, _) = grant(2, in: &table, session: 2, now: 100)
        let (c, _) = grant(3, in: &table, session: 2, now: 900)
        #expect(table.nextDeadline == 1100)
        var slots: [UInt32] = []
        table.expired(now: 1100, lastHeard: { $0 == 1 ? 500 : 50 }, into: &slots)
        #expect(slots == [b])
        #expect(table.nextDeadline == 1500)
        table.beginFinishing(b)
        slots = []
        table.expired(now: 1900, lastHeard: { $0 == 1 ? 500 : 50 }, into: &slots)
        #expect(slots == [a, c])
        #expect(table.nextDeadline == .max)
    }

    @Test
    func `a server that was frozen moves the deadlines`() {
        var table = LeaseTable(epoch: 1)
        grant(1, in: &table, now: 100)
        table.shift(by: 5000)
        #expect(table.nextDeadline == 6100)
        var slots: [UInt32] = []
        table.expired(now: 6099, lastHeard: { _ in 0 }, into: &slots)
        #expect(slots == [])
        table.expired(now: 6100, lastHeard: { _ in 0 }, into: &slots)
        #expect(slots == [0])
    }

    @Test
    func `a lease is to be written once, when it is old enough and live`() {
        var table = LeaseTable(epoch: 1, writeAfter: 500)
        let (a, _) = grant(1, in: &table, now: 100)
        let (b, _) = grant(2, in: &table, now: 150)
        let (c, _) = grant(3, in: &table, now: 300)
        #expect(table.nextWrite == 600)
        table.beginFinishing(b)
        var slots: [UInt32] = []
        table.unwritten(grantedUpTo: 200, into: &slots)
        #expect(slots == [a])
        #expect(table.nextWrite == 825)  // a quarter of the age later, so that others of about that age share the walk
        slots = []
        table.unwritten(grantedUpTo: .max, into: &slots)
        #expect(slots == [c])
        #expect(table.nextWrite == .max)
    }

    @Test
    func `a restored lease keeps its token and slot, has its full duration, and is not written again`() {
        var table = LeaseTable(epoch: 5)
        let token = LeaseToken(epoch: 4, counter: 77)
        let slot: UInt32 = 3
        table.restore(
            JobID(9),
            token: token,
            queue: QueueID(2),
            turn: Turn(priority: 1, place: 9),
            flow: FlowID(3),
            sessionSlot: 8,
            lockDuration: 2000,
            now: 10_000,
            startedAt: 55,
            at: slot
        )
        #expect(table.find(slot, token: token, sessionSlot: 8)?.flow == FlowID(3))
        #expect(table.nextDeadline == 12_000)
        #expect(table.nextWrite == .max)
        var slots: [UInt32] = []
        table.unwritten(grantedUpTo: .max, into: &slots)
        #expect(slots == [])
        #expect(changes(&table) == [[UInt64(slot), 9]])
        #expect(Set([grant(1, in: &table).slot, grant(2, in: &table).slot, grant(4, in: &table).slot]) == [0, 1, 2])
        table.checkInvariants()
    }

    @Test
    func `leases are walked by session, by queue and by flow`() {
        var table = LeaseTable(epoch: 1)
        let (a, _) = grant(1, in: &table, session: 1)
        let (b, _) = grant(2, in: &table, session: 2)
        let (c, _) = grant(3, in: &table, session: 1)
        table.note(b, flow: FlowID(4), bytes: 10)
        var found: [UInt32] = []
        table.forEachLive(where: { $0.sessionSlot == 1 }) { slot, _ in found.append(slot) }
        #expect(found == [a, c])
        found = []
        table.forEachLive(where: { $0.flow == FlowID(4) }) { slot, _ in found.append(slot) }
        #expect(found == [b])
        table.beginFinishing(c)
        found = []
        table.forEachLive { slot, _ in found.append(slot) }
        #expect(found == [a, b])
        found = []
        table.forEachHeld { slot, _ in found.append(slot) }
        #expect(found == [a, b, c])
    }

    @Test
    func `memory of many leases that have ended is freed, and what is held stays valid`() {
        var table = LeaseTable(epoch: 1)
        for job in 1...5000 as ClosedRange<UInt64> { grant(job, in: &table) }
        let token = table[10].token
        for slot in 0..<5000 as Range<UInt32> where slot != 10 { table.revoke(slot) }
        table.trim()
        #expect(table.slotCount == 11)
        #expect(table.capacityHeld < 100)
        #expect(table.find(10, token: token, sessionSlot: 1) != nil)
        #expect(table.find(4000, token: token, sessionSlot: 1) == nil)
        // A request to write it may still name it.
        #expect(table.isLive(10) && !table.isLive(4000))
        table.checkInvariants()
        #expect(grant(9000, in: &table).slot == 0)
    }
}
