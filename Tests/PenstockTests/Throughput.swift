import Foundation
import NIOCore
import NIOPosix
import PenstockWire
import Testing

@testable import Penstock

/// What the client costs for each job. Not a test: run it in a release build, with `PENSTOCK_MEASURE=1`.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["PENSTOCK_MEASURE"] != nil))
struct Throughput {
    /// Delivers jobs without end, and counts what is completed, with as little of its own as can be.
    final class Firehose: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let total: Int
        private var splitter = FrameSplitter()
        private var writer = WireWriter(capacity: 1 << 20)
        private var credits = 0
        private var stream: UInt32 = 0
        private var sent = 0
        private var token: UInt64 = 1
        let done: OneShot
        private var completed = 0
        private(set) var frames = 0

        init(total: Int, done: OneShot) {
            self.total = total
            self.done = done
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            do throws(WireError) {
                try splitter.push(buffer.readableBytesSpan) { (header, body) throws(WireError) in
                    try receive(header, body)
                    return true
                }
            } catch {
                context.close(promise: nil)
            }
        }

        private func receive(_ header: FrameHeader, _ body: RawSpan) throws(WireError) {
            switch Opcode(rawValue: header.opcode) {
            case .hello:
                Welcome(
                    resumed: false,
                    database: SessionID(high: 1, low: 1),
                    epoch: 1,
                    lastApplied: 0,
                    heartbeat: 10_000,
                    server: ""
                ).encodeFrame(into: &writer)
            case .subscribe:
                credits = Int(try Subscribe(body: body).creditJobs)
                stream = header.stream
                Subscribed(heartbeat: 10_000).encodeFrame(into: &writer, correlation: header.correlation)
            case .complete:
                var reader = WireReader(body)
                let first = try reader.u64()
                let count = try reader.u16()
                frames += 1
                completed += Int(count)
                credits += Int(count)
                let outcome = Outcome(sequence: first, count: UInt32(count), index: 0, status: 0, body: [])
                Applied(commit: 1, outcomes: [outcome]).encodeFrame(into: &writer)
                if completed >= total { done.fire() }
            case .unsubscribe: Unsubscribed().encodeFrame(into: &writer, correlation: header.correlation)
            case .goodbye: Farewell().encodeFrame(into: &writer, correlation: header.correlation)
            default: break
            }
        }

        func channelReadComplete(context: ChannelHandlerContext) {
            let count = min(credits, total - sent, 4096)
            if count > 0 {
                let start = writer.beginFrame(FrameHeader(.deliver, stream: stream))
                writer.u16(UInt16(count))
                for _ in 0..<count {
                    writer.u32(0)
                    writer.u64(token)
                    writer.u64(token)
                    writer.u64(0)
                    writer.u16(0)
                    writer.u16(1)
                    writer.u16(0)
                    writer.u8(0)
                    writer.u8(0)
                    writer.u32(1)
                    writer.u32(0)
                    writer.u32(0)
                    writer.u64(0)
                    writer.string8("job")
                    writer.u32(0)
                    token += 1
                }
                writer.endFrame(start)
                sent += count
                credits -= count
            }
            guard writer.count > 0 else { return }
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(frames: writer)), promise: nil)
            writer.removeAll()
        }

        typealias OutboundOut = ByteBuffer
    }

    @Test(arguments: [1, 16, 256, 1024]) func `jobs with an empty closure`(concurrency: Int) async throws {
        let total = concurrency == 1 ? 50_000 : 1_000_000
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let done = OneShot()
        let channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Firehose(total: total, done: done))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let address = ServerAddress.tcp(host: "127.0.0.1", port: channel.localAddress?.port ?? 0)
        try await PenstockClient.withClient(address) { client in
            let worker = Worker(client, queue: "q", concurrency: concurrency) { _ in }
            let start = ContinuousClock.now
            let cpu = clock()
            async let running: Void = worker.run()
            await done.wait()
            let (time, used) = (start.duration(to: .now), clock() - cpu)
            worker.shutDown()
            try await running
            let rate = Double(total) / (time / .seconds(1))
            let each = Double(used) / Double(total)
            print("concurrency \(concurrency): \(Int(rate)) jobs/s, \(each) us of CPU for each, peer included")
        }
        try await channel.close()
        try await group.shutdownGracefully()
    }
}
