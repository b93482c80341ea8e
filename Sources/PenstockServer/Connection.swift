import DequeModule
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
    private var splitter = FrameSplitter()
    /// Once it has said hello, frames may be as long as the protocol allows.
    var frameBytesMax = Limits.helloBytesMax
    var state = State.new
    var session: Session?
    /// The client's name for itself.
    var client = ""
    /// What answers the hello that is waiting to be welcomed.
    var hello: (header: FrameHeader, confirmed: UInt64, isResume: Bool)?
    /// The correlation id of the goodbye that is to be answered.
    var goodbye: UInt32?
    /// Its subscriptions by the number that the client gave them.
    var subscriptions: [UInt32: SubscriptionID] = [:]
    /// What it listens to, by the number that the client gave it.
    var listeners: [UInt32: EventListener] = [:]
    /// Requests that wait to be answered, so many that a client can't make the server remember more.
    var waitCount = 0
    /// Deliveries and events wait until the client has read what it has.
    var isBlocked = false
    /// Frames that came behind one whose answer the client has not read yet. While there are some, nothing is read.
    private var deferred: Deque<(header: FrameHeader, body: [UInt8])> = []
    private var isPaused = false
    /// Until when its first deferred frame waits for a flow to settle.
    var heldUntil: UInt64?
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

    // MARK: Input

    func stream(_: UV.Stream, didRead bytes: RawSpan) {
        guard state != .closing else { return }
        // Not from within a frame: the splitter is at work then.
        splitter.frameBytesMax = frameBytesMax
        do throws(WireError) {
            try splitter.push(bytes) { (header, body) throws(WireError) in
                if isPaused {
                    deferred.append((header, [UInt8](copying: body)))
                } else {
                    server.receive(header, body, from: self)
                    pauseIfBehind()
                }
                return state != .closing
            }
        } catch {
            fail(error)
        }
    }

    /// Takes nothing more until the client has read what it has, and until its commands are durable: requests are
    /// short, and what the server has to remember for them may be long.
    private func pauseIfBehind() {
        guard state != .closing, isBehind else { return }
        stream.flush()
        guard isBehind else { return }
        isPaused = true
        stream.stopReading()
    }

    private var isBehind: Bool {
        stream.unsentBytes > Server.unsentBytesForDeliveryMax
            || session.map {
                $0.accepted - $0.applied > Server.commandsOfSessionMax
                    || $0.bytesInFlight > Server.commandBytesOfSessionMax
            } ?? false
    }

    /// Nothing is read from it until its commands are durable: its heartbeats lie unread, by no fault of its own.
    var isHeldUp: Bool { isPaused && stream.unsentBytes <= Server.unsentBytesForDeliveryMax }

    /// Puts a frame back that has to wait, and takes nothing more until ``goOnIfPaused()`` finds that it need not.
    func holdBack(_ header: FrameHeader, _ body: RawSpan) {
        deferred.prepend((header, [UInt8](copying: body)))
        isPaused = true
        stream.stopReading()
    }

    /// Goes on where it was paused, if the reason is gone.
    func goOnIfPaused() {
        guard isPaused, !isBehind else { return }
        isPaused = false
        while !isPaused, state != .closing, let frame = deferred.popFirst() {
            server.receive(frame.header, frame.body.rawSpan, from: self)
            pauseIfBehind()
        }
        if !isPaused, state != .closing, !server.isStopping { stream.startReading() }
    }

    func streamDidDrain(_: UV.Stream) {
        server.didDrain(self)
        goOnIfPaused()
    }

    func streamDidClose(_: UV.Stream, error: UVError?) { server.didClose(self) }

    // MARK: Output

    /// Appends what `encode` writes to the output; it is sent at the end of the loop's turn.
    func send(_ encode: (inout WireWriter) -> Void) {
        guard state != .closing, !stream.isClosed else { return }
        server.withScratch { writer in
            encode(&writer)
            stream.output.append(writer.span)
        }
        server.touch(self)
        if stream.unsentBytes > Server.unsentBytesMax { closeIfUnread() }
    }

    /// Closes where the client does not read what it is sent.
    func closeIfUnread() {
        guard state != .closing else { return }
        stream.flush()
        guard stream.unsentBytes > Server.unsentBytesMax else { return }
        let error = WireError(
            .outputOverflow,
            "\(stream.unsentBytes) bytes were sent and not read; \(Server.unsentBytesMax) are allowed."
        )
        state = .closing
        server.withScratch { writer in
            writer.errorFrame(error, opcode: Opcode.goodbye.rawValue, correlation: 0)
            stream.output.append(writer.span)
        }
        closeAfterFlush()
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

    /// Tells the client what was wrong with no frame of its, and closes.
    func fail(_ error: WireError) {
        guard state != .closing else { return }
        send { $0.errorFrame(error, opcode: Opcode.goodbye.rawValue, correlation: 0) }
        closeAfterFlush()
    }

    /// Sends what is owed, then waits for the client's end, at most so long.
    func closeAfterFlush(timeoutMilliseconds: UInt64 = 5000) {
        state = .closing
        deferred.removeAll()
        server.retire(self)
        stream.closeAfterFlush(timeoutMilliseconds: timeoutMilliseconds)
    }
}
