import NIOCore
import PenstockWire
import Testing

@testable import Penstock

/// A session that loses its connection.
struct ResumeTests {
    var session = TestSession()
    let worker = WorkerID(rawValue: 1)

    init() { session.open() }

    private mutating func reconnect(lastApplied: UInt64, leases: [WorkerID: HeldLeases] = [:]) {
        session.disconnect()
        session.connect()
        session.welcome(lastApplied: lastApplied, leases: leases)
    }

    @Test mutating func `a resumed session names itself and what it has confirmed`() throws {
        session.add("a", request: 1)
        session.add("b", request: 2)
        session.apply(1)
        _ = session.takeFrames()
        session.disconnect()
        session.connect()
        let hello = try session.takeFrames()[0].message(Hello.self)
        #expect(hello.mode == .resume)
        #expect(hello.session == SessionID(high: 2, low: 2))
        #expect(hello.confirmed == 1)
    }

    @Test mutating func `nothing follows HOLD before it is answered`() throws {
        session.add("a", request: 1)
        session.begin(worker)
        session.disconnect()
        session.connect()
        _ = session.takeFrames()
        session.welcome(lastApplied: 0)
        session.add("b", request: 2)
        let frames = session.takeFrames()
        #expect(frames.map(\.opcode) == [.hold])
        #expect(try frames[0].message(Hold.self).tokens == [])
        session.held()
        #expect(session.takeFrames().map(\.opcode) == [.subscribe, .add, .add])
        #expect(session.takeEvents() == ["resumed, 1 repeated"])
    }

    @Test mutating func `a reply that was lost comes after the resume, and nothing is repeated`() {
        session.add("a", request: 1)
        reconnect(lastApplied: 1)
        _ = session.takeFrames()
        session.apply(1, body: [7, 7])
        session.held()
        #expect(session.sent() == [])
        #expect(session.takeEvents() == ["a: 2 bytes", "resumed, 0 repeated"])
        #expect(session.machine.framesInFlight == 0)
    }

    @Test mutating func `a command that was lost is sent again with its number`() {
        session.add("a", request: 1)
        session.complete([5, 6])
        session.add("b", request: 2)
        let before = session.takeFrames()
        reconnect(lastApplied: 1)
        session.held()
        let after = session.takeFrames().filter { $0.opcode?.isDurable == true }
        #expect(after.map(\.sequence) == [2, 4])
        #expect(after == Array(before.dropFirst()))
        session.apply(1)
        session.apply(2, count: 3)
        #expect(session.takeEvents() == ["resumed, 2 repeated", "a: 0 bytes", "b: 0 bytes"])
        #expect(session.machine.log.isEmpty)
    }

    @Test(arguments: 0...4) mutating func `a frame that was applied in part is repeated in part`(applied: Int) throws {
        session.complete([11, 12, 13, 14])
        reconnect(lastApplied: UInt64(applied))
        let hold = try #require(session.takeFrames().last)
        #expect(try hold.message(Hold.self).tokens.map(\.rawValue) == Array([11, 12, 13, 14].dropFirst(applied)))
        session.held()
        let frames = session.takeFrames()
        if applied == 4 {
            #expect(frames.isEmpty)
        } else {
            let complete = try #require(try frames.first?.message(Complete.self))
            #expect(complete.sequence == UInt64(applied) + 1)
            #expect(complete.completions.map(\.token.rawValue) == Array([11, 12, 13, 14].dropFirst(applied)))
        }
        if applied > 0 { session.apply(1, count: UInt32(applied)) }
        if applied < 4 { session.apply(UInt64(applied) + 1, count: UInt32(4 - applied)) }
        #expect(session.machine.log.isEmpty)
        #expect(session.machine.confirmed == 4)
    }

    @Test mutating func `failures are cut like completions`() throws {
        let failures = (1...3).map { Failure(slot: $0, token: LeaseToken(UInt64($0)), message: "m") }
        let frame = ByteBuffer(Fail(sequence: 0, failures: failures))
        session.run { machine, _, output in
            machine.complete(DurableFrame(completions: frame, count: 3), &output)
        }
        reconnect(lastApplied: 2)
        session.held()
        let fail = try #require(try session.takeFrames().last?.message(Fail.self))
        #expect(fail.sequence == 3)
        #expect(fail.failures == [failures[2]])
    }

    @Test mutating func `HOLD lists what runs, and what is on its way to be completed`() throws {
        session.begin(worker, concurrency: 8)
        session.complete([1])
        session.complete([2])
        session.disconnect()
        session.complete([3])
        session.connect()
        _ = session.takeFrames()
        let leases = [worker: HeldLeases(generation: 1, tokens: [LeaseToken(9), LeaseToken(3)])]
        session.welcome(lastApplied: 1, leases: leases)
        let hold = try session.takeFrames()[0].message(Hold.self)
        #expect(hold.tokens.map(\.rawValue) == [2, 3, 9])
    }

