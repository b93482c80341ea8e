import Glibc

/// A file that is read piece by piece, and whose size was taken once.
///
/// It may be opened and closed beside an open environment: LMDB has its POSIX locks, which a close would drop, on the
/// lock file only.
struct FileBytes: ~Copyable {
    private let file: Int32
    let size: Int

    init(_ path: String) throws(OpenError) {
        file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { throw .system("open", path) }
        var status = stat()
        unsafe fstat(file, &status)
        size = Int(status.st_size)
    }

    deinit {
        close(file)
    }

    /// The bytes from `offset`: fewer than `count` at the end of the file.
    func read(at offset: Int, count: Int) -> Piece {
        let count = max(0, min(count, size - offset))
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = unsafe max(0, pread(file, buffer.baseAddress, count, off_t(offset)))
        }
        return Piece(bytes: bytes)
    }

    /// Some bytes of the file.
    struct Piece {
        let bytes: [UInt8]

        /// The little-endian number at `offset`; nil when it is not there. Numbers above `Int.max` come out negative.
        func load<Value: FixedWidthInteger & UnsignedInteger>(at offset: Int, _ type: Value.Type) -> Int? {
            let size = MemoryLayout<Value>.size
            guard offset >= 0, offset <= bytes.count - size else { return nil }
            var value: UInt64 = 0
            for index in (0..<size).reversed() { value = value << 8 | UInt64(bytes[offset + index]) }
            return Int(truncatingIfNeeded: value)
        }
    }
}
