import CLibUV
import Glibc

/// The path of a Unix socket, short enough for its address.
struct UnixPath {
    /// The bytes of a path at most: the address's field less the final zero.
    static let bytesMax = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    let path: String

    /// - Throws: `UVError.nameTooLong`, because libuv would cut the path and use
    ///   another file; `UVError.invalidArgument` for one that is empty or has a
    ///   zero byte.
    init(_ path: String) throws(UVError) {
        guard path.utf8.count <= UnixPath.bytesMax else { throw .nameTooLong }
        guard !path.isEmpty, !path.utf8.contains(0) else { throw .invalidArgument }
        self.path = path
    }

    /// Whether a socket is there that nobody listens on: left by a process that
    /// didn't end cleanly.
    func isStale() -> Bool {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return false }
        let descriptor = socket(
            AF_UNIX,
            Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue),
            0
        )
        guard descriptor >= 0 else { return false }
        defer { Glibc.close(descriptor) }
        return connect(descriptor) != 0 && errno == ECONNREFUSED
    }

    func unlink() {
        _ = unsafe Glibc.unlink(path)
    }

    /// - Throws: what `chmod` says.
    func setMode(_ mode: UInt32) throws(UVError) {
        if unsafe chmod(path, mode) != 0 { throw UVError(code: -errno) }
    }

    private func connect(_ descriptor: Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
            // Fits, as `init` checked; the rest stays zero.
            unsafe field.copyBytes(from: path.utf8)
        }
        return unsafe withUnsafeBytes(of: address) { bytes in
            let start = unsafe bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            return unsafe Glibc.connect(descriptor, start, socklen_t(bytes.count))
        }
    }
}
