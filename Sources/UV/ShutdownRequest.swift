import CLibUV

/// The sending of a stream's end. It lives from `submit` to its callback.
@safe
final class ShutdownRequest {
    @unsafe private let request: UnsafeMutablePointer<uv_shutdown_t>
    private let stream: Stream

    init(of stream: Stream) {
        self.stream = stream
        unsafe request = .allocate(capacity: 1)
    }

    deinit {
        unsafe request.deallocate()
    }

    /// - Returns: libuv's status; if negative, there will be no callback.
    func submit(to raw: UnsafeMutablePointer<uv_stream_t>) -> Int32 {
        let owner = unsafe Unmanaged.passRetained(self)
        unsafe request.pointee.data = owner.toOpaque()
        let status = unsafe uv_shutdown(request, raw) { request, status in
            let owner = unsafe Unmanaged<ShutdownRequest>.fromOpaque(request!.pointee.data).takeRetainedValue()
            owner.stream.shutdownDidEnd(status)
        }
        if status < 0 { unsafe owner.release() }
        return status
    }
}
