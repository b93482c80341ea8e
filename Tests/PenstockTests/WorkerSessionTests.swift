import NIOCore
import PenstockWire
import Testing

@testable import Penstock

/// What a session keeps of its workers.
struct WorkerSessionTests {
    var session = TestSession()
    let worker = WorkerID(rawValue: 1)

    init() { session.open() }

    private mutating func end() {
        session.run { machine, now, output in machine.end(WorkerID(rawValue: 1), 7, "end", now: now, &output) }
    }

    private mutating func release(_ tokens: UInt64...) {
        let tokens = tokens.map { LeaseToken($0) }
        session.run { machine, _, output in machine.release(tokens, &output) }
    }

    @Test mutating func `a lease that is given back while HOLD lists it is given back after it`() throws {
        session.begin(worker)
        session.disconnect()
        session.connect()
        session.welcome(leases: [worker: HeldLeases(generation: 1, tokens: [LeaseToken(4), LeaseToken(5)])])
        _ = session.takeFrames()
        release(4)
        release()
        #expect(session.sent() == [])
        session.held()
        let frames = session.takeFrames()
        #expect(frames.map(\.opcode) == [.release, .subscribe])
        #expect(try frames[0].message(Release.self).tokens == [LeaseToken(4)])
    }

    @Test mutating func `what was given back under a HOLD that the connection took with it is not listed again`() {
        session.disconnect()
        session.connect()
        session.welcome()
        release(4)
        session.disconnect()
        _ = session.sent()
        session.connect()
        session.welcome()
        session.held()
        #expect(session.sent() == [.hello, .hold])
    }

    @Test(arguments: [true, false])
    mutating func `a stream that has ended is forgotten with the answer`(isRefused: Bool) {
        session.begin(worker)
        end()
        #expect(session.machine.worker(of: 1) == worker)
        session.run { machine, _, output in
            machine.replied(7, isRefused ? .failure(PenstockError(.unknownStream, "")) : .success([]), &output)
        }
        #expect(session.machine.worker(of: 1) == nil)
        #expect(session.machine.endingStreams.isEmpty)
    }

    @Test mutating func `a worker whose subscription has ended is told that its leases have run out`() {
        session.begin(worker)
        end()
        session.disconnect()
        _ = session.takeEvents()
        session.advance(.milliseconds(3001))
        session.advance(.seconds(9))
        #expect(session.takeEvents() == ["overdue"])
        // The next loss of the connection is another one.
        session.connect()
        session.welcome()
        session.held()
        session.disconnect()
        session.advance(.milliseconds(3001))
        #expect(session.takeEvents() == ["resumed, 0 repeated", "overdue"])
    }

    @Test mutating func `a worker that holds nothing any more is told nothing`() {
        session.begin(worker)
        end()
        session.run { machine, _, _ in machine.forget(WorkerID(rawValue: 1)) }
        session.disconnect()
        _ = session.takeEvents()
        session.advance(.seconds(60))
        #expect(session.takeEvents() == [])
    }
}
