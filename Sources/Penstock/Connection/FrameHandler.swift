import NIOCore
import PenstockWire

/// Between a channel and the session: cuts what arrives into frames.
final class FrameHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let core: SessionCore
    private var splitter = FrameSplitter()
    private var isClosed = false

    init(core: SessionCore) { self.core = core }

    func channelActive(context: ChannelHandlerContext) {
        core.connected(context.channel)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosed else { return }
        let buffer = unwrapInboundIn(data)
        do throws(WireError) {
            try splitter.push(buffer.readableBytesSpan) { (header, body) throws(WireError) in
                try core.receive(header, body)
            }
        } catch {
            isClosed = true
            core.failed(error)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        core.readComplete()
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosed = true
        core.disconnected(context.channel)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