    @Test mutating func `HOLD lists no more leases than it may, and the worker gives up the others`() throws {
        let most = Limits.tokensPerFrameMax
        session.begin(worker, concurrency: Limits.creditJobsMax)
        session.complete([1_000_000])
        session.disconnect()
        session.connect()
        _ = session.takeFrames()
        let tokens = (1...UInt64(most)).map { LeaseToken($0) }
        session.welcome(leases: [worker: HeldLeases(generation: 1, tokens: tokens)])
        let hold = try session.takeFrames()[0].message(Hold.self)
        #expect(hold.tokens == tokens.dropLast() + [LeaseToken(1_000_000)])
        #expect(session.takeEvents() == ["fenced [\(most)]"])
    }

    @Test mutating func `a command under a lease is sent again with its number, and lists no lease of its own`() throws
    {
        session.move("move", request: 1, token: 7)
        let before = session.takeFrames()
        session.disconnect()
        session.connect()
        _ = session.takeFrames()
        // Its worker still holds the lease, or does not want it any more.
        session.welcome(lastApplied: 0, leases: [worker: HeldLeases(generation: 1, tokens: [LeaseToken(9)])])
        #expect(try session.takeFrames()[0].message(Hold.self).tokens.map(\.rawValue) == [9])
        session.held()
        #expect(session.takeFrames() == before)
        session.apply(1, body: [1])
        #expect(session.takeEvents() == ["resumed, 1 repeated", "move: 1 bytes"])
    }

    @Test mutating func `dead leases are told to the workers`() {
        reconnect(lastApplied: 0)
        session.held(fenced: [4, 5])
        #expect(session.takeEvents() == ["fenced [4, 5]", "resumed, 0 repeated"])
    }

    @Test mutating func `a new subscription asks for what the worker has room for`() throws {
        session.begin(worker, concurrency: 8)
        let leases = [worker: HeldLeases(generation: 1, tokens: [LeaseToken(1), LeaseToken(2)])]
        reconnect(lastApplied: 0, leases: leases)
        // One of the two ends while HOLD is under way, and an earlier one is told late.
        session.run { machine, _, output in
            machine.credit(WorkerID(rawValue: 1), generation: 1, count: 1, &output)
            machine.credit(WorkerID(rawValue: 1), generation: 0, count: 1, &output)
        }
        _ = session.takeFrames()
        session.held()
        let frames = session.takeFrames()
        #expect(try frames[0].message(Subscribe.self).creditJobs == 7)
        session.run { machine, _, output in machine.credit(WorkerID(rawValue: 1), generation: 1, count: 1, &output) }
        let credit = try #require(session.takeFrames().first)
        #expect(try credit.message(Credit.self).jobs == 1)
        #expect(credit.header.stream == frames[0].header.stream)
    }

    @Test mutating func `each connection's stream has a number of its own`() {
        session.begin(worker)
        let first = session.takeFrames().map(\.header.stream)
        reconnect(lastApplied: 0)
        session.held()
        let second = session.takeFrames().filter { $0.opcode == .subscribe }.map(\.header.stream)
        #expect(first == [1])
        #expect(second == [2])
        #expect(session.machine.worker(of: 1) == nil)
        #expect(session.machine.worker(of: 2) == worker)
    }

    @Test mutating func `reads are asked again, what belongs to the connection is not`() {
        session.read("read", request: 1)
        session.read("release", request: 2, survives: false)
        _ = session.sent()
        session.disconnect()
        #expect(session.takeEvents() == ["release: connectionLost"])
        session.read("unsubscribe", request: 3, survives: false)
        #expect(session.takeEvents() == ["unsubscribe: connectionLost"])
        session.connect()
        session.welcome()
        session.held()
        #expect(session.sent() == [.hello, .hold, .getServer])
    }

    // MARK: A session that the server has forgotten

    @Test mutating func `an unknown session is replaced on the same connection`() throws {
        session.disconnect()
        session.connect()
        _ = session.takeFrames()
        session.refuse(.sessionUnknown)
        let hello = try session.takeFrames()[0].message(Hello.self)
        #expect(hello.mode == .open)
        #expect(hello.session != SessionID(high: 2, low: 2))
        #expect(hello.confirmed == 0)
        session.welcome()
        #expect(session.takeEvents() == ["session lost", "opened"])
    }

