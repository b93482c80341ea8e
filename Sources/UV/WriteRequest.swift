import CLibUV

/// A write that libuv works on, with the memory that it writes from.
///
/// It lives from `submit` to its callback, which libuv always calls: with
/// `UV_ECANCELED` when the stream is closed.
@safe
final class WriteRequest {
    @unsafe private let request: UnsafeMutablePointer<uv_write_t>
    private let block: OutputBlock
    private let stream: Stream

    init(of stream: Stream, block: consuming OutputBlock) {
        self.stream = stream
        self.block = block
        unsafe request = .allocate(capacity: 1)
    }

    deinit {
        unsafe request.deallocate()
    }

    /// Starts the write with the bytes from `offset`.
    ///
    /// - Returns: libuv's status; if negative, there will be no callback.
    func submit(to raw: UnsafeMutablePointer<uv_stream_t>, from offset: Int) -> Int32 {
        let owner = unsafe Unmanaged.passRetained(self)
        unsafe request.pointee.data = owner.toOpaque()
        var buffer = unsafe uv_buf_t(
            base: (block.start + offset).assumingMemoryBound(to: CChar.self),
            len: block.count - offset
        )
        let status = unsafe uv_write(request, raw, &buffer, 1) { request, status in
            let owner = unsafe Unmanaged<WriteRequest>.fromOpaque(request!.pointee.data).takeRetainedValue()
            owner.stream.writeDidEnd(status)
        }
        if status < 0 { unsafe owner.release() }
        return status
    }
}
