import PenstockEngine
import PenstockWire
import TestSupport
import Testing

@testable import PenstockServer

/// What holds a queue's grants back: a pause, a rate, a bound of jobs that run, a rest.
@Suite(.computing) struct GateTests {
    private var dispatcher: Dispatcher { Dispatcher(epoch: 1, configuration: Dispatcher.smallWindows) }

    private func settings(_ change: (inout QueueSettings) -> Void) -> QueueSettings {
        var settings = QueueSettings()
        change(&settings)
        return settings
    }

    @Test func `a queue of which nothing was set has no gate`() {
        var dispatcher = dispatcher
        _ = dispatcher.subscribe(jobs: 1)
        dispatcher.set(QueueID(0), to: settings { $0.maxLength = 7 }, now: 0)
        let hasGate = dispatcher.lanes[0].gate != nil
        #expect(!hasGate)
        dispatcher.set(QueueID(9), to: .standard, now: 0)
        #expect(dispatcher.lanes.count == 1)
    }

    // MARK: Pause

    @Test func `nothing of a paused queue is granted, and then everything in its order`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(queues: [0, 1], jobs: 100)
        dispatcher.set(QueueID(0), to: settings { $0.isPaused = true }, now: 0)
        dispatcher.announce(source.add([5, 3]))
        dispatcher.announce(source.add([11], to: QueueID(1)))
        #expect(dispatcher.grantAll(&source) == [11])
        dispatcher.announce(source.add([4, 1]))
        #expect(dispatcher.grantAll(&source) == [])
        let hasWork = dispatcher.hasWork
        #expect(!hasWork)
        dispatcher.set(QueueID(0), to: .standard, now: 0)
        #expect(dispatcher.grantAll(&source) == [1, 3, 4, 5])
    }

    @Test func `a pause that comes before the first subscription holds`() {
        var dispatcher = dispatcher
        var source = TestSource()
        dispatcher.set(QueueID(3), to: settings { $0.isPaused = true }, now: 0)
        dispatcher.announce(source.add([1], to: QueueID(3)))
        _ = dispatcher.subscribe(queues: [3], jobs: 1)
        #expect(dispatcher.grantAll(&source) == [])
        dispatcher.set(QueueID(3), to: .standard, now: 0)
        #expect(dispatcher.grantAll(&source) == [1])
    }

    // MARK: Concurrency

    @Test func `a slot is free when the end of its job is durable, not before`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 100)
        dispatcher.set(QueueID(0), to: settings { $0.concurrency = 2 }, now: 0)
        dispatcher.announce(source.add(1...5))
        #expect(dispatcher.grantAll(&source) == [1, 2])
        let first = source.grants[0]
        let ended = dispatcher.finish(first.slot, token: first.token, sessionSlot: 1)
        #expect(ended != nil)
        #expect(dispatcher.grantAll(&source) == [])
        source.remove(1)
        dispatcher.free([first.slot])
        #expect(dispatcher.grantAll(&source) == [3])
    }

    @Test func `leases that were there before the bound count, and a higher bound opens`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 3)
        dispatcher.announce(source.add(1...9))
        #expect(dispatcher.grantAll(&source) == [1, 2, 3])
        dispatcher.set(QueueID(0), to: settings { $0.concurrency = 2 }, now: 0)
        dispatcher.credit(id, jobs: 100, bytes: 0)
        #expect(dispatcher.grantAll(&source) == [])
        dispatcher.set(QueueID(0), to: settings { $0.concurrency = 5 }, now: 0)
        #expect(dispatcher.grantAll(&source) == [4, 5])
        dispatcher.set(QueueID(0), to: .standard, now: 0)
        #expect(dispatcher.grantAll(&source) == [6, 7, 8, 9])
    }

    @Test func `a job that a command takes away frees its slot`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 100)
        dispatcher.set(QueueID(0), to: settings { $0.concurrency = 1 }, now: 0)
        let entries = source.add(1...2)
        dispatcher.announce(entries)
        #expect(dispatcher.grantAll(&source) == [1])
        source.remove(1)
        var revoked: [Revocation] = []
        dispatcher.withdraw([entries[0]], revoked: &revoked)
        #expect(revoked.count == 1)
        #expect(dispatcher.grantAll(&source) == [2])
    }

    @Test func `a lease that an earlier run has written takes a slot`() {
        var dispatcher = dispatcher
        var source = TestSource()
        dispatcher.leases.restore(
            JobID(1),
            token: LeaseToken(1),
            queue: QueueID(0),
            turn: Turn(priority: 0, place: 1),
            flow: .none,
            sessionSlot: 1,
            lockDuration: 30_000,
            now: 0,
            startedAt: 0,
            at: 0
        )
        dispatcher.set(QueueID(0), to: settings { $0.concurrency = 2 }, now: 0)
        _ = dispatcher.subscribe(jobs: 100)
        dispatcher.announce(source.add(2...5))
        #expect(dispatcher.grantAll(&source) == [2])
    }

    @Test func `leases of a queue with a bound are written at once, those that it has already, too`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 2)
        dispatcher.announce(source.add(1...5))
        #expect(dispatcher.grantAll(&source) == [1, 2])
        let none = dispatcher.takeWriteRequests()
        #expect(none.isEmpty)
        let slots = source.grants.map(\.slot)
        dispatcher.set(QueueID(0), to: settings { $0.concurrency = 9 }, now: 0)
        let old = dispatcher.takeWriteRequests()
        #expect(Set(old) == Set(slots))
        dispatcher.complete(source.grants[0], &source)
        #expect(dispatcher.grantAll(&source) == [3])
        let new = dispatcher.takeWriteRequests()
        #expect(new == [source.grants[0].slot])
        var unwritten: [UInt32] = []
        dispatcher.leases.unwritten(grantedUpTo: .max, into: &unwritten)
        #expect(unwritten.isEmpty)
    }

    // MARK: Rate

    /// Runs to the end at a time.
    private func grantAll(_ dispatcher: inout Dispatcher, _ source: inout TestSource, now: UInt64) -> [UInt64] {
        source.grants = []
        dispatcher.openDueGates(now: now)
        while dispatcher.run(now: now, wall: 0, source: &source) {}
        dispatcher.checkInvariants()
        return source.jobs
    }

    @Test func `so many are granted in each window, whoever asks, and the window begins with its first grant`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 100, connection: 1)
        _ = dispatcher.subscribe(jobs: 100, connection: 2)
        dispatcher.set(QueueID(0), to: settings { $0.rate = RateLimit(max: 3, window: 1000) }, now: 0)
        let first = source.add([1])
        dispatcher.announce(first)
        #expect(grantAll(&dispatcher, &source, now: 5000) == [1])
        dispatcher.announce(source.add(2...10))
        #expect(grantAll(&dispatcher, &source, now: 5100) == [2, 3])
        #expect(dispatcher.nextOpening == 6000)
        #expect(dispatcher.limitedFor(QueueID(0), now: 5100) == 900)
        #expect(grantAll(&dispatcher, &source, now: 5999) == [])
        let hasWork = dispatcher.hasWork
        #expect(!hasWork)
        #expect(grantAll(&dispatcher, &source, now: 6000) == [4, 5, 6])
        #expect(dispatcher.nextOpening == 7000)
        #expect(grantAll(&dispatcher, &source, now: 9000) == [7, 8, 9])
        #expect(grantAll(&dispatcher, &source, now: 9999) == [])
        #expect(grantAll(&dispatcher, &source, now: 10_000) == [10])
        #expect(dispatcher.nextOpening == .max)
    }

    @Test func `what is not delivered does not count`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 100)
        dispatcher.set(QueueID(0), to: settings { $0.rate = RateLimit(max: 1, window: 1000) }, now: 0)
        source.full = [id]
        dispatcher.announce(source.add(1...2))
        #expect(grantAll(&dispatcher, &source, now: 10) == [])
        source.full = []
        dispatcher.unblock(id)
        source.remove(1)
        #expect(grantAll(&dispatcher, &source, now: 20) == [2])
    }

    @Test func `the same rate set again goes on with its window, another one begins anew`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 100)
        let slow = settings { $0.rate = RateLimit(max: 1, window: 1000) }
        dispatcher.set(QueueID(0), to: slow, now: 0)
        dispatcher.announce(source.add(1...9))
        #expect(grantAll(&dispatcher, &source, now: 10) == [1])
        dispatcher.set(QueueID(0), to: slow, now: 10)
        #expect(grantAll(&dispatcher, &source, now: 10) == [])
        dispatcher.set(QueueID(0), to: settings { $0.rate = RateLimit(max: 2, window: 1000) }, now: 10)
        #expect(grantAll(&dispatcher, &source, now: 10) == [2, 3])
        dispatcher.set(QueueID(0), to: .standard, now: 10)
        #expect(grantAll(&dispatcher, &source, now: 10) == Array(4...9))
    }

    @Test func `a frozen server's windows are moved by the time that it stood still`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 100)
        dispatcher.set(QueueID(0), to: settings { $0.rate = RateLimit(max: 1, window: 1000) }, now: 0)
        dispatcher.announce(source.add(1...2))
        #expect(grantAll(&dispatcher, &source, now: 10) == [1])
        dispatcher.shiftGates(by: 5000)
        #expect(grantAll(&dispatcher, &source, now: 5100) == [])
        #expect(grantAll(&dispatcher, &source, now: 6010) == [2])
    }

    // MARK: Rest

    @Test func `a queue that rests grants nothing for so long, and other queues do`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(queues: [0, 1], jobs: 100)
        dispatcher.rest(QueueID(0), until: 2000)
        dispatcher.rest(QueueID(0), until: 1500)
        dispatcher.announce(source.add(1...2))
        dispatcher.announce(source.add([11], to: QueueID(1)))
        #expect(grantAll(&dispatcher, &source, now: 1000) == [11])
        #expect(grantAll(&dispatcher, &source, now: 1999) == [])
        #expect(grantAll(&dispatcher, &source, now: 2000) == [1, 2])
        let hasGate = dispatcher.lanes[0].gate != nil
        #expect(!hasGate)
    }

    @Test func `a pause outlasts a rest, and a bound a rate`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 100)
        dispatcher.announce(source.add(1...9))
        dispatcher.rest(QueueID(0), until: 100)
        dispatcher.set(QueueID(0), to: settings { $0.isPaused = true }, now: 0)
        #expect(grantAll(&dispatcher, &source, now: 200) == [])
        let both = settings {
            $0.concurrency = 1
            $0.rate = RateLimit(max: 2, window: 1000)
        }
        dispatcher.set(QueueID(0), to: both, now: 200)
        #expect(grantAll(&dispatcher, &source, now: 200) == [1])
        dispatcher.complete(source.grants[0], &source)
        #expect(grantAll(&dispatcher, &source, now: 300) == [2])
        dispatcher.complete(source.grants[0], &source)
        #expect(grantAll(&dispatcher, &source, now: 400) == [])
        #expect(grantAll(&dispatcher, &source, now: 1200) == [3])
    }

    @Test func `one queue's gate does not stop a subscription's other queues, nor other subscriptions`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(queues: [0, 1], jobs: 2, connection: 1)
        _ = dispatcher.subscribe(queues: [1], jobs: 2, connection: 2)
        dispatcher.set(QueueID(0), to: settings { $0.concurrency = 1 }, now: 0)
        dispatcher.announce(source.add(1...9))
        dispatcher.announce(source.add(11...19, to: QueueID(1)))
        #expect(Set(dispatcher.grantAll(&source)) == [1, 11, 12, 13])
        #expect(source.grants.count { $0.connection == 1 } == 2)
    }
}
