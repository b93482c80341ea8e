import CLibUV
import Glibc

/// Small files, read whole on the thread that asks.
public enum FileContents {
    /// The bytes of a file; nil when there is none at the path. Symbolic links are followed.
    ///
    /// - Throws: `UVError.fileTooLarge` for more than `bytesMax` bytes, `UVError.invalidArgument` for what is no
    ///   regular file and for a path with a zero byte, and what the system says.
    public static func read(_ path: String, bytesMax: Int) throws(UVError) -> [UInt8]? {
        // C would end the path at a zero byte, and open another file.
        guard !path.utf8.contains(0) else { throw .invalidArgument }
        // Without O_NONBLOCK the open of a pipe would wait for its writer.
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if file < 0, errno == ENOENT || errno == ENOTDIR { return nil }
        guard file >= 0 else { throw UVError(code: -errno) }
        defer { close(file) }
        var status = stat()
        guard unsafe fstat(file, &status) == 0 else { throw UVError(code: -errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .invalidArgument }
        var bytes: [UInt8] = []
        while bytes.count <= bytesMax {
            // The size may change while it is read: only an empty piece is the end.
            let piece = try readPiece(file, bytesMax: min(bytesMax + 1 - bytes.count, 64 * 1024))
            if piece.isEmpty { return bytes }
            bytes += piece
        }
        throw .fileTooLarge
    }

    private static func readPiece(_ file: Int32, bytesMax: Int) throws(UVError) -> [UInt8] {
        var code: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: bytesMax) { buffer, filled in
            let count = unsafe Glibc.read(file, buffer.baseAddress, buffer.count)
            if count < 0 { code = -errno }
            filled = max(0, count)
        }
        try UVError.check(code)
        return bytes
    }
}
