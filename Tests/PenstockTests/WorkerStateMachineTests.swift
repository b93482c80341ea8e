import PenstockWire
import Testing

@testable import Penstock

/// Which slot runs which job.
struct WorkerStateMachineTests {
    /// Waiters and handles are the numbers of their slots.
    typealias Machine = WorkerStateMachine<Int, Int>

    var machine = Machine(concurrency: 3)

    static func delivery(_ token: UInt64) -> Delivery {
        Delivery(
            slot: UInt32(token),
            token: LeaseToken(token),
            job: PenstockWire.JobID(token),
            flow: .none,
            queue: 0,
            attempts: 1,
            attemptsMade: 0,
            hasDependencies: false,
            contentType: .none,
            attemptsStarted: 1,
            stalledCount: 0,
            priority: 0,
            createdAt: 0,
            name: "job",
            data: []
        )
    }

    /// What a slot does next, as text: `run 7`, `run 7, wake 2`, `wait`, `replace`, `stop`.
    private mutating func next(_ slot: Int) -> String {
        switch machine.next(slot) {
        case .run(let delivery, nil): "run \(delivery.token.rawValue)"
        case .run(let delivery, let waiter?): "run \(delivery.token.rawValue), wake \(waiter)"
        case .wait: "wait"
        case .replace: "replace"
        case .stop: "stop"
        }
    }

    private mutating func park(_ slots: Int...) {
        for slot in slots {
            #expect(next(slot) == "wait")
            #expect(machine.park(slot, slot) == nil)
        }
    }

    private mutating func began(_ slot: Int, _ handle: Int, isCancelled: Bool) {
        let token = machine.began(slot, handle)
        #expect((token != nil) == isCancelled)
    }

    /// The end of the job that a slot runs.
    private mutating func finish(_ slot: Int) -> Machine.Finish {
        machine.finish(slot, machine.slots[slot].lease?.delivery.token ?? .none)
    }

    private mutating func revoke(_ tokens: UInt64...) -> (cancel: [Int], credits: Int) {
        let revoked = Dictionary(uniqueKeysWithValues: tokens.map { (LeaseToken($0), JobCancellation.leaseLost) })
        let (cancelled, credits) = machine.revoke(revoked)
        return (cancelled.handles, credits)
    }

    private mutating func receive(_ tokens: ClosedRange<UInt64>) -> Int? {
        machine.receive(tokens.map(Self.delivery)).wake
    }

    @Test mutating func `a delivery wakes one parked slot`() {
        park(0, 1, 2)
        #expect(receive(1...1) == 2)
        #expect(next(2) == "run 1")
        #expect(finish(2).isHeld)
        #expect(next(2) == "wait")
    }

    @Test mutating func `one woken slot is under way at a time, and each wakes the next`() {
        park(0, 1, 2)
        #expect(receive(1...3) == 2)
        #expect(receive(4...4) == nil)
        #expect(next(2) == "run 1, wake 1")
        #expect(next(1) == "run 2, wake 0")
        #expect(next(0) == "run 3")
    }

    @Test mutating func `a slot that is done takes the next job without being woken`() {
        park(0, 1)
        #expect(receive(1...3) == 1)
        #expect(next(1) == "run 1, wake 0")
        _ = finish(1)
        // Slot 0 is on its way: nobody else is woken.
        #expect(next(1) == "run 2")
        #expect(next(0) == "run 3")
        _ = finish(0)
        #expect(next(0) == "wait")
    }

    @Test mutating func `a slot that comes late to an empty queue parks again`() {
        park(0, 1)
        #expect(receive(1...1) == 1)
        #expect(next(2) == "run 1")
        #expect(next(1) == "wait")
        #expect(machine.park(1, 1) == nil)
        #expect(receive(2...2) == 1)
    }

    @Test mutating func `a slot that parks while a job comes does not sleep`() {
        #expect(next(0) == "wait")
        #expect(receive(1...1) == nil)
        #expect(machine.park(0, 0) == 0)
        #expect(next(0) == "run 1")
    }

    @Test mutating func `a revoked job's task is cancelled, its result is dropped, and its slot replaced`() {
        began(0, 100, isCancelled: false)
        _ = receive(1...2)
        #expect(next(0) == "run 1")
        let (handles, credits) = revoke(1, 99)
        #expect(handles == [100])
        #expect(credits == 0)
        #expect(!finish(0).isHeld)
        #expect(next(0) == "replace")
        began(0, 101, isCancelled: false)
        #expect(next(0) == "run 2")
        #expect(finish(0).isHeld)
    }

    @Test mutating func `a job revoked before its task is known is cancelled when it is`() {
        _ = receive(1...1)
        #expect(next(0) == "run 1")
        #expect(revoke(1).cancel == [])
        began(0, 100, isCancelled: true)
    }

    @Test mutating func `a job revoked before it was begun never is`() {
        _ = receive(1...2)
        #expect(revoke(1).cancel == [])
        #expect(next(0) == "run 2")
    }

