import PenstockEngine
import PenstockWire
import TestSupport
import Testing

@testable import PenstockServer

/// Queues with groups: which of them is served next, and how many of its jobs run.
@Suite(.computing) struct GroupTests {
    private var dispatcher: Dispatcher { Dispatcher(epoch: 1, configuration: Dispatcher.smallWindows) }

    @Test func `groups take turns of one job each, jobs without a group as one of them`() {
        var dispatcher = dispatcher
        var source = TestSource()
        dispatcher.announce(source.add([1, 2, 3]))
        dispatcher.announce(source.add([11, 12, 13, 14], group: 8))
        dispatcher.announce(source.add([21], group: 5))
        _ = dispatcher.subscribe(jobs: 100)
        #expect(dispatcher.grantAll(&source) == [1, 21, 11, 2, 12, 3, 13, 14])
    }

    @Test func `a group of one job is served next, however many another one has`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 3)
        dispatcher.announce(source.add(1...1000, group: 9))
        #expect(dispatcher.grantAll(&source) == [1, 2, 3])
        dispatcher.announce(source.add([5000], group: 8))
        dispatcher.credit(id, jobs: 3, bytes: 0)
        #expect(dispatcher.grantAll(&source) == [5000, 4, 5])
    }

    @Test func `in a group priority comes first, then the place`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 100)
        dispatcher.announce(source.add([1, 2], group: 3, priority: 7))
        dispatcher.announce(source.add([5, 4], group: 3))
        dispatcher.announce(source.add([6], group: 4, priority: 9))
        #expect(dispatcher.grantAll(&source) == [4, 6, 5, 1, 2])
    }

    @Test func `the first job with a group begins the rounds, and jobs without one have had their turn`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 2)
        dispatcher.announce(source.add(1...9))
        #expect(dispatcher.grantAll(&source) == [1, 2])
        dispatcher.announce(source.add([21, 22], group: 7))
        dispatcher.credit(id, jobs: 4, bytes: 0)
        #expect(dispatcher.grantAll(&source) == [21, 3, 22, 4])
    }

    @Test func `a job that comes back is served at its place in its group`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 2)
        let entries = source.add(1...4, group: 6)
        dispatcher.announce(entries)
        #expect(dispatcher.grantAll(&source) == [1, 2])
        let grant = source.grants[0]
        let ended = dispatcher.finish(grant.slot, token: grant.token, sessionSlot: 1)
        #expect(ended != nil)
        // The credit is back, and the job is not.
        #expect(dispatcher.grantAll(&source) == [3])
        dispatcher.free([grant.slot])
        dispatcher.announce([entries[0]])
        let other = source.grants[0]
        dispatcher.complete(other, &source)
        #expect(dispatcher.grantAll(&source) == [1])
    }

    @Test func `many groups are served in rounds by a small ring`() {
        var dispatcher = Dispatcher(
            epoch: 1,
            configuration: .init(windowEntriesMax: 16, entriesMax: 64, refillEntriesMax: 8)
        )
        var source = TestSource()
        for group in 1...50 as ClosedRange<UInt32> {
            _ = source.add([UInt64(group), UInt64(group + 100)], group: group)
        }
        _ = dispatcher.subscribe(jobs: 1000)
        let granted = dispatcher.grantAll(&source)
        #expect(granted == Array(1...50) + Array(101...150))
        let held = dispatcher.lanes[0].ring.groupCount
        #expect(held <= 4)
    }

    @Test func `a group that comes behind the others waits for the next round, one that comes before them does not`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 1)
        dispatcher.announce(source.add([11, 12], group: 10) + source.add([21, 22], group: 20))
        #expect(dispatcher.grantAll(&source) == [11])
        dispatcher.announce(source.add([5], group: 5))
        dispatcher.announce(source.add([15], group: 15))
        dispatcher.credit(id, jobs: 9, bytes: 0)
        #expect(dispatcher.grantAll(&source) == [15, 21, 5, 12, 22])
    }

    @Test func `the only job with a group is found when news of it came while its lease was finishing`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let first = dispatcher.subscribe(jobs: 1)
        let entry = source.add([1], group: 6)
        dispatcher.announce(entry)
        #expect(dispatcher.grantAll(&source) == [1])
        let grant = source.grants[0]
        let ended = dispatcher.finish(grant.slot, token: grant.token, sessionSlot: 1)
        #expect(ended != nil)
        var revoked: [Revocation] = []
        source.remove(1)
        dispatcher.withdraw(entry, revoked: &revoked)
        // Meanwhile the queue looks like one without groups.
        dispatcher.unsubscribe(first)
        _ = dispatcher.subscribe(jobs: 9)
        #expect(dispatcher.grantAll(&source) == [])
        dispatcher.announce(source.add([1], group: 6))
        #expect(dispatcher.grantAll(&source) == [])
        dispatcher.free([grant.slot])
        #expect(dispatcher.grantAll(&source) == [1])
    }

    // MARK: Limits

    @Test func `a group at its limit is passed over until the end of a job is durable`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 100)
        dispatcher.set(QueueID(0), GroupID(3), concurrency: 1)
        dispatcher.announce(source.add([1, 2, 3], group: 3))
        dispatcher.announce(source.add([11, 12], group: 4))
        #expect(dispatcher.grantAll(&source) == [1, 11, 12])
        let first = source.grants[0]
        let ended = dispatcher.finish(first.slot, token: first.token, sessionSlot: 1)
        #expect(ended != nil)
        #expect(dispatcher.grantAll(&source) == [])
        let hasWork = dispatcher.hasWork
        #expect(!hasWork)
        source.remove(1)
        dispatcher.free([first.slot])
        #expect(dispatcher.grantAll(&source) == [2])
    }

    @Test func `a limit for every group does not bound jobs without one, and a group's own wins`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 100)
        dispatcher.set(QueueID(0), .none, concurrency: 1)
        dispatcher.set(QueueID(0), GroupID(4), concurrency: 2)
        dispatcher.announce(source.add([1, 2, 3]))
        dispatcher.announce(source.add([11, 12, 13], group: 3))
        dispatcher.announce(source.add([21, 22, 23], group: 4))
        #expect(dispatcher.grantAll(&source) == [1, 11, 21, 2, 22, 3])
        dispatcher.set(QueueID(0), GroupID(4), concurrency: 3)
        #expect(dispatcher.grantAll(&source) == [23])
        dispatcher.set(QueueID(0), .none, concurrency: 0)
        #expect(dispatcher.grantAll(&source) == [12, 13])
        dispatcher.set(QueueID(0), GroupID(4), concurrency: 0)
        let isLimited = dispatcher.lanes[0].isLimited
        #expect(!isLimited)
    }

    @Test func `leases of a group with a limit are written at once, those of other groups are not`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 100)
        dispatcher.announce(source.add([1], group: 3))
        #expect(dispatcher.grantAll(&source) == [1])
        let slot = source.grants[0].slot
        dispatcher.set(QueueID(0), GroupID(3), concurrency: 2)
        let old = dispatcher.takeWriteRequests()
        #expect(old == [slot])
        dispatcher.announce(source.add([2], group: 3))
        dispatcher.announce(source.add([11], group: 4))
        #expect(dispatcher.grantAll(&source).sorted() == [2, 11])
        let bounded = source.grants.first { $0.entry.job == JobID(2) }?.slot
        let new = dispatcher.takeWriteRequests()
        #expect(new == [bounded])
    }

    @Test func `a lease that an earlier run has written takes a slot of its group`() {
        var dispatcher = dispatcher
        var source = TestSource()
        dispatcher.leases.restore(
            JobID(1),
            token: LeaseToken(1),
            queue: QueueID(0),
            group: GroupID(3),
            turn: Turn(priority: 0, place: 1),
            flow: .none,
            sessionSlot: 1,
            lockDuration: 30_000,
            now: 0,
            startedAt: 0,
            at: 0
        )
        dispatcher.set(QueueID(0), GroupID(3), concurrency: 2)
        _ = dispatcher.subscribe(jobs: 100)
        dispatcher.announce(source.add(2...5, group: 3))
        #expect(dispatcher.grantAll(&source) == [2])
    }

    @Test func `a job that a command takes away frees the slot of its group`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 100)
        dispatcher.set(QueueID(0), GroupID(3), concurrency: 1)
        let entries = source.add([1, 2], group: 3)
        dispatcher.announce(entries)
        #expect(dispatcher.grantAll(&source) == [1])
        source.remove(1)
        var revoked: [Revocation] = []
        dispatcher.withdraw([entries[0]], revoked: &revoked)
        #expect(revoked.count == 1)
        #expect(dispatcher.grantAll(&source) == [2])
    }

    // MARK: Windows

    @Test func `a queue that nobody subscribes to holds no group, and the round goes on where it stood`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let first = dispatcher.subscribe(jobs: 1)
        dispatcher.announce(source.add([11, 12], group: 10) + source.add([21, 22], group: 20))
        #expect(dispatcher.grantAll(&source) == [11])
        dispatcher.unsubscribe(first)
        dispatcher.checkInvariants()
        _ = dispatcher.subscribe(jobs: 9)
        #expect(dispatcher.grantAll(&source) == [21, 12, 22])
    }
}
