import PenstockEngine
import PenstockWire
import TestSupport
import Testing

@testable import PenstockServer

@Suite(.computing) struct EventHubTests {
    private let queue = EventScope.queue(QueueID(1))

    private func listener(
        _ scope: EventScope,
        stream: UInt32 = 1,
        kinds: EventKinds = .all,
        credit: Int = 1 << 20
    ) -> EventListener {
        EventListener(connection: 0, stream: stream, scope: scope, kinds: kinds, creditBytes: credit)
    }

    private func event(_ kind: EventKind = .active, bytes: Int = 0) -> WireWriter {
        var writer = WireWriter()
        Event(EventHead(kind), queue: "q", name: "a", data: [UInt8](repeating: 7, count: bytes)).encode(into: &writer)
        return writer
    }

    private func tell(_ hub: inout EventHub, _ count: Int = 1, queue: UInt32 = 1, flow: UInt64 = 0, bytes: Int = 0) {
        let writer = event(bytes: bytes)
        for _ in 0..<count {
            hub.append(active: writer.span, QueueID(queue), FlowID(flow), commit: 1, settled: 1)
        }
    }

    /// The frames for a listener: what each says to be lost, and how many events it has.
    private func frames(_ hub: inout EventHub, _ listener: EventListener) throws -> [Events] {
        var frames: [Events] = []
        while true {
            var writer = WireWriter()
            guard hub.write(to: listener, into: &writer) else { return frames }
            let body = Array(writer.bytes.dropFirst(FrameHeader.byteCount))
            frames.append(try Events(body: body.rawSpan))
        }
    }

    @Test func `numbers rise over starts, and a scope that is opened anew has one of its own`() throws {
        var hub = EventHub(epoch: 3)
        hub.open(queue, elapsed: 0)
        let first = listener(queue)
        let sequence = hub.add(first, since: 0)
        #expect(sequence == 3 << 40 | 1)
        tell(&hub, 2)
        #expect(try frames(&hub, first).flatMap(\.events).map(\.head.sequence) == [sequence + 1, sequence + 2])
        hub.open(.all, elapsed: 0)
        #expect(hub.sequence == sequence + 3)
        // Whoever knew the last number before may have missed what nobody gathered.
        let late = listener(.all)
        #expect(hub.add(late, since: sequence + 2) == sequence + 3)
        #expect(try frames(&hub, late).map(\.lost) == [sequence + 3])
        #expect(EventHub(epoch: 4).sequence > hub.sequence)
    }

    @Test func `each hears what it listens to, in one order`() throws {
        var hub = EventHub(epoch: 1)
        let scopes: [EventScope] = [.all, queue, .flow(FlowID(9))]
        for scope in scopes { hub.open(scope, elapsed: 0) }
        let listeners = scopes.map { listener($0) }
        for listener in listeners { _ = hub.add(listener, since: 0) }
        tell(&hub, queue: 1)
        tell(&hub, queue: 2, flow: 9)
        tell(&hub, queue: 1, flow: 9)
        tell(&hub, queue: 2, flow: 8)
        let start = hub.sequence - 4
        let told = try listeners.map { listener in
            try frames(&hub, listener).flatMap(\.events).map { $0.head.sequence - start }
        }
        #expect(told == [[1, 2, 3, 4], [1, 3], [2, 3]])
        #expect(hub.hears(QueueID(1), .none) && hub.hears(QueueID(2), FlowID(9)))
    }

    @Test func `a ring is kept for its time after the last listener has gone, and not longer`() throws {
        var hub = EventHub(epoch: 1)
        hub.open(queue, elapsed: 1000)
        let first = listener(queue)
        let known = hub.add(first, since: 0)
        #expect(hub.takeExpired(elapsed: 10_000_000).isEmpty)
        hub.remove(first, elapsed: 20_000_000)
        tell(&hub, 3)
        #expect(hub.nextExpiry == 20_600_000)
        #expect(hub.takeExpired(elapsed: 20_599_999).isEmpty)
        let second = listener(queue)
        #expect(hub.add(second, since: known) == known)
        #expect(try frames(&hub, second).map(\.lost) == [0])
        #expect(hub.takeExpired(elapsed: 30_000_000).isEmpty && hub.isOn)
        hub.remove(second, elapsed: 30_000_000)
        #expect(hub.takeExpired(elapsed: 30_600_000) == [queue])
        #expect(!hub.isOn && hub.byteCount == 0 && hub.nextExpiry == .max)
    }