    @Test mutating func `a job is revoked once`() {
        _ = machine.began(0, 100)
        _ = receive(1...1)
        #expect(next(0) == "run 1")
        #expect(revoke(1).cancel == [100])
        #expect(revoke(1).cancel == [])
        #expect(machine.cancelRunning().cancelled.handles == [])
    }

    @Test mutating func `what is held at a resume is listed, and its credits come from the client`() {
        _ = receive(1...3)
        #expect(next(0) == "run 1")
        #expect(next(1) == "run 2")
        let held = machine.held()
        #expect(held.generation == 1)
        #expect(Set(held.tokens.map(\.rawValue)) == [1, 2, 3])
        #expect(finish(0).credit == 1)
        #expect(next(0) == "run 3")
        #expect(finish(0).credit == 1)
        // A delivery on the new connection gets its credit back from the server.
        _ = receive(4...4)
        #expect(next(0) == "run 4")
        #expect(finish(0).credit == nil)
    }

    @Test mutating func `a lease that a resume finds dead gives its credit back once`() {
        _ = machine.began(0, 100)
        _ = receive(1...2)
        #expect(next(0) == "run 1")
        _ = machine.held()
        let (handles, credits) = revoke(1, 2)
        #expect(handles == [100])
        #expect(credits == 1)
        let finish = finish(0)
        #expect(!finish.isHeld)
        #expect(finish.credit == 1)
    }

    @Test mutating func `what was revoked is not listed at a resume`() {
        _ = receive(1...1)
        #expect(next(0) == "run 1")
        _ = revoke(1)
        #expect(machine.held().tokens == [])
    }

    @Test mutating func `what a second resume does not list any more is no debt of the client's`() {
        _ = machine.began(0, 100)
        _ = receive(1...2)
        #expect(next(0) == "run 1")
        #expect(next(1) == "run 2")
        _ = machine.held()
        _ = revoke(1)
        machine.ended(LeaseToken(2))
        #expect(machine.held().tokens == [])
        #expect(finish(0).credit == nil)
        #expect(finish(1).credit == nil)
    }

    @Test mutating func `a lost session takes every lease and every debt`() {
        _ = machine.began(0, 100)
        _ = receive(1...2)
        #expect(next(0) == "run 1")
        _ = machine.held()
        #expect(machine.loseAll().handles == [100])
        let finish = finish(0)
        #expect(!finish.isHeld)
        #expect(finish.credit == nil)
        #expect(next(0) == "replace")
        #expect(next(0) == "wait")
    }

    @Test mutating func `a stop wakes who sleeps, gives back what waits, and lets run what runs`() {
        park(0)
        _ = receive(1...1)
        #expect(next(0) == "run 1")
        park(1, 2)
        _ = receive(2...2)
        let (waiters, tokens) = machine.stop()
        #expect(waiters == [1])
        #expect(tokens == [LeaseToken(2)])
        #expect(machine.receive([Self.delivery(3)]).unwanted.tokens == [LeaseToken(3)])
        #expect(next(1) == "stop")
        #expect(next(2) == "stop")
        #expect(finish(0).isHeld)
        #expect(next(0) == "stop")
    }

    @Test mutating func `what runs too long after a stop is cancelled and given back`() {
        _ = machine.began(0, 100)
        _ = receive(1...1)
        #expect(next(0) == "run 1")
        _ = machine.stop()
        let (cancelled, tokens) = machine.cancelRunning()
        #expect(cancelled.handles == [100])
        #expect(tokens == [LeaseToken(1)])
        #expect(!finish(0).isHeld)
        #expect(next(0) == "replace")
        #expect(next(0) == "stop")
    }

    // MARK: Leases that end before their handler

    @Test mutating func `a lease that its own handler has ended is neither ended again nor listed`() {
        park(0)
        _ = receive(1...1)
        #expect(next(0) == "run 1")
        machine.ended(LeaseToken(1))
        #expect(machine.held().tokens == [])
        let finish = finish(0)
        #expect(!finish.isHeld)
        #expect(finish.credit == nil)
    }

    @Test mutating func `a handler that runs on after its lease has ended is cancelled at the end of the worker`() {
        park(0)
        _ = receive(1...1)
        #expect(next(0) == "run 1")
        began(0, 70, isCancelled: false)
        machine.ended(LeaseToken(1))
        _ = machine.stop()
        let (cancelled, release) = machine.cancelRunning()
        #expect(cancelled.handles == [70])
        #expect(release == [])
    }

    // MARK: Handlers that ignore their cancellation

    @Test mutating func `a handler that ignores its cancellation loses its slot, and its end changes nothing`() {
        began(0, 100, isCancelled: false)
        _ = receive(1...2)
        #expect(next(0) == "run 1")
        _ = revoke(1)
        #expect(machine.leaveBehind([LeaseToken(1)]).tasks == [100])
        #expect(machine.leaveBehind([LeaseToken(1)]).tasks == [])
        began(0, 101, isCancelled: false)
        #expect(next(0) == "run 2")
        let late = machine.finish(0, LeaseToken(1))
        #expect(late.isLeftBehind && !late.isHeld && late.credit == nil)
        let finished = finish(0)
        #expect(finished.isHeld && !finished.isLeftBehind)
    }

