import PenstockWire
import Testing

@testable import Penstock

/// A worker that has jobs at hand beside those that it runs.
struct PrefetchTests {
    typealias Machine = WorkerStateMachine<Int, Int>

    private func tokens(_ numbers: UInt64...) -> [LeaseToken] { numbers.map { LeaseToken($0) } }

    private func machine(concurrency: Int, holding count: UInt64, startsLater: Bool = false) -> Machine {
        var machine = Machine(concurrency: concurrency, prefetch: 3, startsLater: startsLater)
        _ = machine.receive((1...count).map(WorkerStateMachineTests.delivery))
        return machine
    }

    private func run(_ slot: Int, _ machine: inout Machine) -> UInt64? {
        guard case .run(let delivery, _) = machine.next(slot) else { return nil }
        return delivery.token.rawValue
    }

    // MARK: Slots

    @Test func `a worker wants as many jobs as it runs and has at hand`() {
        var machine = machine(concurrency: 2, holding: 5)
        #expect(machine.wanted == 5)
        #expect(machine.setConcurrency(4).returned.tokens == [])
        #expect(machine.wanted == 7)
        _ = machine.pause()
        #expect(machine.wanted == 0)
        machine.resume()
        #expect(machine.wanted == 7)
    }

    @Test func `with a lower concurrency what is more than it may have at hand is given back`() {
        var machine = machine(concurrency: 2, holding: 5)
        #expect(run(0, &machine) == 1 && run(1, &machine) == 2)
        let change = machine.setConcurrency(1)
        // Two run still, so that two more are all that there is room for.
        #expect(change.returned.tokens == tokens(5))
        #expect(machine.receive([WorkerStateMachineTests.delivery(6)]).unwanted.tokens == tokens(6))
    }

    @Test func `a recall takes what has not started, and nothing that runs`() {
        var machine = machine(concurrency: 1, holding: 4)
        #expect(run(0, &machine) == 1)
        _ = machine.held()
        _ = machine.receive([WorkerStateMachineTests.delivery(5)])
        let (returned, cancelled) = machine.recall(Set(tokens(1, 2, 5, 9)))
        #expect(returned.tokens == tokens(2, 5))
        #expect(returned.credits == 1)
        #expect(cancelled.tokens.isEmpty)
        #expect(machine.queue.map(\.delivery.token) == tokens(3, 4))
    }

    @Test func `a job that a slot has taken for a batch starts with the batch, and can be recalled before`() {
        var machine = machine(concurrency: 3, holding: 4, startsLater: true)
        for slot in 0..<3 {
            #expect(run(slot, &machine) == UInt64(slot + 1))
            #expect(machine.began(slot, slot) == nil)
        }
        #expect(machine.start(Set(tokens(1, 9))).map(\.token) == tokens(1))
        #expect(machine.start(Set(tokens(1))).isEmpty)
        let (returned, cancelled) = machine.recall(Set(tokens(1, 2)))
        #expect(returned.tokens == tokens(2) && returned.credits == 0)
        #expect(cancelled.handles == [1])
        #expect(machine.cancellation(of: LeaseToken(2))?.reason == .recalled)
        // It has gone back: its batch, should one begin now, starts without it.
        #expect(machine.start(Set(tokens(2, 3))).map(\.token) == tokens(3))
        let finish = machine.finish(1, LeaseToken(2))
        #expect(!finish.isHeld)
        let held = machine.held()
        #expect(held.tokens == tokens(4, 1, 3) && held.started.map(\.token) == tokens(1, 3))
    }

    // MARK: The session

    private func starts(_ frames: [TestSession.Frame]) throws -> [[UInt64]] {
        try frames.filter { $0.opcode == .started }.map {
            try $0.message(Started.self).leases.map(\.token.rawValue)
        }
    }

    private func leases(_ numbers: UInt64...) -> [Started.Lease] {
        numbers.map { Started.Lease(slot: UInt32($0), token: LeaseToken($0)) }
    }

    @Test func `a start is told at once, and after a resume again if its job still runs`() throws {
        var session = TestSession()
        session.open()
        let worker = WorkerID(rawValue: 1)
        session.begin(worker, concurrency: 5)
        let (first, second, third) = (leases(1, 2), leases(3), leases(4))
        session.run { machine, _, output in machine.start(first, &output) }
        #expect(try starts(session.takeFrames()) == [[1, 2]])
        session.disconnect()
        session.run { machine, _, output in machine.start(second, &output) }
        session.connect()
        let held = HeldLeases(generation: 1, tokens: first.map(\.token) + [LeaseToken(3)], started: first)
        session.welcome(leases: [worker: held])
        session.run { machine, _, output in machine.start(third, &output) }
        #expect(try starts(session.takeFrames()) == [])
        session.held()
        let frames = session.takeFrames()
        #expect(try starts(frames) == [[3, 1, 2, 4]])
        #expect(frames.first?.opcode == .subscribe)
        session.run { machine, _, output in machine.start([], &output) }
        #expect(session.takeFrames().isEmpty)
    }

    @Test func `what started in a session that was lost is told to nobody`() throws {
        var session = TestSession()
        session.open()
        session.disconnect()
        let started = leases(1)
        session.run { machine, _, output in machine.start(started, &output) }
        session.connect()
        session.refuse(.sessionUnknown)
        session.welcome()
        #expect(try starts(session.takeFrames()) == [])
    }

    @Test func `so many starts are told in several frames`() throws {
        var session = TestSession()
        session.open()
        let count = UInt64(Limits.tokensPerFrameMax)
        let many = (1...count + 1).map { Started.Lease(slot: 0, token: LeaseToken($0)) }
        session.run { machine, _, output in machine.start(many, &output) }
        #expect(try starts(session.takeFrames()).map(\.count) == [Int(count), 1])
    }

    @Test func `starts leave the outbox before what was asked for after them`() {
        let outbox = Outbox()
        #expect(outbox.put(.release([LeaseToken(1)])))
        #expect(!outbox.put(Started.Lease(slot: 0, token: LeaseToken(2))))
        #expect(!outbox.put(Completion(slot: 0, token: LeaseToken(2))))
        let batch = outbox.take()
        #expect(batch.started.map(\.token) == [LeaseToken(2)])
        #expect(batch.commands.count == 1 && batch.frames.count == 1)
        #expect(outbox.take().started.isEmpty)
    }
}
