import CLibUV

/// A socket that accepts connections, over TCP or at a path.
///
/// Each connection is a `Stream` that lives by itself: give it a delegate and let
/// it read, or close it.
@safe
public final class Listener: Handle {
    /// Called when a connection couldn't be accepted. The listener goes on.
    ///
    /// Not called when the process has no file descriptor left: libuv then closes
    /// the connections that wait, by a descriptor that it keeps for this, and
    /// says nothing. A server that wants to count what it refuses has to stay
    /// below that limit by one of its own.
    public var onError: ((UVError) -> Void)?

    /// The port that is listened on; 0 for a Unix socket.
    public private(set) var localPort = 0

    private let path: String?
    private var onConnection: ((Stream) -> Void)?

    private init(
        on loop: Loop,
        path: String?,
        onConnection: @escaping (Stream) -> Void
    ) throws(UVError) {
        self.path = path
        self.onConnection = onConnection
        let isTCP = path == nil
        try unsafe super.init(on: loop, type: isTCP ? UV_TCP : UV_NAMED_PIPE) { loop, memory in
            isTCP
                ? unsafe uv_tcp_init(loop, memory.assumingMemoryBound(to: uv_tcp_t.self))
                : unsafe uv_pipe_init(loop, memory.assumingMemoryBound(to: uv_pipe_t.self), 0)
        }
    }

    /// A listener at a numeric address, or `localhost` (127.0.0.1). Port 0 lets
    /// the system choose; see `localPort`.
    ///
    /// The port is taken with `SO_REUSEADDR`: a restart needs no wait, and a
    /// second listener is still refused.
    ///
    /// - Throws: `UVError.addressInUse`; `UVError.invalidArgument` for what isn't
    ///   an address; `UVError.accessDenied` for a low port.
    public static func tcp(
        host: String,
        port: Int,
        backlog: Int32 = 1024,
        on loop: Loop,
        onConnection: @escaping (Stream) -> Void
    ) throws(UVError) -> Listener {
        let address = try SocketAddress(host: host, port: port)
        let listener = try Listener(on: loop, path: nil, onConnection: onConnection)
        let raw = unsafe listener.raw(as: uv_tcp_t.self)!  // just made
        try UVError.check(unsafe address.withPointer { address in unsafe uv_tcp_bind(raw, address, 0) })
        try listener.listen(backlog: backlog)
        listener.localPort = try unsafe SocketAddress(reading: { address, size in
            unsafe uv_tcp_getsockname(raw, address, &size)
        }).port
        return listener
    }

    /// A listener at a path, whose file gets `mode` before anybody can connect,
    /// and is removed when the listener closes.
    ///
    /// A socket file that nobody listens on is replaced. That test and the bind
    /// aren't one step: two servers that start at once need a lock of their own.
    ///
    /// - Throws: `UVError.addressInUse` if somebody listens there or the file
    ///   isn't a socket; `UVError.nameTooLong` for more than 107 bytes;
    ///   `UVError.accessDenied`, also for a directory that isn't there.
    public static func unix(
        path: String,
        mode: UInt32 = 0o600,
        backlog: Int32 = 1024,
        on loop: Loop,
        onConnection: @escaping (Stream) -> Void
    ) throws(UVError) -> Listener {
        let place = try UnixPath(path)
        let listener = try Listener(on: loop, path: path, onConnection: onConnection)
        let raw = unsafe listener.raw(as: uv_pipe_t.self)!  // just made
        var status = unsafe uv_pipe_bind(raw, path)
        if status == UV_EADDRINUSE.rawValue, place.isStale() {
            place.unlink()
            status = unsafe uv_pipe_bind(raw, path)
        }
        try UVError.check(status)
        try place.setMode(mode)
        try listener.listen(backlog: backlog)
        return listener
    }

    /// Starts to accept. A throw drops the listener, which closes it.
    private func listen(backlog: Int32) throws(UVError) {
        let raw = unsafe raw(as: uv_stream_t.self)!  // just made
        let status = unsafe uv_listen(raw, backlog) { raw, status in
            guard let listener = unsafe Handle.owner(of: raw!, as: Listener.self) else { return }
            if status < 0 {
                listener.onError?(UVError(code: status))
            } else {
                listener.accept()
            }
        }
        try UVError.check(status)
    }

    private func accept() {
        guard let raw = unsafe raw(as: uv_stream_t.self) else { return }
        do throws(UVError) {
            let stream = try Stream(on: loop, isTCP: path == nil)
            stream.retainUntilClosed()
            let status = unsafe uv_accept(raw, stream.raw(as: uv_stream_t.self))
            guard status == 0 else {
                stream.close()
                throw UVError(code: status)
            }
            stream.didConnect(peerName: path.map { "unix:\($0)" })
            onConnection?(stream)
        } catch {
            onError?(error)
        }
    }

    override func didClose() {
        onConnection = nil
        onError = nil
    }
}