    @Test mutating func `a token that the server delivers twice ends as two jobs, or not at all`() {
        for slot in 0...1 { began(slot, 100 + slot, isCancelled: false) }
        _ = machine.receive([Self.delivery(1), Self.delivery(1)])
        #expect(next(0) == "run 1")
        #expect(next(1) == "run 1")
        #expect(revoke(1).cancel == [100, 101])
        #expect(machine.leaveBehind([LeaseToken(1)]).tasks == [100, 101])
        // Once more, while it is left behind: it is not run.
        #expect(receive(1...1) == nil)
        #expect(next(0) == "wait")
        for slot in 0...1 { #expect(machine.finish(slot, LeaseToken(1)).isLeftBehind) }
    }

    @Test mutating func `a handler that has ended in its grace is not left behind`() {
        began(0, 100, isCancelled: false)
        _ = receive(1...1)
        #expect(next(0) == "run 1")
        _ = revoke(1)
        #expect(!finish(0).isLeftBehind)
        #expect(next(0) == "replace")
        #expect(machine.leaveBehind([LeaseToken(1)]).tasks == [])
    }

    @Test mutating func `a handler can tell why it is cancelled, also without its slot`() {
        began(0, 100, isCancelled: false)
        _ = receive(1...1)
        #expect(next(0) == "run 1")
        #expect(machine.cancellation(of: LeaseToken(1)) == nil)
        let reason = JobCancellation(reason: .cancelled, message: "not wanted")
        _ = machine.revoke([LeaseToken(1): reason])
        #expect(machine.cancellation(of: LeaseToken(1)) == reason)
        _ = machine.leaveBehind([LeaseToken(1)])
        #expect(machine.cancellation(of: LeaseToken(1)) == reason)
    }

    // MARK: Concurrency

    @Test mutating func `a higher concurrency opens slots, and a lower one closes them when they are free`() {
        park(0, 1, 2)
        #expect(machine.setConcurrency(5).open == [3, 4])
        let change = machine.setConcurrency(1)
        #expect(change.open == [])
        #expect(change.wake == [2, 1, 0])
        for slot in 0..<4 { #expect(next(slot) == "stop") }
        #expect(next(4) == "wait")
        for slot in 0..<4 {
            let entered = machine.enter(slot)
            #expect(!entered)
        }
    }

    @Test mutating func `with a lower concurrency what can't be begun is given back`() {
        _ = receive(1...3)
        #expect(next(0) == "run 1")
        let change = machine.setConcurrency(2)
        #expect(change.returned.tokens == [LeaseToken(3)])
        // One that was on its way: two are under way already.
        #expect(machine.receive([Self.delivery(4)]).unwanted.tokens == [LeaseToken(4)])
        #expect(next(1) == "stop")
        #expect(next(2) == "run 2")
    }

    @Test mutating func `with its old concurrency a worker takes whatever comes`() {
        _ = machine.setConcurrency(2)
        #expect(machine.receive((1...3).map(Self.delivery)).unwanted.tokens == [LeaseToken(3)])
        _ = machine.setConcurrency(3)
        #expect(machine.receive((3...5).map(Self.delivery)).unwanted.tokens == [])
    }

    @Test mutating func `a slot that was closed is opened again`() {
        for slot in 0..<3 { _ = machine.enter(slot) }
        _ = machine.setConcurrency(1)
        #expect(next(1) == "stop")
        #expect(next(2) == "stop")
        machine.leave(1)
        machine.leave(2)
        #expect(Set(machine.setConcurrency(3).open) == [1, 2])
        #expect(next(1) == "wait")
        _ = machine.stop()
        #expect(!machine.isDrained)
    }

    @Test mutating func `a pause gives back what has not begun, with the credits of an earlier connection`() {
        _ = receive(1...2)
        #expect(next(0) == "run 1")
        _ = machine.held()
        let returned = machine.pause()
        #expect(returned.tokens == [LeaseToken(2)])
        #expect(returned.credits == 1)
        #expect(machine.receive([Self.delivery(3)]).unwanted.tokens == [LeaseToken(3)])
        machine.resume()
        #expect(machine.receive([Self.delivery(4)]).unwanted.tokens == [])
        #expect(next(1) == "run 4")
    }

    @Test func `a machine for one job stops with it`() {
        var machine = Machine(concurrency: 1, isSingle: true)
        _ = machine.receive([Self.delivery(1)])
        guard case .run = machine.next(0) else {
            Issue.record("no job")
            return
        }
        #expect(machine.hasBegunJob)
        #expect(machine.receive([Self.delivery(2)]).unwanted.tokens == [LeaseToken(2)])
        _ = machine.finish(0, LeaseToken(1))
        guard case .stop = machine.next(0) else {
            Issue.record("another job")
            return
        }
    }
}
