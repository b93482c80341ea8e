import NIOCore
import NIOPosix
import PenstockWire

@testable import Penstock

/// A small server that speaks the protocol and keeps jobs in memory: enough of it for the client's tests.
final class TestServer: Sendable {
    let address: ServerAddress
    let core: NIOLoopBoundBox<TestServerCore>
    private let channel: any Channel
    private let eventLoop: any EventLoop

    private init(_ channel: any Channel, _ core: NIOLoopBoundBox<TestServerCore>) {
        self.channel = channel
        self.core = core
        eventLoop = channel.eventLoop
        address = .tcp(host: "127.0.0.1", port: channel.localAddress?.port ?? 0)
    }

    /// Runs a server for the time of `body`.
    static func run<Result: Sendable>(_ body: (TestServer) async throws -> Result) async throws -> Result {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let eventLoop = group.next()
        let core = NIOLoopBoundBox.makeBoxSendingValue(TestServerCore(), eventLoop: eventLoop)
        let channel = try await ServerBootstrap(group: eventLoop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(TestServerHandler(core.value))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let server = TestServer(channel, core)
        do {
            let result = try await body(server)
            try await server.close(group)
            return result
        } catch {
            try await server.close(group)
            throw error
        }
    }

    private func close(_ group: MultiThreadedEventLoopGroup) async throws {
        try await with { $0.connections.forEach { $0.channel?.close(promise: nil) } }
        try await channel.close()
        try await group.shutdownGracefully()
    }

    /// Looks at the server, or changes it, on its own thread.
    @discardableResult
    func with<Result: Sendable>(_ body: @escaping @Sendable (TestServerCore) -> Result) async throws -> Result {
        try await eventLoop.submit { [core] in body(core.value) }.get()
    }
}

/// One connection of a ``TestServer``.
final class TestServerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let core: TestServerCore
    private var splitter = FrameSplitter()
    var channel: (any Channel)?
    var session: SessionID?
    var streams: [UInt32: TestServerCore.Stream] = [:]
    private var writer = WireWriter()

    init(_ core: TestServerCore) { self.core = core }

    func channelActive(context: ChannelHandlerContext) {
        channel = context.channel
        core.connections.append(self)
    }

    func channelInactive(context: ChannelHandlerContext) {
        core.connections.removeAll { $0 === self }
        channel = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        do throws(WireError) {
            try splitter.push(buffer.readableBytesSpan) { (header, body) throws(WireError) in
                guard channel != nil else { return false }
                try core.receive(self, header, body)
                return channel != nil
            }
        } catch {
            writer.errorFrame(error, opcode: 0, correlation: 0)
            flush()
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { core.turnEnded() }

    func send<Message: WireMessage>(_ message: Message, correlation: UInt32 = 0, stream: UInt32 = 0) {
        message.encodeFrame(into: &writer, correlation: correlation, stream: stream)
    }

    func refuse(_ header: FrameHeader, _ error: WireError) {
        writer.errorFrame(error, opcode: header.opcode, correlation: header.correlation, stream: header.stream)
    }

    func flush() {
        guard writer.count > 0 else { return }
        channel?.writeAndFlush(ByteBuffer(frames: writer), promise: nil)
        writer.removeAll()
    }

    /// Breaks the connection.
    func drop() {
        channel?.close(promise: nil)
        channel = nil
    }
}
