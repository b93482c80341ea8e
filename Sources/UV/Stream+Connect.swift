import CLibUV

extension Stream {
    /// Connects to a TCP server and calls `completion` once, later.
    ///
    /// The delegate is told nothing of a stream that didn't come to be. The
    /// stream doesn't read until `startReading()`.
    ///
    /// - Throws: `UVError.invalidArgument` for what isn't a numeric address or
    ///   `localhost`; then `completion` isn't called.
    public static func connectTCP(
        host: String,
        port: Int,
        on loop: Loop,
        delegate: any StreamDelegate,
        completion: @escaping (Result<Stream, UVError>) -> Void
    ) throws(UVError) {
        let address = try SocketAddress(host: host, port: port)
        let stream = try Stream(on: loop, isTCP: true)
        let request = stream.connecting(to: nil, delegate: delegate, completion: completion)
        let status = unsafe request.submit { request, callback in
            unsafe address.withPointer { address in
                unsafe uv_tcp_connect(request, stream.raw(as: uv_tcp_t.self), address, callback)
            }
        }
        try stream.closeUnless(status)
    }

    /// Connects to a Unix socket and calls `completion` once, later.
    ///
    /// - Throws: `UVError.nameTooLong` for a path that doesn't fit an address;
    ///   then `completion` isn't called.
    public static func connectUnix(
        path: String,
        on loop: Loop,
        delegate: any StreamDelegate,
        completion: @escaping (Result<Stream, UVError>) -> Void
    ) throws(UVError) {
        let path = try UnixPath(path).path
        let stream = try Stream(on: loop, isTCP: false)
        let request = stream.connecting(to: "unix:\(path)", delegate: delegate, completion: completion)
        let status = unsafe request.submit { request, callback in
            unsafe uv_pipe_connect(request, stream.raw(as: uv_pipe_t.self), path, callback)
            return 0
        }
        try stream.closeUnless(status)
    }

    private func connecting(
        to peerName: String?,
        delegate: any StreamDelegate,
        completion: @escaping (Result<Stream, UVError>) -> Void
    ) -> ConnectRequest {
        retainUntilClosed()
        return ConnectRequest(of: self, peerName: peerName) { [self] status in
            if status == 0 {
                self.delegate = delegate
                completion(.success(self))
            } else {
                close()
                completion(.failure(UVError(code: status)))
            }
        }
    }

    private func closeUnless(_ status: Int32) throws(UVError) {
        guard status < 0 else { return }
        close()
        throw UVError(code: status)
    }
}
