import Logging
import NIOCore
import NIOEmbedded
import PenstockWire
import TestSupport
import Testing

@testable import Penstock

/// The small parts of a connection.
@Suite(.computing) struct ConnectionPartsTests {
    @Test func `a sequence set keeps what is in order as one number`() {
        var set = SequenceSet()
        var fresh: [Range<UInt64>] = []
        set.insert(1, count: 3) { fresh.append($0) }
        set.insert(4, count: 1) { fresh.append($0) }
        #expect(set.through == 4)
        #expect(set.beyond.isEmpty)
        #expect(fresh == [1..<4, 4..<5])
    }

    @Test func `a sequence set gives each number once, in whatever order they come`() {
        for seed in 0..<200 {
            var set = SequenceSet()
            var seen: Set<UInt64> = []
            var inserted: Set<UInt64> = []
            var random = Numbers(state: UInt64(seed) &+ 1)
            for _ in 0..<30 {
                let first = UInt64.random(in: 1...20, using: &random)
                let count = UInt64.random(in: 0...5, using: &random)
                inserted.formUnion(first..<first + count)
                set.insert(first, count: count) { range in
                    for number in range { #expect(seen.insert(number).inserted) }
                }
                #expect(seen == inserted)
                var through: UInt64 = 0
                while inserted.contains(through + 1) { through += 1 }
                #expect(set.through == through)
            }
        }
    }

    /// Numbers that are the same at every run.
    struct Numbers: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    @Test func `waits between attempts grow to a bound, with a random part`() {
        var backoff = GrowingWait.reconnect
        let waits = (0..<9).map { _ in backoff.next(random: 0) }
        #expect(waits == [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000].map { .milliseconds($0) })
        #expect(backoff.next(random: 0.5) == .milliseconds(3750))
        backoff.reset()
        #expect(backoff.next(random: 0.999) < .milliseconds(26))
    }

    @Test func `completions gather into frames, which are closed when they are full`() throws {
        var batch = CompletionBatch(.complete)
        for token in 1...(Limits.completionsPerFrameMax + 1) {
            batch.append(Completion(slot: 0, token: LeaseToken(UInt64(token)), contentType: .json, result: [0x31]))
        }
        let frames = batch.take()
        #expect(frames.map(\.1) == [Limits.completionsPerFrameMax, 1])
        let isEmpty = batch.isEmpty
        #expect(isEmpty)
        let last = try #require(TestSession.split(frames[1].0).first).message(Complete.self)
        #expect(last.sequence == 0)
        #expect(last.completions.map(\.token) == [LeaseToken(UInt64(Limits.completionsPerFrameMax) + 1)])
        #expect(last.completions[0].result == [0x31])
    }

    @Test func `no frame of completions is longer than a frame may be`() throws {
        var batch = CompletionBatch(.complete)
        let result = [UInt8](repeating: 0, count: Limits.payloadBytesMax - 100)
        for token in UInt64(1)...5 {
            batch.append(Completion(slot: 0, token: LeaseToken(token), contentType: .binary, result: result))
        }
        let frames = batch.take()
        #expect(frames.map(\.1).reduce(0, +) == 5)
        #expect(frames.allSatisfy { $0.0.readableBytes <= Limits.frameBytesMax })
    }

    @Test func `failures are written as the protocol has them`() throws {
        var batch = CompletionBatch(.fail)
        let failures = [
            Failure(slot: 1, token: LeaseToken(2), unrecoverable: true, message: "no"),
            Failure(slot: 3, token: LeaseToken(4), delay: 500, message: "later", details: [1, 2]),
        ]
        for failure in failures { batch.append(failure) }
        let frame = try #require(TestSession.split(batch.take()[0].0).first)
        #expect(try frame.message(Fail.self).failures == failures)
    }

    @Test func `bytes from the server may be cut at any place`() throws {
        let welcome = Welcome(
            resumed: false,
            database: SessionID(high: 1, low: 1),
            epoch: 1,
            lastApplied: 0,
            heartbeat: 1000,
            server: "s"
        )
        var bytes = ByteBuffer(welcome)
        bytes.writeImmutableBuffer(ByteBuffer(Heartbeat(number: 4)))
        for cut in 0...bytes.readableBytes {
            let loop = EmbeddedEventLoop()
            let core = SessionCore(
                client: "test",
                eventLoop: loop,
                outbox: Outbox(),
                ended: OneShot(),
                logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            )
            let channel = EmbeddedChannel(handler: FrameHandler(core: core), loop: loop)
            try channel.connect(to: SocketAddress(unixDomainSocketPath: "/test")).wait()
            let hello = try #require(try channel.readOutbound(as: ByteBuffer.self))
            #expect(TestSession.split(hello).map(\.opcode) == [.hello])
            let first = try #require(bytes.getSlice(at: 0, length: cut))
            let second = try #require(bytes.getSlice(at: cut, length: bytes.readableBytes - cut))
            try channel.writeInbound(first)
            try channel.writeInbound(second)
            #expect(core.takeHasStood())
            _ = try channel.finish()
        }
    }

    @Test func `a client closes on bytes that make no sense`() throws {
        let loop = EmbeddedEventLoop()
        let core = SessionCore(
            client: "test",
            eventLoop: loop,
            outbox: Outbox(),
            ended: OneShot(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        let channel = EmbeddedChannel(handler: FrameHandler(core: core), loop: loop)
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/test")).wait()
        try channel.writeInbound(ByteBuffer(repeating: 0xFF, count: 64))
        loop.run()
        #expect(!channel.isActive)
    }
}
