import CLibUV

/// A failure that libuv reported, by its code.
///
/// The code is the negative `errno` of the system call, or one of libuv's own
/// (`UV_EOF`). The name and the message come from libuv, so that a log line says
/// what its documentation says. Two words, trivially copied: cheap to throw.
public struct UVError: Error, Equatable, Hashable, Sendable {
    /// libuv's code; always negative.
    public let code: Int32

    public init(code: Int32) {
        self.code = code
    }
}

extension UVError {
    public static let accessDenied = UVError(UV_EACCES)
    public static let addressInUse = UVError(UV_EADDRINUSE)
    public static let brokenPipe = UVError(UV_EPIPE)
    /// The operation was given up because its handle was closed.
    public static let cancelled = UVError(UV_ECANCELED)
    public static let connectionRefused = UVError(UV_ECONNREFUSED)
    public static let connectionReset = UVError(UV_ECONNRESET)
    /// The peer closed its side: an end, not a fault.
    public static let endOfFile = UVError(UV_EOF)
    public static let fileTooLarge = UVError(UV_EFBIG)
    public static let invalidArgument = UVError(UV_EINVAL)
    /// A Unix socket's path is longer than its address can hold.
    public static let nameTooLong = UVError(UV_ENAMETOOLONG)
    public static let noSuchFile = UVError(UV_ENOENT)
    public static let permissionDenied = UVError(UV_EPERM)
    public static let timedOut = UVError(UV_ETIMEDOUT)
    /// The process has no file descriptor left.
    public static let tooManyFiles = UVError(UV_EMFILE)

    /// An error from one of libuv's constants.
    init(_ constant: uv_errno_t) {
        self.init(code: constant.rawValue)
    }

    /// Throws if `status`, the result of a libuv call, is negative.
    static func check(_ status: Int32) throws(UVError) {
        if status < 0 { throw UVError(code: status) }
    }
}

extension UVError: CustomStringConvertible {
    /// The constant's name without its prefix: `"EADDRINUSE"`.
    public var name: String {
        unsafe text { buffer, count in unsafe uv_err_name_r(code, buffer, count) }
    }

    /// libuv's sentence: `"address already in use"`.
    public var message: String {
        unsafe text { buffer, count in unsafe uv_strerror_r(code, buffer, count) }
    }

    public var description: String { "\(name): \(message)" }

    /// The text that a libuv function writes into a buffer.
    private func text(
        _ write: (UnsafeMutablePointer<CChar>, Int) -> UnsafeMutablePointer<CChar>?
    ) -> String {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            let start = buffer.baseAddress!  // the capacity isn't zero
            _ = unsafe write(start, buffer.count)
            return unsafe String(cString: start)
        }
    }
}
