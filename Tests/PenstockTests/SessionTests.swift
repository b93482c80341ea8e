import NIOCore
import PenstockWire
import Testing

@testable import Penstock

/// A session that stands: numbers, outcomes, windows, time.
struct SessionTests {
    var session = TestSession()

    @Test mutating func `a connection begins with a hello that opens a session`() throws {
        session.connect()
        let frames = session.takeFrames()
        #expect(frames.map(\.opcode) == [.hello])
        let hello = try frames[0].message(Hello.self)
        #expect(hello.mode == .open)
        #expect(hello.confirmed == 0)
        #expect(hello.client == "test")
    }

    @Test mutating func `nothing is sent between the hello and its answer`() {
        session.connect()
        _ = session.sent()
        session.add("a", request: 1)
        session.read("r", request: 2)
        session.begin(WorkerID(rawValue: 1))
        session.run { machine, _, output in machine.release([LeaseToken(1)], &output) }
        #expect(session.sent() == [])
        session.welcome()
        #expect(session.sent() == [.subscribe, .add, .getServer])
        #expect(session.takeEvents() == ["opened"])
    }

    @Test mutating func `an id that was never welcomed is not used again`() throws {
        session.connect()
        let first = try session.takeFrames()[0].message(Hello.self)
        session.disconnect()
        session.connect()
        let second = try session.takeFrames()[0].message(Hello.self)
        #expect(second.mode == .open)
        #expect(first.session != second.session)
    }

    @Test mutating func `commands are numbered from one without gaps`() {
        session.open()
        session.add("a", request: 1)
        session.complete([1, 2, 3])
        session.add("b", request: 2)
        #expect(session.takeFrames().map(\.sequence) == [1, 2, 5])
        #expect(session.machine.nextSequence == 6)
    }

    @Test mutating func `the outcome of an add reaches whoever waits for it`() {
        session.open()
        session.add("a", request: 1)
        session.add("b", request: 2)
        session.apply(1, body: [1, 2, 3])
        session.apply(2, status: .customIDExists)
        #expect(session.takeEvents() == ["a: 3 bytes", "b: customIDExists"])
        #expect(session.machine.confirmed == 2)
        #expect(session.machine.log.isEmpty)
    }

    @Test mutating func `a run of outcomes settles several frames`() {
        session.open()
        session.complete([1, 2, 3])
        session.complete([4, 5])
        session.apply(1, count: 4)
        #expect(session.machine.framesInFlight == 1)
        #expect(session.machine.confirmed == 4)
        session.apply(5)
        #expect(session.machine.framesInFlight == 0)
        #expect(session.machine.log.isEmpty)
    }

    @Test mutating func `outcomes may come in any order, and twice`() {
        session.open()
        session.add("a", request: 1)
        session.add("b", request: 2)
        session.apply(2, body: [1])
        session.apply(2, body: [1])
        #expect(session.machine.confirmed == 0)
        session.apply(1)
        session.apply(1)
        #expect(session.takeEvents() == ["b: 1 bytes", "a: 0 bytes"])
        #expect(session.machine.confirmed == 2)
        #expect(session.machine.framesInFlight == 0)
    }

    @Test mutating func `an outcome of a command that was never sent closes the connection`() {
        session.open()
        session.complete([1])
        session.apply(1, count: 2)
        session.apply(9)
        #expect(session.takeEvents() == ["close: malformed", "close: malformed"])
    }

    @Test mutating func `a fenced completion names its lease, and the others of the frame stand`() {
        session.open()
        session.complete([11, 12, 13])
        session.apply(1)
        session.apply(2, status: .fenced)
        session.apply(3)
        #expect(session.takeEvents() == ["lease 12: fenced"])
        #expect(session.machine.log.isEmpty)
    }

    @Test mutating func `frames in flight are bounded, and go on as outcomes come`() {
        session.connect()
        session.welcome { $0.framesInFlightMax = 2 }
        _ = session.sent()
        for token in 1...4 { session.complete([UInt64(token)]) }
        #expect(session.takeFrames().map(\.sequence) == [1, 2])
        session.apply(1)
        #expect(session.takeFrames().map(\.sequence) == [3])
        session.apply(2, count: 2)
        #expect(session.takeFrames().map(\.sequence) == [4])
    }

    @Test mutating func `commands that carry no add do not count in the add window`() {
        session.open()
        session.machine.addWindow = 100
        session.add("a", request: 1, bytes: 200)
        session.command("cancel", request: 2, Cancel(sequence: 0, target: .job(.init(1))))
        session.move("move", request: 3, token: 1)
        session.add("b", request: 4)
        #expect(session.sent() == [.add, .cancel, .move])
        session.apply(1)
        #expect(session.sent() == [.add])
        session.apply(2, body: [1, 0, 0, 0])
        session.apply(3, status: .fenced)
        #expect(session.takeEvents() == ["a: 0 bytes", "cancel: 4 bytes", "move: fenced"])
    }

    @Test mutating func `a client that leaves lets its workers finish, and takes nothing else`() {
        session.open()
        session.complete([1])
        session.run { machine, _, output in machine.leave(&output) }
        session.add("late", request: 1)
        session.move("move", request: 2, token: 2)
        #expect(session.takeEvents() == ["late: shutDown"])
        session.apply(1)
        session.apply(2, body: [1])
        #expect(session.sent() == [.complete, .move, .goodbye])
        session.move("too late", request: 3, token: 3)
        #expect(session.takeEvents() == ["move: 1 bytes", "too late: shutDown"])
    }

