import BenchSupport
import PenstockWire
import Testing

@testable import PenstockBench

struct SessionNumbersTests {
    @Test func `numbers go on from the last one applied`() {
        var session = SessionNumbers(lastApplied: 41, framesInFlightMax: 4, addWindowBytes: 100)
        #expect(session.take(3, at: 1) == 42)
        #expect(session.take(1, at: 1) == 45)
        #expect(session.confirmed == 41 && session.commandsInFlight == 4)
    }

    @Test func `a frame is answered with the last of its outcomes`() throws {
        var session = SessionNumbers(framesInFlightMax: 1, addWindowBytes: 100)
        _ = session.take(3, at: 1)
        try session.acknowledge(first: 1, count: 2, at: 5)
        #expect(!session.hasRoom())
        try session.acknowledge(first: 3, count: 1, at: 5)
        #expect(session.hasRoom() && session.confirmed == 3)
    }

    @Test func `one run of outcomes can end many frames`() throws {
        var session = SessionNumbers(framesInFlightMax: 5000, addWindowBytes: 100)
        for _ in 0..<3000 { _ = session.take(2, at: 1) }
        try session.acknowledge(first: 1, count: 5999, at: 2)
        #expect(session.framesInFlight == 1)
    }

    @Test func `the add window counts the bytes of unanswered adds`() throws {
        var session = SessionNumbers(framesInFlightMax: 10, addWindowBytes: 100)
        #expect(session.hasRoom(addBytes: 100) && !session.hasRoom(addBytes: 101))
        _ = session.take(1, addBytes: 60, at: 1000)
        #expect(!session.hasRoom(addBytes: 41))
        #expect(session.hasRoom())
        try session.acknowledge(first: 1, count: 1, at: 1300)
        #expect(session.addBytesInFlight == 0)
        #expect(session.addLatency.count == 1 && session.addLatency.max == 300)
    }
}

struct RingTests {
    @Test func `elements come out in order while it wraps around and grows`() {
        var ring = Ring(empty: 0)
        var taken = 0
        for element in 0..<5000 {
            ring.append(element)
            if element.isMultiple(of: 3) {
                #expect(ring.first == taken)
                #expect(ring.removeFirst() == taken)
                taken += 1
            }
        }
        #expect(ring.count == 5000 - taken)
        while !ring.isEmpty {
            #expect(ring.removeFirst() == taken)
            taken += 1
        }
        #expect(taken == 5000 && ring.first == nil)
    }
}
