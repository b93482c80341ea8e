import CLibUV

/// A connected TCP or Unix socket.
///
/// Bytes that come are lent to the delegate; bytes that go are appended to
/// `output` and handed to the kernel by `flush()`, best once for each turn of the
/// loop. What the kernel doesn't take at once is written as the peer reads, in
/// order, while `output` gathers on.
///
///     stream.delegate = session
///     stream.startReading()
///     ...
///     stream.output.append(frame)
///     stream.flush()
///
/// It keeps itself and its delegate alive from the connection's beginning until
/// `streamDidClose`; nobody else needs to hold it. Idle, it costs its handle and
/// no buffer. Nothing bounds what is gathered: whoever appends looks at
/// `unsentBytes`.
@safe
public final class Stream: Handle {
    /// Hears of the stream's events. Held until the stream is closed.
    public var delegate: (any StreamDelegate)?

    /// The bytes to be sent with the next `flush()`.
    public let output: OutputBuffer

    /// The other end, for logs: `127.0.0.1:40312`, or `unix:` and the path.
    public internal(set) var peerName = ""

    private let isTCP: Bool
    private var state = StreamState.open
    private var isReading = false
    /// Whether nothing can be written any more, after `closeAfterFlush`.
    private var isEndSent = false
    /// The write that libuv still works on.
    private var pendingWrite: WriteRequest?
    private var closeError: UVError?
    private var closeTimer: Timer?

    /// An unconnected stream.
    init(on loop: Loop, isTCP: Bool) throws(UVError) {
        self.isTCP = isTCP
        output = OutputBuffer(pool: loop.blocks)
        try unsafe super.init(on: loop, type: isTCP ? UV_TCP : UV_NAMED_PIPE) { loop, memory in
            isTCP
                ? unsafe uv_tcp_init(loop, memory.assumingMemoryBound(to: uv_tcp_t.self))
                : unsafe uv_pipe_init(loop, memory.assumingMemoryBound(to: uv_pipe_t.self), 0)
        }
    }

    /// Whether small writes go out at once, not gathered by the kernel (Nagle).
    /// True at first: `flush()` gathers better. No effect on a Unix socket.
    public var noDelay = true {
        didSet { applyNoDelay() }
    }

    // MARK: Reading

    /// Lets bytes come to the delegate, until `stopReading()`. Idempotent.
    public func startReading() {
        loop.preconditionOnThread()
        guard state == .open, !isReading else { return }
        readOn()
    }

    /// Leaves bytes in the kernel, so that the peer is slowed down. Idempotent.
    ///
    /// While nothing is read, the peer's end isn't noticed either, except by a
    /// write that fails.
    public func stopReading() {
        loop.preconditionOnThread()
        guard state == .open, isReading, let raw = unsafe raw(as: uv_stream_t.self) else { return }
        isReading = false
        unsafe uv_read_stop(raw)
    }

    private func readOn() {
        guard let raw = unsafe raw(as: uv_stream_t.self) else { return }
        isReading = true
        let status = unsafe uv_read_start(
            raw,
            { handle, _, buffer in
                let shared = unsafe Loop.owner(of: handle!.pointee.loop).readBuffer
                unsafe buffer!.pointee.base = unsafe shared.baseAddress!.assumingMemoryBound(to: CChar.self)
                unsafe buffer!.pointee.len = shared.count
            },
            { handle, count, buffer in
                guard count != 0, let stream = unsafe Handle.owner(of: handle!, as: Stream.self) else { return }
                if count > 0 {
                    let bytes = unsafe UnsafeRawBufferPointer(start: buffer!.pointee.base, count: count)
                    stream.didRead(unsafe RawSpan(_unsafeBytes: bytes))
                } else {
                    stream.readDidEnd(UVError(code: Int32(count)))
                }
            }
        )
        if status < 0 { close(with: UVError(code: status)) }
    }

    private func didRead(_ bytes: RawSpan) {
        // After `closeAfterFlush` the bytes are read only to find the end.
        guard state == .open else { return }
        delegate?.stream(self, didRead: bytes)
    }

    private func readDidEnd(_ error: UVError) {
        guard error == .endOfFile, state != .open else { return close(with: error) }
        // Closing: the peer wants no more of us to come, but what is owed is sent.
        if state == .shutDown { return close() }
        if let raw = unsafe raw(as: uv_stream_t.self) { unsafe uv_read_stop(raw) }
        state = .endedAndFlushing
    }

    // MARK: Writing

    /// The bytes that the kernel hasn't taken yet.
    public var unsentBytes: Int {
        output.count + (pendingWrite == nil ? 0 : queuedBytes)
    }