    @Test mutating func `bytes of adds in flight are bounded by the add window`() {
        session.connect()
        session.welcome { $0.addWindowBytes = 1000 }
        _ = session.sent()
        session.add("a", request: 1, bytes: 400)
        session.add("b", request: 2, bytes: 400)
        session.add("c", request: 3, bytes: 400)
        #expect(session.sent() == [.add, .add])
        session.apply(1)
        #expect(session.sent() == [.add])
        #expect(session.machine.addBytesInFlight > 800)
    }

    @Test mutating func `an add larger than the window is sent alone`() {
        session.connect()
        session.welcome { $0.addWindowBytes = 100 }
        _ = session.sent()
        session.add("a", request: 1, bytes: 400)
        session.add("b", request: 2, bytes: 400)
        #expect(session.sent() == [.add])
        session.apply(1)
        #expect(session.sent() == [.add])
        session.apply(2)
        #expect(session.machine.addBytesInFlight == 0)
    }

    @Test mutating func `a reply reaches whoever asked, once`() {
        session.open()
        session.read("r", request: 5)
        session.reply(5, bytes: 3)
        session.reply(5, bytes: 3)
        #expect(session.takeEvents() == ["r: 3 bytes"])
    }

    @Test mutating func `whoever gives up an add that was not sent takes it back`() {
        session.add("a", request: 1)
        session.add("b", request: 2)
        session.run { machine, _, output in machine.cancel(1, .cancelledByTask, &output) }
        #expect(session.takeEvents() == ["a: cancelled"])
        session.connect()
        session.welcome()
        #expect(session.sent() == [.hello, .add])
    }

    @Test mutating func `whoever gives up an add that was sent does not keep its number from being settled`() {
        session.open()
        session.add("a", request: 1)
        session.run { machine, _, output in machine.cancel(1, .cancelledByTask, &output) }
        session.apply(1)
        #expect(session.takeEvents() == ["a: cancelled"])
        #expect(session.machine.log.isEmpty)
        #expect(session.machine.framesInFlight == 0)
    }

    // MARK: Time

    @Test mutating func `a heartbeat confirms outcomes once in an interval, also where other frames are sent`() throws {
        session.open()
        _ = session.sent()
        for number in 1...3 as ClosedRange<UInt64> {
            session.advance(.milliseconds(999))
            #expect(session.sent() == [])
            session.add("a", request: UInt32(number))
            session.apply(number)
            session.hear()
            #expect(session.sent() == [.add])
            session.advance(.milliseconds(1))
            let frames = session.takeFrames()
            #expect(frames.map(\.opcode) == [.heartbeat])
            #expect(try frames[0].message(Heartbeat.self).number == number)
        }
    }

    @Test mutating func `a connection that is silent for two intervals is closed`() {
        session.open()
        session.advance(.milliseconds(1999))
        #expect(session.takeEvents() == [])
        session.advance(.milliseconds(1))
        #expect(session.takeEvents() == ["close: heartbeatMissed"])
    }

    @Test mutating func `a hello that is not answered is given up`() {
        session.connect()
        session.advance(.seconds(20))
        #expect(session.takeEvents() == ["close: heartbeatMissed"])
    }

    @Test mutating func `requests that are overdue fail, sent ones as unknown`() {
        session.add("waiting", request: 1, timeout: .seconds(1))
        session.read("read", request: 2, timeout: .seconds(1))
        session.advance(.seconds(1))
        #expect(session.takeEvents().sorted() == ["read: timedOut", "waiting: timedOut"])
        session.open()
        session.add("sent", request: 3, timeout: .seconds(1))
        session.hear()
        session.advance(.seconds(1))
        #expect(session.takeEvents() == ["sent: outcomeUnknown"])
    }

    @Test mutating func `a wait names what is left of its time`() throws {
        session.open()
        session.wait("w", request: 1, timeout: .seconds(10))
        #expect(try session.takeFrames()[0].message(Wait.self).timeout == 10_000)
        session.disconnect()
        session.now = session.now + .seconds(4)
        session.connect()
        session.welcome()
        _ = session.takeFrames()
        session.held()
        #expect(try session.takeFrames()[0].message(Wait.self).timeout == 6000)
    }

    // MARK: Leaving

    @Test mutating func `goodbye is said when everything has its outcome`() {
        session.open()
        session.add("a", request: 1)
        _ = session.sent()
        session.run { machine, _, output in machine.leave(&output) }
        #expect(session.sent() == [])
        session.add("late", request: 2)
        #expect(session.takeEvents() == ["late: shutDown"])
        session.apply(1)
        #expect(session.sent() == [.goodbye])
        session.run { machine, _, output in machine.farewell(&output) }
        #expect(session.takeEvents() == ["a: 0 bytes", "ended"])
        #expect(session.machine.phase == .ended)
    }

    @Test mutating func `completions still go out from a client that is leaving`() {
        session.open()
        session.complete([1])
        session.run { machine, _, output in machine.leave(&output) }
        session.complete([2])
        #expect(session.sent() == [.complete, .complete])
        session.apply(1, count: 2)
        #expect(session.sent() == [.goodbye])
    }

    @Test mutating func `a client without a connection and without debts ends at once`() {
        session.run { machine, _, output in machine.leave(&output) }
        #expect(session.takeEvents() == ["ended"])
    }

    @Test mutating func `an end at once tells everybody what is known`() {
        session.connect()
        session.welcome { $0.framesInFlightMax = 1 }
        session.add("sent", request: 1)
        session.add("held", request: 2)
        session.read("read", request: 3)
        _ = session.takeEvents()
        session.run { machine, _, output in machine.abort(&output) }
        #expect(session.takeEvents() == ["read: shutDown", "sent: outcomeUnknown", "held: shutDown"])
        session.add("late", request: 4)
        session.read("late read", request: 5)
        #expect(session.takeEvents() == ["late: shutDown", "late read: shutDown"])
    }
}
