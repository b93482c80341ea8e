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
        let result = machine.began(slot, handle)
        #expect(result == isCancelled)
    }

    private mutating func receive(_ tokens: ClosedRange<UInt64>) -> Int? {
        machine.receive(tokens.map(Self.delivery)).wake
    }

    @Test mutating func `a delivery wakes one parked slot`() {
        park(0, 1, 2)
        #expect(receive(1...1) == 2)
        #expect(next(2) == "run 1")
        #expect(machine.finish(2).isHeld)
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
        _ = machine.finish(1)
        // Slot 0 is on its way: nobody else is woken.
        #expect(next(1) == "run 2")
        #expect(next(0) == "run 3")
        _ = machine.finish(0)
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
        let (handles, credits) = machine.revoke([LeaseToken(1), LeaseToken(99)])
        #expect(handles == [100])
        #expect(credits == 0)
        #expect(!machine.finish(0).isHeld)
        #expect(next(0) == "replace")
        began(0, 101, isCancelled: false)
        #expect(next(0) == "run 2")
        #expect(machine.finish(0).isHeld)
    }

    @Test mutating func `a job revoked before its task is known is cancelled when it is`() {
        _ = receive(1...1)
        #expect(next(0) == "run 1")
        #expect(machine.revoke([LeaseToken(1)]).cancel == [])
        began(0, 100, isCancelled: true)
    }

    @Test mutating func `a job revoked before it was begun never is`() {
        _ = receive(1...2)
        #expect(machine.revoke([LeaseToken(1)]).cancel == [])
        #expect(next(0) == "run 2")
    }

    @Test mutating func `a job is revoked once`() {
        _ = machine.began(0, 100)
        _ = receive(1...1)
        #expect(next(0) == "run 1")
        #expect(machine.revoke([LeaseToken(1)]).cancel == [100])
        #expect(machine.revoke([LeaseToken(1)]).cancel == [])
        #expect(machine.cancelRunning().cancel == [])
    }

    @Test mutating func `what is held at a resume is listed, and its credits come from the client`() {
        _ = receive(1...3)
        #expect(next(0) == "run 1")
        #expect(next(1) == "run 2")
        let held = machine.held()
        #expect(held.generation == 1)
        #expect(Set(held.tokens.map(\.rawValue)) == [1, 2, 3])
        #expect(machine.finish(0).credit == 1)
        #expect(next(0) == "run 3")
        #expect(machine.finish(0).credit == 1)
        // A delivery on the new connection gets its credit back from the server.
        _ = receive(4...4)
        #expect(next(0) == "run 4")
        #expect(machine.finish(0).credit == nil)
    }

    @Test mutating func `a lease that a resume finds dead gives its credit back once`() {
        _ = machine.began(0, 100)
        _ = receive(1...2)
        #expect(next(0) == "run 1")
        _ = machine.held()
        let (handles, credits) = machine.revoke([LeaseToken(1), LeaseToken(2)])
        #expect(handles == [100])
        #expect(credits == 1)
        let finish = machine.finish(0)
        #expect(!finish.isHeld)
        #expect(finish.credit == 1)
    }

    @Test mutating func `what was revoked is not listed at a resume`() {
        _ = receive(1...1)
        #expect(next(0) == "run 1")
        _ = machine.revoke([LeaseToken(1)])
        #expect(machine.held().tokens == [])
    }

    @Test mutating func `a lost session takes every lease and every debt`() {
        _ = machine.began(0, 100)
        _ = receive(1...2)
        #expect(next(0) == "run 1")
        _ = machine.held()
        #expect(machine.loseAll() == [100])
        let finish = machine.finish(0)
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
        #expect(machine.receive([Self.delivery(3)]).unwanted == [LeaseToken(3)])
        #expect(next(1) == "stop")
        #expect(next(2) == "stop")
        #expect(machine.finish(0).isHeld)
        #expect(next(0) == "stop")
    }

    @Test mutating func `what runs too long after a stop is cancelled and given back`() {
        _ = machine.began(0, 100)
        _ = receive(1...1)
        #expect(next(0) == "run 1")
        _ = machine.stop()
        let (handles, tokens) = machine.cancelRunning()
        #expect(handles == [100])
        #expect(tokens == [LeaseToken(1)])
        #expect(!machine.finish(0).isHeld)
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
        let finish = machine.finish(0)
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
        let (cancel, release) = machine.cancelRunning()
        #expect(cancel == [70])
        #expect(release == [])
    }
}
