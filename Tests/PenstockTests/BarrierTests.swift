import NIOCore
import PenstockWire
import Testing

@testable import Penstock

/// Who waits until the ends of jobs are stored.
struct BarrierTests {
    var session = TestSession()

    init() { session.open() }

    private mutating func wait(_ who: String, request: UInt32 = 9, within bound: TimeAmount = .seconds(5)) {
        session.run { machine, now, output in
            machine.awaitCompletions(request, who, deadline: now + bound, &output)
        }
    }

    private mutating func cancel(_ request: UInt32) {
        session.run { machine, _, output in machine.cancel(request, .cancelledByTask, &output) }
    }

    @Test mutating func `nobody waits where everything is stored, whatever else is on its way`() {
        wait("none")
        session.add("add", request: 1)
        wait("add only")
        session.complete([1, 2])
        session.apply(1, count: 3)
        wait("stored")
        #expect(session.takeEvents() == ["none: 0 bytes", "add only: 0 bytes", "add: 0 bytes", "stored: 0 bytes"])
    }

    @Test mutating func `each waits for what was completed before it, and for no more`() {
        session.complete([1, 2])
        wait("first", request: 8)
        session.complete([3])
        wait("second", request: 9)
        session.apply(1)
        #expect(session.takeEvents() == [])
        session.apply(2)
        #expect(session.takeEvents() == ["first: 0 bytes"])
        #expect(!session.machine.isIdle)
        session.complete([4])
        session.apply(3)
        #expect(session.takeEvents() == ["second: 0 bytes"])
        #expect(session.machine.isIdle)
    }

    @Test mutating func `an outcome that comes out of order does not count for an earlier one, and a refusal counts`() {
        session.complete([1])
        wait("first")
        session.complete([2])
        session.apply(2)
        #expect(session.takeEvents() == [])
        session.apply(1, status: .fenced)
        #expect(session.takeEvents() == ["lease 1: fenced", "first: 0 bytes"])
    }

    @Test mutating func `a connection that breaks in between is waited for`() {
        session.complete([1, 2])
        wait("patient")
        session.disconnect()
        session.connect()
        session.welcome(lastApplied: 1)
        session.apply(1)
        session.held()
        #expect(session.takeEvents() == ["resumed, 1 repeated"])
        session.apply(2)
        #expect(session.takeEvents() == ["patient: 0 bytes"])
    }

    @Test mutating func `whoever is cancelled waits only as long as the connection stands`() {
        session.complete([1])
        wait("hurried")
        cancel(9)
        cancel(77)
        #expect(session.takeEvents() == [])
        session.disconnect()
        #expect(session.takeEvents() == ["hurried: connectionLost"])
        wait("without a connection", request: 10)
        cancel(10)
        #expect(session.takeEvents() == ["without a connection: connectionLost"])
    }

    @Test mutating func `the wait is bounded, and ends with the session or the client`() {
        session.complete([1])
        wait("short", within: .seconds(1))
        wait("long", within: .seconds(60))
        session.hear()
        session.advance(.seconds(1))
        #expect(session.takeEvents() == ["short: timedOut"])
        session.disconnect()
        session.connect()
        session.refuse(.sessionUnknown)
        #expect(session.takeEvents() == ["long: outcomeUnknown", "session lost"])
        session.welcome()
        session.complete([2])
        wait("aborted")
        session.run { machine, _, output in machine.abort(&output) }
        wait("too late")
        #expect(session.takeEvents() == ["opened", "aborted: outcomeUnknown", "too late: shutDown"])
    }

    @Test func `a client that ends with nothing on its way has stored everything`() {
        var session = TestSession()
        session.open()
        session.complete([1])
        session.apply(1)
        session.run { machine, _, output in machine.abort(&output) }
        session.run { machine, now, output in machine.awaitCompletions(1, "late", deadline: now, &output) }
        #expect(session.takeEvents() == ["late: 0 bytes"])
        session.complete([2])
        session.run { machine, now, output in machine.awaitCompletions(2, "too late", deadline: now, &output) }
        #expect(session.takeEvents() == ["too late: shutDown"])
    }
}
