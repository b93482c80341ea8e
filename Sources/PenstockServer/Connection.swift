import PenstockWire
import UV

/// One client's socket: cuts what arrives into frames, and sends what the server has for it.
final class Connection: StreamDelegate {
    enum State {
        /// Nothing but a HELLO is taken.
        case new
        /// It said hello; the session's commands in flight are to be durable first.
        case welcoming
        /// It resumed: the leases that it holds are to be listed first.
        case holding
        case open
        /// An error or a goodbye was sent; what still arrives is dropped.
        case closing
    }

    /// Its place in the server's table.
    let slot: UInt32
    let stream: UV.Stream
    unowned let server: Server
    private var splitter = FrameSplitter(frameBytesMax: Limits.helloBytesMax)
    var state = State.new
    var session: Session?
    /// What answers the hello that is waiting to be welcomed.
    var hello: (header: FrameHeader, confirmed: UInt64, isResume: Bool)?
    /// The correlation id of the goodbye that is to be answered.
    var goodbye: UInt32?
    /// Its subscriptions by the number that the client gave them.
    var subscriptions: [UInt32: SubscriptionID] = [:]
    /// Deliveries wait until the client has read what it has.
    var isBlocked = false
    /// It has output that is not flushed.
    var isTouched = false
    /// Monotonic milliseconds.
    var lastHeard: UInt64
    var lastSent: UInt64

    init(slot: UInt32, stream: UV.Stream, server: Server, now: UInt64) {
        self.slot = slot
        self.stream = stream
        self.server = server
        lastHeard = now
        lastSent = now
    }

    /// Once it has said hello, frames may be as long as the protocol allows.
    func allowFullFrames() { splitter.frameBytesMax = Limits.frameBytesMax }

    // MARK: Input

    func stream(_: UV.Stream, didRead bytes: RawSpan) {
        guard state != .closing else { return }
        do throws(WireError) {
            try splitter.push(bytes) { (header, body) throws(WireError) in
                try server.receive(header, body, from: self)
                return state != .closing
            }
        } catch {
            fail(error)
        }
    }

    func streamDidDrain(_: UV.Stream) { server.didDrain(self) }

    func streamDidClose(_: UV.Stream, error: UVError?) { server.didClose(self) }

    // MARK: Output

    /// Appends what `encode` writes to the output; it is sent at the end of the loop's turn.
    func send(_ encode: (inout WireWriter) -> Void) {
        guard !stream.isClosed else { return }
        server.withScratch { writer in
            encode(&writer)
            stream.output.append(writer.span)
        }
        server.touch(self)
    }

    func send(_ message: some WireMessage, correlation: UInt32 = 0, stream: UInt32 = 0) {
        send { message.encodeFrame(into: &$0, correlation: correlation, stream: stream) }
    }

    /// Answers a request with an error; the connection lives, unless the error is a hard one.
    func refuse(_ header: FrameHeader, _ error: WireError) {
        send {
            $0.errorFrame(error, opcode: header.opcode, correlation: header.correlation, stream: header.stream)
        }
        if error.code.isHard { closeAfterFlush() }
    }

    /// Tells the client what was wrong, and closes.
    func fail(_ error: WireError) {
        guard state != .closing else { return }
        send { $0.errorFrame(error, opcode: Opcode.goodbye.rawValue, correlation: 0) }
        closeAfterFlush()
    }

    /// Sends what is owed, then waits for the client's end, at most so long.
    func closeAfterFlush(timeoutMilliseconds: UInt64 = 5000) {
        state = .closing
        stream.closeAfterFlush(timeoutMilliseconds: timeoutMilliseconds)
    }
}
