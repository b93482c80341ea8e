import CLibUV

/// A connection that is being made. It lives from its start to its callback.
@safe
final class ConnectRequest {
    @unsafe private let request: UnsafeMutablePointer<uv_connect_t>
    private let stream: Stream
    private let peerName: String?
    private let completion: (Int32) -> Void

    init(of stream: Stream, peerName: String?, completion: @escaping (Int32) -> Void) {
        self.stream = stream
        self.peerName = peerName
        self.completion = completion
        unsafe request = .allocate(capacity: 1)
    }

    deinit {
        unsafe request.deallocate()
    }

    /// Gives the request to `start`, the libuv call that wants it.
    ///
    /// - Returns: libuv's status; if negative, there will be no callback.
    func submit(
        _ start: (UnsafeMutablePointer<uv_connect_t>, @escaping uv_connect_cb) -> Int32
    ) -> Int32 {
        let owner = unsafe Unmanaged.passRetained(self)
        unsafe request.pointee.data = owner.toOpaque()
        let status = unsafe start(request) { request, status in
            let owner = unsafe Unmanaged<ConnectRequest>.fromOpaque(request!.pointee.data).takeRetainedValue()
            if status == 0 { owner.stream.didConnect(peerName: owner.peerName) }
            owner.completion(status)
        }
        if status < 0 { unsafe owner.release() }
        return status
    }
}