    @Test func `a scope that nobody came for in the end is forgotten too`() {
        var hub = EventHub(epoch: 1)
        hub.open(queue, elapsed: 5)
        #expect(hub.takeExpired(elapsed: 600_005) == [queue])
    }

    @Test func `a listener without credits is told nothing but gaps, and goes on where it was`() throws {
        var hub = EventHub(epoch: 1, bounds: .init(ringBytes: 100_000))
        hub.open(queue, elapsed: 0)
        let slow = listener(queue, credit: 100)
        _ = hub.add(slow, since: 0)
        tell(&hub, 10)
        // The second event takes it below zero.
        #expect(try frames(&hub, slow).map(\.events.count) == [2])
        #expect(slow.creditBytes < 0)
        slow.creditBytes += 1000
        #expect(try frames(&hub, slow).flatMap(\.events).count == 8)
        slow.creditBytes = 0
        tell(&hub, 3000)
        let gap = try frames(&hub, slow)
        #expect(gap.count == 1 && gap[0].lost > 0 && gap[0].events.isEmpty)
        #expect(try frames(&hub, slow).isEmpty)
        slow.creditBytes = 1 << 20
        let rest = try frames(&hub, slow)
        #expect(rest.allSatisfy { $0.lost == 0 })
        #expect(rest.flatMap(\.events).map(\.head.sequence) == Array(gap[0].lost + 1...hub.sequence))
    }

    @Test func `all rings together have a bound, and the largest pays for it`() throws {
        var hub = EventHub(epoch: 1, bounds: .init(ringBytes: 400_000, bytes: 500_000))
        let quiet = EventScope.queue(QueueID(2))
        for scope in [queue, quiet] { hub.open(scope, elapsed: 0) }
        let listener = listener(quiet)
        let known = hub.add(listener, since: 0)
        tell(&hub, 50, queue: 2, bytes: 1000)
        for _ in 0..<100 {
            tell(&hub, 100, queue: 1, bytes: 100)
            #expect(hub.byteCount <= 500_000)
        }
        for number in 10..<13 as Range<UInt64> {
            hub.open(.flow(FlowID(number)), elapsed: 0)
            tell(&hub, 500, queue: 3, flow: number, bytes: 100)
            #expect(hub.byteCount <= 500_000)
        }
        hub.remove(listener, elapsed: 0)
        let again = self.listener(quiet)
        #expect(hub.add(again, since: known) == known)
        #expect(try frames(&hub, again).flatMap(\.events).count == 50)
    }

    @Test func `what is active is told behind the commit that it was read from`() throws {
        var hub = EventHub(epoch: 1)
        hub.open(queue, elapsed: 0)
        let listener = listener(queue)
        _ = hub.add(listener, since: 0)
        let active = event(.active)
        // The snapshot has a commit of which the loop has not been told.
        hub.append(active: active.span, QueueID(1), .none, commit: 8, settled: 7)
        #expect(try frames(&hub, listener).isEmpty)
        hub.append(EventBatch(), commit: 7)
        #expect(try frames(&hub, listener).isEmpty)
        hub.append(EventBatch(), commit: 8)
        #expect(try frames(&hub, listener).flatMap(\.events).map(\.head.kind) == [.active])
    }

    @Test func `the scope that was left first makes room`() {
        var hub = EventHub(epoch: 1, bounds: .init(scopes: 2))
        let other = EventScope.flow(FlowID(1))
        hub.open(queue, elapsed: 0)
        hub.open(other, elapsed: 0)
        #expect(hub.vacancies == 0)
        let (first, second) = (listener(queue), listener(other))
        for listener in [first, second] { _ = hub.add(listener, since: 0) }
        #expect(hub.takeIdlest() == nil)
        hub.remove(second, elapsed: 1)
        hub.remove(first, elapsed: 2)
        #expect(hub.takeIdlest() == other && hub.takeIdlest() == queue && !hub.isOn)
    }

    @Test func `listeners are looked at once for many events`() {
        var hub = EventHub(epoch: 1)
        hub.open(queue, elapsed: 0)
        let listener = listener(queue)
        _ = hub.add(listener, since: 0)
        #expect(hub.takeDue().count == 1)
        tell(&hub, 100)
        tell(&hub, 1, queue: 2)
        #expect(hub.takeDue().count == 1 && !hub.hasDue)
    }
}
