import PenstockEngine
import PenstockWire
import TestSupport
import Testing

@testable import PenstockServer

@Suite(.computing) struct DispatcherTests {
    private var dispatcher: Dispatcher { Dispatcher(epoch: 1, configuration: Dispatcher.smallWindows) }

    // MARK: Windows

    @Test
    func `jobs that were ready before anybody asked are read from the index, in order`() {
        var dispatcher = dispatcher
        var source = TestSource()
        dispatcher.announce(source.add(1...10))
        _ = dispatcher.subscribe(jobs: 100)
        #expect(dispatcher.grantAll(&source) == Array(1...10))
    }

    @Test
    func `jobs that are announced are granted without a read`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 100)
        #expect(dispatcher.grantAll(&source) == [])
        let reads = source.reads
        dispatcher.announce(source.add([3, 1, 2]))
        #expect(dispatcher.grantAll(&source) == [1, 2, 3])
        #expect(source.reads == reads)
    }

    @Test
    func `what does not fit the window is granted in its turn all the same`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 0)
        dispatcher.credit(id, jobs: 1, bytes: 0)
        dispatcher.announce(source.add([100]))
        #expect(dispatcher.grantAll(&source) == [100])
        dispatcher.announce(source.add([20, 40, 60, 80, 10, 30, 50, 70]))
        dispatcher.credit(id, jobs: 100, bytes: 0)
        #expect(dispatcher.grantAll(&source) == [10, 20, 30, 40, 50, 60, 70, 80])
    }

    @Test
    func `a queue that lost its last subscription has no window`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 1)
        dispatcher.announce(source.add(1...3))
        #expect(dispatcher.grantAll(&source) == [1])
        dispatcher.unsubscribe(id)
        #expect(dispatcher.windowCount == 0)
        dispatcher.announce(source.add([9]))
        dispatcher.checkInvariants()
        _ = dispatcher.subscribe(jobs: 100)
        #expect(dispatcher.grantAll(&source) == [2, 3, 9])
    }

    @Test
    func `many windows share one budget`() {
        var dispatcher = Dispatcher(
            epoch: 1,
            configuration: .init(windowEntriesMax: 16, entriesMax: 64, refillEntriesMax: 16)
        )
        var source = TestSource()
        #expect(dispatcher.windowCapacity == 16)
        var ids: [SubscriptionID] = []
        for queue in 0..<20 as Range<UInt32> {
            ids.append(dispatcher.subscribe(queues: [queue], jobs: 1))
            dispatcher.announce(source.add((0..<30).map { UInt64(queue) * 1000 + $0 + 1 }, to: QueueID(queue)))
            _ = dispatcher.grantAll(&source)
        }
        #expect(dispatcher.windowCapacity == 2)
        for id in ids.dropLast() { dispatcher.unsubscribe(id) }
        dispatcher.checkInvariants()
        #expect(dispatcher.windowCapacity == 16)
    }

    @Test
    func `a refill skips jobs that have a lease, and reads on`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 10)
        dispatcher.announce(source.add(1...20))
        #expect(dispatcher.grantAll(&source) == Array(1...10))
        dispatcher.unsubscribe(id)
        // The ten are at the head of the index still.
        _ = dispatcher.subscribe(jobs: 100)
        #expect(dispatcher.grantAll(&source) == Array(11...20))
    }

    @Test
    func `a job that a refill saw early is not granted again when it is announced`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 100)
        let entries = source.add(1...2)
        #expect(dispatcher.grantAll(&source) == [1, 2])
        dispatcher.announce(entries)
        #expect(dispatcher.grantAll(&source) == [])
    }

    // MARK: Credits

    @Test
    func `no more jobs are granted than there are job credits`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 2)
        dispatcher.announce(source.add(1...10))
        #expect(dispatcher.grantAll(&source) == [1, 2])
        dispatcher.credit(id, jobs: 3, bytes: 0)
        #expect(dispatcher.grantAll(&source) == [3, 4, 5])
    }

    @Test
    func `byte credits end with the job that goes beyond them`() {
        var dispatcher = dispatcher
        var source = TestSource()
        source.bytes = 60
        let id = dispatcher.subscribe(jobs: 100, bytes: 100)
        dispatcher.announce(source.add(1...10))
        #expect(dispatcher.grantAll(&source) == [1, 2])
        #expect(dispatcher.subscription(id)?.creditBytes == -20)
        dispatcher.complete(source.grants[0], &source)
        #expect(dispatcher.grantAll(&source) == [3])
    }

    @Test
    func `a job without data takes one byte of credit`() {
        var dispatcher = dispatcher
        var source = TestSource()
        source.bytes = 0
        _ = dispatcher.subscribe(jobs: 100, bytes: 3)
        dispatcher.announce(source.add(1...10))
        #expect(dispatcher.grantAll(&source) == [1, 2, 3])
    }

    @Test
    func `a completion gives its credit back before it is durable`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 1, bytes: 10)
        dispatcher.announce(source.add(1...2))
        #expect(dispatcher.grantAll(&source) == [1])
        let first = source.grants[0]
        let lease = dispatcher.finish(first.slot, token: first.token, sessionSlot: 1)
        #expect(lease?.job == JobID(1))
        #expect(lease?.flow == FlowID(5))
        #expect(dispatcher.subscription(id)?.creditBytes == 10)
        let again = dispatcher.finish(first.slot, token: first.token, sessionSlot: 1)
        #expect(again == nil)
        #expect(dispatcher.grantAll(&source) == [2])
    }

    @Test
    func `credits never exceed what a subscription can hold`() {
        var dispatcher = dispatcher
        let id = dispatcher.subscribe(jobs: 1)
        for _ in 0..<3 { dispatcher.credit(id, jobs: Int(UInt32.max), bytes: Int(UInt32.max)) }
        #expect(dispatcher.subscription(id)?.creditJobs == Limits.creditJobsMax)
        #expect(dispatcher.subscription(id)?.creditBytes == Limits.creditBytesMax)
    }

    @Test
    func `a blocked subscription gets nothing until it is unblocked, and a closing one nothing more`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 100)
        dispatcher.block(id)
        dispatcher.announce(source.add(1...2))
        #expect(dispatcher.grantAll(&source) == [])
        dispatcher.unblock(id)
        #expect(dispatcher.grantAll(&source) == [1, 2])
        dispatcher.close(id)
        dispatcher.announce(source.add(3...4))
        #expect(dispatcher.grantAll(&source) == [])
    }

    @Test
    func `a job for which there is no room keeps its turn, and the next subscription gets it`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let a = dispatcher.subscribe(jobs: 100, connection: 1)
        let b = dispatcher.subscribe(jobs: 2, connection: 2)
        source.full = [a]
        dispatcher.announce(source.add(1...4))
        #expect(dispatcher.grantAll(&source) == [1, 2])
        #expect(source.grants.allSatisfy { $0.subscription == b })
        #expect(dispatcher.leases.liveCount == 2)
        source.full = []
        dispatcher.unblock(a)
        #expect(dispatcher.grantAll(&source) == [3, 4])
    }

    @Test
    func `a job that the snapshot does not have is dropped, and takes no credit`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 2)
        _ = dispatcher.grantAll(&source)
        dispatcher.announce(source.add(1...3))
        source.remove(1)
        #expect(dispatcher.grantAll(&source) == [2, 3])
        #expect(dispatcher.subscription(id)?.creditJobs == 0)
        #expect(dispatcher.leases.heldCount == 2)
    }

    // MARK: Turns

    @Test
    func `subscriptions of a queue are served in turn`() {
        var dispatcher = dispatcher
        var source = TestSource()
        for connection in 1...3 as ClosedRange<UInt32> {
            _ = dispatcher.subscribe(jobs: 100, connection: connection)
        }
        dispatcher.announce(source.add(1...6))
        #expect(dispatcher.grantAll(&source) == Array(1...6))
        #expect(source.grants.map(\.connection) == [1, 2, 3, 1, 2, 3])
    }

    @Test
    func `a subscription on several queues takes from them in turn`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(queues: [0, 1, 2], jobs: 100)
        dispatcher.announce(source.add(1...3))
        dispatcher.announce(source.add(11...12, to: QueueID(1)))
        dispatcher.announce(source.add(21...23, to: QueueID(2)))
        #expect(dispatcher.grantAll(&source) == [1, 11, 21, 2, 12, 22, 3, 23])
        #expect(source.grants.map(\.queueIndex) == [0, 1, 2, 0, 1, 2, 0, 2])
    }

    @Test
    func `a subscription with one credit takes from its queues in turn too`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(queues: [0, 1], jobs: 1)
        // Another one keeps the first queue busy.
        let other = dispatcher.subscribe(queues: [0], jobs: 0, connection: 2)
        dispatcher.announce(source.add(1...100))
        dispatcher.announce(source.add(1001...1100, to: QueueID(1)))
        var queues: [Int] = []
        for _ in 0..<6 {
            dispatcher.credit(other, jobs: 1, bytes: 0)
            _ = dispatcher.grantAll(&source)
            for grant in source.grants where grant.connection == 1 {
                queues.append(grant.queueIndex)
                dispatcher.complete(grant, &source)
            }
        }
        #expect(queues == [0, 1, 0, 1, 0, 1])
    }

    @Test
    func `one busy queue does not keep another one waiting`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(queues: [0], jobs: 1000)
        _ = dispatcher.subscribe(queues: [1], jobs: 1000)
        dispatcher.announce(source.add(1...500))
        dispatcher.announce(source.add([1001], to: QueueID(1)))
        let isUnfinished = dispatcher.run(now: 0, wall: 0, grantsMax: 4, source: &source)
        #expect(isUnfinished)
        #expect(source.jobs.contains(1001))
        #expect(source.jobs.count <= 4)
    }

    @Test
    func `a run ends after its turns, and the next goes on`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 100)
        dispatcher.announce(source.add(1...5))
        var runs = 0
        while dispatcher.run(now: 0, wall: 0, grantsMax: 2, source: &source) { runs += 1 }
        #expect(source.jobs == Array(1...5))
        #expect(runs >= 2)
    }

    @Test
    func `queues without credits or without jobs are not looked at`() {
        var dispatcher = dispatcher
        var source = TestSource()
        for queue in 0..<100 as Range<UInt32> {
            _ = dispatcher.subscribe(queues: [queue], jobs: queue.isMultiple(of: 2) ? 0 : 10)
            dispatcher.announce(
                queue.isMultiple(of: 2) ? source.add([UInt64(queue) + 1], to: QueueID(queue)) : []
            )
        }
        #expect(dispatcher.grantAll(&source) == [])
        #expect(dispatcher.listed.isEmpty)
    }

    // MARK: Ends

    @Test
    func `a withdrawn job leaves the window`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 0)
        let entries = source.add(1...3)
        dispatcher.announce(entries)
        var revoked: [Revocation] = []
        source.remove(2)
        dispatcher.withdraw([entries[1]], revoked: &revoked)
        #expect(revoked.isEmpty)
        dispatcher.credit(id, jobs: 10, bytes: 0)
        #expect(dispatcher.grantAll(&source) == [1, 3])
    }

    @Test
    func `a withdrawn job that is leased is revoked, and its credit is given back`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 1, stream: 9)
        let entries = source.add(1...2)
        dispatcher.announce(entries)
        #expect(dispatcher.grantAll(&source) == [1])
        let first = source.grants[0]
        source.remove(1)
        var revoked: [Revocation] = []
        dispatcher.withdraw([entries[0]], revoked: &revoked)
        #expect(revoked.map(\.slot) == [first.slot])
        #expect(revoked.map(\.lease.token) == [first.token])
        #expect(revoked.map(\.stream) == [9])
        #expect(dispatcher.subscription(id)?.creditJobs == 1)
        let late = dispatcher.finish(first.slot, token: first.token, sessionSlot: 1)
        #expect(late == nil)
        #expect(dispatcher.grantAll(&source) == [2])
    }

    @Test
    func `a lease is not revoked by news older than it`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 1)
        // Ready at 1, withdrawn, and ready at 5, all before the first of it is told.
        let old = ReadyEntry(queue: QueueID(0), turn: Turn(priority: 0, place: 1), job: JobID(5))
        let new = source.add([5])
        #expect(dispatcher.grantAll(&source) == [5])
        var revoked: [Revocation] = []
        dispatcher.settle(freed: [], kept: [], withdrawn: [], ready: [old], revoked: &revoked)
        dispatcher.settle(freed: [], kept: [], withdrawn: [old], ready: new, revoked: &revoked)
        #expect(revoked.isEmpty)
        #expect(dispatcher.leases.liveCount == 1)
    }

    @Test
    func `a returned job comes back to its place, before younger ones`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 2)
        let entries = source.add(1...9)
        dispatcher.announce(entries)
        #expect(dispatcher.grantAll(&source) == [1, 2])
        let first = source.grants[0]
        let lease = dispatcher.finish(first.slot)
        #expect(lease.turn == entries[0].turn)
        // Its place is not free before the return is durable.
        #expect(dispatcher.grantAll(&source) == [3])
        var revoked: [Revocation] = []
        dispatcher.settle(freed: [first.slot], kept: [], withdrawn: [], ready: [entries[0]], revoked: &revoked)
        dispatcher.credit(id, jobs: 2, bytes: 0)
        #expect(dispatcher.grantAll(&source) == [1, 4])
    }

    @Test
    func `a job that was withdrawn and is ready again while its lease is finishing is not lost`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 1)
        let entries = source.add(1...3)
        dispatcher.announce(entries)
        #expect(dispatcher.grantAll(&source) == [1])
        let first = source.grants[0]
        _ = dispatcher.finish(first.slot)
        // A command took the job away, and another brought it back, before the completion was applied: fenced.
        source.remove(1)
        var revoked: [Revocation] = []
        dispatcher.settle(freed: [], kept: [], withdrawn: [entries[0]], ready: [], revoked: &revoked)
        dispatcher.settle(freed: [], kept: [], withdrawn: [], ready: source.add([1]), revoked: &revoked)
        #expect(revoked.isEmpty)
        dispatcher.settle(freed: [first.slot], kept: [], withdrawn: [], ready: [], revoked: &revoked)
        dispatcher.credit(id, jobs: 2, bytes: 0)
        #expect(dispatcher.grantAll(&source) == [1, 2, 3])
    }

    @Test(arguments: [false, true])
    func `a completion that is void under a newer turn leaves its job to the index`(isPending: Bool) {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 1)
        var revoked: [Revocation] = []
        // A commit moves the job from the ninth place to the first. A run sees that before it is told of it.
        let old = source.add([9])
        source.remove(9)
        let new = ReadyEntry(queue: QueueID(0), turn: Turn(priority: 0, place: 1), job: JobID(9))
        source.index[QueueID(0)] = [new]
        #expect(dispatcher.grantAll(&source) == [9])
        let first = source.grants[0]
        if isPending {
            _ = dispatcher.suspend(first.slot, token: first.token, sessionSlot: 1)
        } else {
            _ = dispatcher.finish(first.slot)
        }
        dispatcher.settle(freed: [], kept: [], withdrawn: old, ready: [new], revoked: &revoked)
        #expect(revoked.isEmpty)
        dispatcher.announce(source.add(2...3))
        // The command knew of an earlier commit only: it is fenced, and the job is ready still.
        dispatcher.settle(freed: [first.slot], kept: [], withdrawn: [], ready: [], revoked: &revoked)
        dispatcher.credit(id, jobs: 3, bytes: 0)
        #expect(dispatcher.grantAll(&source) == [9, 2, 3])
        #expect(dispatcher.disputes.isEmpty)
    }

    // MARK: Pending leases

    @Test
    func `a lease that a command may end counts for no other, and its job and credit stay taken`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 1)
        dispatcher.announce(source.add(1...2))
        #expect(dispatcher.grantAll(&source) == [1])
        let first = source.grants[0]
        #expect(dispatcher.suspend(first.slot, token: first.token, sessionSlot: 2) == nil)
        #expect(dispatcher.suspend(first.slot, token: first.token, sessionSlot: 1)?.job == JobID(1))
        #expect(dispatcher.suspend(first.slot, token: first.token, sessionSlot: 1) == nil)
        #expect(dispatcher.finish(first.slot, token: first.token, sessionSlot: 1) == nil)
        #expect(dispatcher.subscription(id)?.creditJobs == 0)
        #expect(dispatcher.grantAll(&source) == [])
        #expect(dispatcher.leases.slot(of: JobID(1)) == first.slot)
    }

    @Test
    func `a pending lease that its command has ended is freed, and its credit comes back`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 1)
        dispatcher.announce(source.add(1...2))
        #expect(dispatcher.grantAll(&source) == [1])
        let first = source.grants[0]
        _ = dispatcher.suspend(first.slot, token: first.token, sessionSlot: 1)
        source.remove(1)
        var revoked: [Revocation] = []
        dispatcher.settle(freed: [first.slot], kept: [], withdrawn: [], ready: [], revoked: &revoked)
        #expect(revoked.isEmpty)
        #expect(dispatcher.leases.liveCount == 0)
        #expect(dispatcher.grantAll(&source) == [2])
    }

    @Test
    func `a pending lease that goes on is as good as before`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 1)
        dispatcher.announce(source.add(1...2))
        #expect(dispatcher.grantAll(&source) == [1])
        let first = source.grants[0]
        _ = dispatcher.suspend(first.slot, token: first.token, sessionSlot: 1)
        var revoked: [Revocation] = []
        dispatcher.settle(freed: [], kept: [first.slot], withdrawn: [], ready: [], revoked: &revoked)
        #expect(dispatcher.subscription(id)?.creditJobs == 0)
        #expect(dispatcher.finish(first.slot, token: first.token, sessionSlot: 1)?.job == JobID(1))
        dispatcher.checkInvariants()
    }

    @Test
    func `a job that is taken away behind the command that let its lease go on is revoked`() {
        var dispatcher = dispatcher
        var source = TestSource()
        _ = dispatcher.subscribe(jobs: 1)
        let entries = source.add(1...2)
        dispatcher.announce(entries)
        #expect(dispatcher.grantAll(&source) == [1])
        let first = source.grants[0]
        _ = dispatcher.suspend(first.slot, token: first.token, sessionSlot: 1)
        source.remove(1)
        var revoked: [Revocation] = []
        dispatcher.settle(freed: [], kept: [first.slot], withdrawn: [entries[0]], ready: [], revoked: &revoked)
        #expect(revoked.map(\.slot) == [first.slot])
        #expect(dispatcher.leases.isLive(first.slot) == false)
        #expect(dispatcher.grantAll(&source) == [2])
    }

    @Test
    func `a job that is taken away before the command is applied is revoked by nobody, and not lost`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 1)
        let entries = source.add(1...3)
        dispatcher.announce(entries)
        #expect(dispatcher.grantAll(&source) == [1])
        let first = source.grants[0]
        _ = dispatcher.suspend(first.slot, token: first.token, sessionSlot: 1)
        source.remove(1)
        var revoked: [Revocation] = []
        dispatcher.settle(freed: [], kept: [], withdrawn: [entries[0]], ready: [], revoked: &revoked)
        dispatcher.settle(freed: [], kept: [], withdrawn: [], ready: source.add([1]), revoked: &revoked)
        // The command is answered that it is fenced: its worker learns it by that.
        dispatcher.settle(freed: [first.slot], kept: [], withdrawn: [], ready: [], revoked: &revoked)
        #expect(revoked.isEmpty)
        dispatcher.credit(id, jobs: 2, bytes: 0)
        #expect(dispatcher.grantAll(&source) == [1, 2, 3])
    }

    @Test
    func `a lease outlives its subscription, and gives no credit to the next at its slot`() {
        var dispatcher = dispatcher
        var source = TestSource()
        let id = dispatcher.subscribe(jobs: 1, connection: 4)
        dispatcher.announce(source.add(1...2))
        #expect(dispatcher.grantAll(&source) == [1])
        let first = source.grants[0]
        dispatcher.unsubscribeAll(ofConnection: 4)
        #expect(dispatcher.subscription(id) == nil)
        let next = dispatcher.subscribe(jobs: 0, connection: 5)
        #expect(next.slot == id.slot && next != id)
        dispatcher.credit(id, jobs: 5, bytes: 5)
        dispatcher.block(id)
        dispatcher.unsubscribe(id)
        let lease = dispatcher.finish(first.slot, token: first.token, sessionSlot: 1)
        #expect(lease?.job == JobID(1))
        #expect(dispatcher.subscription(next)?.creditJobs == 0)
        dispatcher.checkInvariants()
    }

    @Test
    func `subscriptions that come and go leave nothing in the rows`() {
        var dispatcher = dispatcher
        _ = dispatcher.subscribe(jobs: 1)
        for _ in 0..<1000 { dispatcher.unsubscribe(dispatcher.subscribe(jobs: 1)) }
        dispatcher.checkInvariants()
        #expect(dispatcher.lanes[0].waiters.count <= 3)
    }
}
