import PenstockWire
import TestSupport
import Testing

@testable import PenstockServer

@Suite(.computing) struct EventRingTests {
    /// Reads what there is for a reader who keeps up.
    private func read(
        _ ring: EventRing,
        _ kinds: EventKinds = .all,
        from position: inout EventRing.Position,
        bytes: Int = 1 << 20
    ) throws -> [Event] {
        var writer = WireWriter()
        let count = ring.read(kinds, from: &position, bytes: bytes, into: &writer)
        let bytes = writer.bytes
        var reader = WireReader(bytes.rawSpan)
        var events: [Event] = []
        for _ in 0..<count { events.append(try Event(from: &reader)) }
        try reader.end("the events")
        return events
    }

    private func append(_ numbers: some Sequence<UInt64>, _ kind: EventKind = .added, to ring: inout EventRing) {
        for number in numbers {
            var writer = WireWriter()
            Event(EventHead(kind), queue: "q", name: "job", data: [UInt8](repeating: 1, count: 40))
                .encode(into: &writer)
            ring.append(writer.span, sequence: number)
        }
    }

    @Test func `a reader gets each event once, in order, under the server's number`() throws {
        var ring = EventRing(after: 5)
        var position = ring.end
        append([7, 9], to: &ring)
        #expect(ring.catchUp(&position) == 0)
        #expect(try read(ring, from: &position).map(\.head.sequence) == [7, 9])
        #expect(try read(ring, from: &position).isEmpty && ring.isAtEnd(position))
        append([20], to: &ring)
        #expect(!ring.isAtEnd(position))
        let event = try #require(try read(ring, from: &position).first)
        #expect(event.head.sequence == 20 && event.queue == "q" && event.name == "job" && event.data.count == 40)
    }

    @Test func `a reader gets the kinds that it wants, and goes by the others`() throws {
        var ring = EventRing(after: 0)
        var position = ring.end
        append([1], .added, to: &ring)
        append([2], .completed, to: &ring)
        append([3], .waiting, to: &ring)
        let wanted: EventKinds = [EventKinds(.completed), EventKinds(.failed)]
        #expect(try read(ring, wanted, from: &position).map(\.head.sequence) == [2])
        #expect(ring.isAtEnd(position))
    }

    @Test func `a frame's bytes are a bound that the last event may pass`() throws {
        var ring = EventRing(after: 0)
        var position = ring.end
        append(1...10, to: &ring)
        #expect(try read(ring, from: &position, bytes: 1).map(\.head.sequence) == [1])
        #expect(try read(ring, from: &position, bytes: 250).map(\.head.sequence) == [2, 3, 4])
        #expect(try read(ring, from: &position).map(\.head.sequence) == Array(5...10))
    }

    @Test func `the oldest events go when there are too many bytes, and who has not read them is told`() throws {
        var ring = EventRing(after: 0, bytesMax: 100_000)
        var slow = ring.end
        var quick = ring.end
        for first in stride(from: UInt64(1), through: 4000, by: 100) {
            append(first..<first + 100, to: &ring)
            #expect(ring.byteCount <= 100_000)
            #expect(ring.catchUp(&quick) == 0)
            #expect(try read(ring, from: &quick).count == 100)
        }
        let lost = ring.catchUp(&slow)
        #expect(lost == ring.lost && lost > 2000)
        #expect(try read(ring, from: &slow).map(\.head.sequence) == Array(lost + 1...4000))
        #expect(ring.catchUp(&slow) == 0)
    }

    @Test func `a reader who had read all that has gone misses nothing`() throws {
        var ring = EventRing(after: 0, bytesMax: 40_000)
        append(1...300, to: &ring)
        var position = ring.end
        while ring.lost < 300 { append([ring.last + 1], to: &ring) }
        #expect(ring.lost >= 300)
        guard ring.lost == 300 else { return }
        #expect(ring.catchUp(&position) == 0)
        #expect(try read(ring, from: &position).first?.head.sequence == 301)
    }

    @Test func `a reader goes on behind any event that is kept, and behind none that is not`() throws {
        var ring = EventRing(after: 10, bytesMax: 100_000)
        append(stride(from: 12, through: 3000, by: 2), to: &ring)
        #expect(ring.position(after: 5) == nil && ring.position(after: ring.lost - 1) == nil)
        for since in [ring.lost, ring.lost + 1, ring.lost + 2, 2001, 2500, 2999, 3000, 3050] {
            var position = try #require(ring.position(after: since))
            #expect(ring.catchUp(&position) == 0)
            let events = try read(ring, from: &position)
            #expect(events.map(\.head.sequence) == Array(stride(from: since / 2 * 2 + 2, through: 3000, by: 2)))
        }
        // Numbers that others got, behind the last event of the ring.
        var ahead = try #require(ring.position(after: 3050))
        append([3060], to: &ring)
        #expect(try read(ring, from: &ahead).map(\.head.sequence) == [3060])
    }

    @Test func `after everything was lost a reader goes on with what comes`() throws {
        var ring = EventRing(after: 0)
        append(1...1000, to: &ring)
        var position = try #require(ring.position(after: 500))
        ring.dropAll(upTo: 1500)
        #expect(ring.byteCount == 0 && ring.position(after: 1000) == nil)
        #expect(ring.catchUp(&position) == 1500 && ring.isAtEnd(position))
        append([1501], to: &ring)
        #expect(ring.catchUp(&position) == 0)
        #expect(try read(ring, from: &position).map(\.head.sequence) == [1501])
    }
}