    private var queuedBytes: Int {
        guard let raw = unsafe raw(as: uv_stream_t.self) else { return 0 }
        return unsafe uv_stream_get_write_queue_size(raw)
    }

    /// Sends the output: what the kernel takes at once, the rest as it can.
    ///
    /// One system call, or none if there is nothing to send or an earlier write
    /// still waits. An error closes the stream; the delegate hears of it later.
    /// What comes too late, after the stream's end, is dropped.
    public func flush() {
        loop.preconditionOnThread()
        guard pendingWrite == nil, !output.isEmpty else { return }
        guard !isEndSent, let raw = unsafe raw(as: uv_stream_t.self) else { return output.removeAll() }
        var buffer = unsafe uv_buf_t(
            base: output.bytes!.assumingMemoryBound(to: CChar.self),  // not empty
            len: output.count
        )
        let written = unsafe uv_try_write(raw, &buffer, 1)
        if written == output.count {
            output.removeAll()
        } else if written >= 0 || written == UV_EAGAIN.rawValue {
            writeLater(from: max(Int(written), 0))
        } else {
            close(with: UVError(code: written))
        }
    }

    private func writeLater(from offset: Int) {
        // Open and not empty, as `flush` has found.
        let request = WriteRequest(of: self, block: output.detach()!)
        pendingWrite = request
        let status = unsafe request.submit(to: raw(as: uv_stream_t.self)!, from: offset)
        if status < 0 {
            pendingWrite = nil
            close(with: UVError(code: status))
        }
    }

    /// Goes on after a write: with what was gathered since, or the end.
    func writeDidEnd(_ status: Int32) {
        pendingWrite = nil
        guard !isClosed else { return }
        guard status == 0 else { return close(with: UVError(code: status)) }
        flush()
        guard pendingWrite == nil, !isClosed else { return }
        if state == .open { delegate?.streamDidDrain(self) } else { shutDown() }
    }

    // MARK: Closing

    /// Ends the connection; output that isn't written is dropped. Idempotent.
    public override func close() {
        close(with: nil)
    }

    /// Ends the connection once the output is written and the peer has seen it.
    ///
    /// The delegate gets no more bytes. The peer is sent the end of the stream,
    /// and its own end is awaited: closing with unread bytes would make the kernel
    /// take back what was just sent. A peer that does nothing is cut off after
    /// `timeoutMilliseconds`, with `UVError.timedOut` if output was left.
    public func closeAfterFlush(timeoutMilliseconds: UInt64 = 5_000) {
        loop.preconditionOnThread()
        guard !isClosed, state == .open else { return }
        state = .flushing
        let timer = Timer(on: loop) { [unowned self] in
            close(with: unsentBytes > 0 ? .timedOut : nil)
        }
        timer.start(afterMilliseconds: timeoutMilliseconds)
        closeTimer = timer
        if !isReading { readOn() }
        flush()
        if pendingWrite == nil, !isClosed { shutDown() }
    }

    private func shutDown() {
        isEndSent = true
        guard let raw = unsafe raw(as: uv_stream_t.self) else { return }
        let status = unsafe ShutdownRequest(of: self).submit(to: raw)
        if status < 0 { close(with: UVError(code: status)) }
    }

    /// Goes on after the end was sent: awaits the peer's.
    func shutdownDidEnd(_ status: Int32) {
        guard !isClosed else { return }
        if status < 0 {
            close(with: UVError(code: status))
        } else if state == .endedAndFlushing {
            close()
        } else {
            state = .shutDown
        }
    }

    private func close(with error: UVError?) {
        loop.preconditionOnThread()
        guard !isClosed else { return }
        closeError = error
        closeTimer?.close()
        closeTimer = nil
        super.close()
    }

    override func didClose() {
        output.removeAll()
        // The delegate often holds the stream: let go of it.
        let delegate = delegate
        self.delegate = nil
        delegate?.streamDidClose(self, error: closeError)
    }
}

extension Stream {
    /// Sets up a stream that is now connected.
    func didConnect(peerName: String?) {
        if isTCP {
            applyNoDelay()
            self.peerName = peerName ?? tcpPeerName
        } else {
            self.peerName = peerName ?? ""
        }
    }

    private func applyNoDelay() {
        loop.preconditionOnThread()
        guard isTCP, let raw = unsafe raw(as: uv_tcp_t.self) else { return }
        // An error means that the connection has gone, which a read will say.
        _ = unsafe uv_tcp_nodelay(raw, noDelay ? 1 : 0)
    }

    private var tcpPeerName: String {
        guard let raw = unsafe raw(as: uv_tcp_t.self) else { return "" }
        let address = try? unsafe SocketAddress(reading: { address, size in
            unsafe uv_tcp_getpeername(raw, address, &size)
        })
        return address?.name ?? "?"
    }
}