    @Test mutating func `under a new session what was sent is unknown, and what was not goes on from one`() {
        session.connect()
        session.machine.frameLimit = 2
        session.add("sent", request: 1)
        session.complete([8])
        session.add("held", request: 2)
        session.complete([9])
        session.read("read", request: 3)
        session.disconnect()
        session.connect()
        _ = session.takeFrames()
        session.refuse(.sessionUnknown)
        #expect(session.takeEvents() == ["sent: outcomeUnknown", "session lost"])
        session.welcome()
        let frames = session.takeFrames()
        #expect(frames.map(\.opcode) == [.hello, .add, .getServer])
        #expect(frames[1].sequence == 1)
        session.apply(1)
        #expect(session.takeEvents() == ["opened", "held: 0 bytes"])
        #expect(session.machine.confirmed == 1)
    }

    @Test mutating func `under a new session nothing is done with a lease of the old one`() {
        session.machine.frameLimit = 1
        session.move("sent", request: 1, token: 7)
        session.move("waiting", request: 2, token: 8)
        session.command("report", request: 3, Report(sequence: 0, slot: 0, token: LeaseToken(9), lines: ["a line"]))
        session.disconnect()
        session.connect()
        session.refuse(.sessionUnknown)
        let events = ["sent: outcomeUnknown", "waiting: fenced", "report: fenced", "session lost"]
        #expect(session.takeEvents() == events)
        #expect(session.machine.log.isEmpty)
    }

    @Test mutating func `a worker of a lost session has its whole room again`() throws {
        session.begin(worker, concurrency: 8)
        let leases = [worker: HeldLeases(generation: 1, tokens: [LeaseToken(1)])]
        reconnect(lastApplied: 0, leases: leases)
        session.disconnect()
        session.connect()
        session.refuse(.sessionUnknown)
        _ = session.takeFrames()
        session.welcome()
        #expect(try session.takeFrames()[0].message(Subscribe.self).creditJobs == 8)
    }

    @Test mutating func `a server that is draining is tried again, and nobody is told`() {
        session.read("read", request: 1)
        session.disconnect()
        session.connect()
        session.refuse(.draining)
        #expect(session.takeEvents() == ["close: draining"])
        #expect(session.machine.reads.count == 1)
    }

    @Test mutating func `a hello that can't ever be accepted is told to all who wait`() {
        session.disconnect()
        session.add("a", request: 1)
        session.read("r", request: 2)
        session.connect()
        session.refuse(.unsupportedVersion)
        #expect(
            session.takeEvents() == ["r: unsupportedVersion", "a: unsupportedVersion", "close: unsupportedVersion"]
        )
    }

    @Test mutating func `after a mistake of its own the client begins another session`() throws {
        session.add("a", request: 1)
        session.run { machine, _, output in
            machine.hardError(PenstockError(.badSequence, ""), fresh: SessionID(high: 50, low: 50), &output)
        }
        #expect(session.takeEvents() == ["a: outcomeUnknown", "session lost", "close: badSequence"])
        session.disconnect()
        _ = session.takeFrames()
        session.connect()
        #expect(try session.takeFrames()[0].message(Hello.self).mode == .open)
    }

    @Test mutating func `a hard error that is nobody's mistake keeps the session`() throws {
        session.add("a", request: 1)
        session.run { machine, _, output in
            machine.hardError(PenstockError(.heartbeatMissed, ""), fresh: SessionID(high: 50, low: 50), &output)
        }
        #expect(session.takeEvents() == ["close: heartbeatMissed"])
        session.disconnect()
        _ = session.takeFrames()
        session.connect()
        #expect(try session.takeFrames()[0].message(Hello.self).mode == .resume)
    }

    @Test mutating func `leases are given up when the server was not heard for as long as they last`() {
        session.begin(worker)
        session.disconnect()
        session.advance(.seconds(3))
        #expect(session.takeEvents() == [])
        session.advance(.milliseconds(1))
        session.advance(.seconds(9))
        #expect(session.takeEvents() == ["overdue"])
    }

    @Test mutating func `a worker that has never been connected has no leases to give up`() {
        session = TestSession()
        session.begin(worker)
        session.advance(.seconds(60))
        #expect(session.takeEvents() == [])
    }

    // MARK: Subscriptions

    @Test mutating func `a worker's end is answered when no delivery can follow`() {
        session.begin(worker)
        _ = session.sent()
        session.run { machine, now, output in
            machine.end(WorkerID(rawValue: 1), 7, "end", now: now, &output)
        }
        #expect(session.sent() == [.unsubscribe])
        #expect(session.machine.worker(of: 1) == worker)
        session.reply(7, bytes: 0)
        #expect(session.takeEvents() == ["end: 0 bytes"])
    }

    @Test mutating func `a worker's end without a connection is answered at once`() {
        session.begin(worker)
        session.disconnect()
        session.run { machine, now, output in
            machine.end(WorkerID(rawValue: 1), 7, "end", now: now, &output)
        }
        #expect(session.takeEvents() == ["end: 0 bytes"])
        session.connect()
        session.welcome()
        session.held()
        #expect(session.sent() == [.subscribe, .hello, .hold])
    }
}
