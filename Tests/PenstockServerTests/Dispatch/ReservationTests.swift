import PenstockEngine
import PenstockWire
import TestSupport
import Testing

@testable import PenstockServer

/// Jobs that were granted to a worker which prefetches, and that it has not said to have started.
@Suite(.computing) struct ReservationTests {
    private var dispatcher: Dispatcher { Dispatcher(epoch: 1, configuration: Dispatcher.smallWindows) }
    private let queue = QueueID(0)

    private func changes(_ dispatcher: inout Dispatcher) -> [[UInt64]] {
        var changes: [SlotChange] = []
        dispatcher.leases.takeChanges(into: &changes)
        return changes.map { [UInt64($0.slot), $0.job.rawValue] }
    }

    @discardableResult
    private func start(_ grant: Grant, _ dispatcher: inout Dispatcher, session: UInt32 = 1, now: UInt64 = 0) -> Bool {
        dispatcher.start(grant.slot, token: grant.token, sessionSlot: session, now: now, wall: now)
    }

    @Test
    func `the engine hears of a reserved job when it is started, and not of one that goes back`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 3, prefetches: true)
        dispatcher.announce(source.add(1...3))
        #expect(dispatcher.grantAll(&source) == [1, 2, 3])
        #expect(dispatcher.leases.reservedCount == 3 && dispatcher.leases.liveCount == 0)
        #expect(changes(&dispatcher) == [])
        #expect(start(source.grants[1], &dispatcher))
        dispatcher.cancelReservation(source.grants[2].slot)
        #expect(changes(&dispatcher) == [[1, 2]])
        #expect(dispatcher.leases.reservedCount == 1 && dispatcher.leases.liveCount == 1)
        dispatcher.complete(source.grants[1], &source)
        #expect(changes(&dispatcher) == [[1, 0]])
        dispatcher.checkInvariants()
    }

    @Test
    func `a reserved job is nobody else's, and goes back to its turn with its credit`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let first = dispatcher.subscribe(jobs: 2, prefetches: true)
        dispatcher.announce(source.add(1...4))
        #expect(dispatcher.grantAll(&source) == [1, 2])
        let second = source.grants[1]
        dispatcher.cancelReservation(source.grants[0].slot)
        #expect(dispatcher.subscription(first)?.creditJobs == 1)
        // It is before the third in its turn again.
        #expect(dispatcher.grantAll(&source) == [1])
        dispatcher.cancelReservation(second.slot)
        #expect(dispatcher.grantAll(&source) == [2])
        _ = dispatcher.subscribe(jobs: 5)
        #expect(dispatcher.grantAll(&source) == [3, 4])
    }

    @Test
    func `a job that goes back to a queue whose window is full, or that nobody serves, is left to the index`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 10, prefetches: true)
        dispatcher.announce(source.add(1...10))
        #expect(dispatcher.grantAll(&source) == Array(1...10))
        let slots = source.grants.map(\.slot)
        dispatcher.unsubscribe(id)
        dispatcher.checkInvariants()
        for slot in slots.prefix(5) { dispatcher.cancelReservation(slot) }
        _ = dispatcher.subscribe(jobs: 10, prefetches: true)
        for slot in slots.suffix(5).reversed() { dispatcher.cancelReservation(slot) }
        dispatcher.checkInvariants()
        #expect(dispatcher.grantAll(&source) == Array(1...10))
    }

    @Test
    func `a start counts in its session, with its token, and once`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 1, prefetches: true)
        dispatcher.announce(source.add([7]))
        #expect(dispatcher.grantAll(&source) == [7])
        let grant = source.grants[0]
        #expect(!start(grant, &dispatcher, session: 2))
        let other = LeaseToken(epoch: 1, counter: 9)
        let isOther = dispatcher.start(grant.slot, token: other, sessionSlot: 1, now: 0, wall: 0)
        let isElsewhere = dispatcher.start(99, token: grant.token, sessionSlot: 1, now: 0, wall: 0)
        #expect(!isOther && !isElsewhere)
        #expect(start(grant, &dispatcher))
        #expect(!start(grant, &dispatcher))
        dispatcher.complete(grant, &source)
        #expect(!start(grant, &dispatcher))
        #expect(dispatcher.leases.heldCount == 0)
    }

    @Test
    func `what a worker does under a reserved lease says that its job was started`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 3, prefetches: true)
        dispatcher.announce(source.add(1...3))
        _ = dispatcher.grantAll(&source)
        let grants = source.grants
        #expect(dispatcher.finish(grants[0].slot, token: grants[0].token, sessionSlot: 2) == nil)
        dispatcher.complete(grants[0], &source)
        let suspended = dispatcher.suspend(grants[1].slot, token: grants[1].token, sessionSlot: 1)
        #expect(suspended?.job == JobID(2))
        let found = dispatcher.find(grants[2].slot, token: grants[2].token, sessionSlot: 1)
        #expect(found?.phase == .live)
        #expect(dispatcher.leases.reservedCount == 0 && dispatcher.leases.liveCount == 2)
        dispatcher.checkInvariants()
    }

    @Test
    func `a command that takes a reserved job away ends its lease, and stale news do not`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 1, prefetches: true)
        let entries = source.add([7])
        dispatcher.announce(entries)
        #expect(dispatcher.grantAll(&source) == [7])
        // The refill may have seen it before this was told.
        dispatcher.announce(entries)
        #expect(dispatcher.grantAll(&source) == [])
        var revoked: [Revocation] = []
        let elsewhere = ReadyEntry(queue: queue, turn: Turn(priority: 3, place: 7), job: JobID(7))
        dispatcher.withdraw([elsewhere], revoked: &revoked)
        #expect(revoked.isEmpty)
        dispatcher.withdraw(entries, revoked: &revoked)
        #expect(revoked.map(\.lease.job) == [JobID(7)])
        #expect(dispatcher.leases.heldCount == 0)
        dispatcher.checkInvariants()
    }

    // MARK: Time

    @Test
    func `the time of an attempt begins with its start`() {
        var dispatcher = dispatcher
        var source = TestSource()
        source.timeout = 100
        _ = dispatcher.subscribe(jobs: 1, prefetches: true)
        dispatcher.announce(source.add([7]))
        #expect(dispatcher.grantAll(&source) == [7])
        #expect(dispatcher.timeouts.next == .max)
        start(source.grants[0], &dispatcher, now: 5000)
        #expect(dispatcher.timeouts.next == 5100)
        #expect(dispatcher.leases[source.grants[0].slot].attemptEnd == 5100)
        #expect(dispatcher.takeTimedOut(now: 5099) == nil)
        #expect(dispatcher.takeTimedOut(now: 5100) == source.grants[0].slot)
    }

    @Test
    func `a reserved lease is never written, and a started one is when it has lasted`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 2, prefetches: true)
        dispatcher.announce(source.add(1...2))
        _ = dispatcher.grantAll(&source)
        var slots: [UInt32] = []
        dispatcher.leases.unwritten(grantedUpTo: .max, into: &slots)
        #expect(slots.isEmpty && dispatcher.leases.nextWrite == .max)
        start(source.grants[1], &dispatcher, now: 1000)
        #expect(dispatcher.leases.nextWrite == 1500)
        dispatcher.leases.unwritten(grantedUpTo: 1000, into: &slots)
        #expect(slots == [source.grants[1].slot])
    }

    @Test
    func `signs of life prolong a reserved lease, and not one that was recalled`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 3, prefetches: true)
        dispatcher.announce(source.add(1...3))
        _ = dispatcher.grantAll(&source)
        var slots: [UInt32] = []
        dispatcher.leases.expired(now: 100_000, lastHeard: { _ in 90_000 }, into: &slots)
        #expect(slots.isEmpty)
        #expect(dispatcher.recall(queue, now: 100_000).map(\.job) == [JobID(1), JobID(2), JobID(3)])
        start(source.grants[0], &dispatcher, now: 100_001)
        // Asked for again it has no more time than before.
        #expect(dispatcher.recall(queue, now: 110_000).map(\.job) == [JobID(2), JobID(3)])
        dispatcher.leases.expired(now: 129_999, lastHeard: { _ in 129_999 }, into: &slots)
        #expect(slots.isEmpty && dispatcher.leases.nextDeadline == 130_000)
        dispatcher.leases.expired(now: 130_000, lastHeard: { _ in 130_000 }, into: &slots)
        #expect(slots == source.grants[1...].map(\.slot))
        for slot in slots { dispatcher.cancelReservation(slot) }
        #expect(dispatcher.grantAll(&source) == [2, 3])
    }

    // MARK: Gates

    @Test
    func `a recall is for one queue, and an ended subscription gives back what it has not started`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(queues: [0, 1], jobs: 4, prefetches: true)
        dispatcher.announce(source.add(1...2) + source.add(11...12, to: QueueID(1)))
        #expect(Set(dispatcher.grantAll(&source)) == [1, 2, 11, 12])
        let grants = Dictionary(uniqueKeysWithValues: source.grants.map { ($0.entry.job.rawValue, $0) })
        #expect(Set(dispatcher.recall(QueueID(1), now: 0).map(\.job)) == [JobID(11), JobID(12)])
        start(grants[1]!, &dispatcher)
        start(grants[11]!, &dispatcher)
        dispatcher.unsubscribe(id)
        dispatcher.cancelReservations(of: id)
        #expect(dispatcher.leases.reservedCount == 0 && dispatcher.leases.liveCount == 2)
        _ = dispatcher.subscribe(queues: [0, 1], jobs: 9)
        #expect(Set(dispatcher.grantAll(&source)) == [2, 12])
    }

    @Test
    func `a queue with a bound of what runs forbids prefetch, a paused one does not`() {
        var dispatcher = dispatcher
        #expect(dispatcher.forbidsPrefetch(queue) == false)
        #expect(dispatcher.isPrefetched(queue) == false)
        let plain = dispatcher.subscribe(queues: [0, 1], jobs: 1)
        #expect(dispatcher.isPrefetched(queue) == false)
        let ahead = dispatcher.subscribe(queues: [2, 0], jobs: 1, prefetches: true)
        #expect(dispatcher.isPrefetched(queue) == true)
        #expect(dispatcher.isPrefetched(QueueID(1)) == false)
        dispatcher.unsubscribe(plain)
        dispatcher.unsubscribe(ahead)
        #expect(dispatcher.isPrefetched(queue) == false)
        var settings = QueueSettings()
        settings.isPaused = true
        dispatcher.set(queue, to: settings, now: 0)
        #expect(dispatcher.forbidsPrefetch(queue) == false)
        settings.concurrency = 1
        dispatcher.set(queue, to: settings, now: 0)
        #expect(dispatcher.forbidsPrefetch(queue) == true)
        settings.concurrency = 0
        settings.rate = RateLimit(max: 1, window: 1)
        dispatcher.set(queue, to: settings, now: 0)
        #expect(dispatcher.forbidsPrefetch(queue) == true)
        dispatcher.set(queue, to: .standard, now: 0)
        #expect(dispatcher.forbidsPrefetch(queue) == false)
    }
}
