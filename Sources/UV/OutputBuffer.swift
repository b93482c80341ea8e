import Glibc

/// Bytes on their way out, appended in place.
///
/// A frame is encoded straight into it, with its length filled in afterwards:
///
///     let start = output.count
///     output.append(capacity: 12) { span in
///         span.append(0, as: UInt32.self)
///         ...
///     }
///     output.patch(UInt32(output.count - start - 4), at: start)
///
/// Offsets count from the first byte that isn't handed over yet: they hold until
/// the next `Stream.flush()`. Appending does no input or output and calls nobody.
/// Empty, it holds no memory.
///
/// Layout: `[ count bytes, initialised | capacity - count bytes, free ]`
@safe
public final class OutputBuffer {
    /// The capacity that `removeAll(keepingCapacity:)` keeps at most.
    public static let keptBytesMax = 64 << 10

    @unsafe private var start: UnsafeMutableRawPointer?
    private let pool: BlockPool
    private var isFilling = false

    /// The bytes in the buffer.
    public private(set) var count = 0
    /// The bytes that fit without more memory; zero when nothing is held.
    public private(set) var capacity = 0

    /// Whether there are no bytes.
    public var isEmpty: Bool { count == 0 }

    /// A buffer on its own, with no stream: for tests and measurements.
    public convenience init() {
        self.init(pool: BlockPool())
    }

    init(pool: BlockPool) {
        self.pool = pool
    }

    deinit {
        release()
    }

    /// Appends a copy of `bytes`.
    public func append(_ bytes: RawSpan) {
        let added = bytes.byteCount
        guard added > 0 else { return }
        let end = unsafe reserve(added)
        unsafe bytes.withUnsafeBytes { source in
            unsafe end.copyMemory(from: source.baseAddress!, byteCount: added)  // not empty
        }
        count += added
    }

    /// Appends what `body` writes, at most `capacity` bytes.
    ///
    /// The span traps when `body` writes more. The buffer can't be used from
    /// within `body`.
    public func append(capacity: Int, _ body: (inout OutputRawSpan) -> Void) {
        precondition(capacity >= 0, "a capacity can't be negative")
        let end = unsafe reserve(capacity)
        let free = unsafe UnsafeMutableRawBufferPointer(start: end, count: capacity)
        isFilling = true
        var span = unsafe OutputRawSpan(buffer: free, initializedCount: 0)
        body(&span)
        let added = unsafe span.finalize(for: free)
        isFilling = false
        count += added
        if count == 0 { release() }
    }

    /// Overwrites the four bytes at `offset` with `value`, little-endian.
    public func patch(_ value: UInt32, at offset: Int) {
        preconditionIdle()
        precondition(offset >= 0 && offset <= count - 4, "only bytes that were appended can be patched")
        // Not empty, as four bytes are in it.
        unsafe start!.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
    }

    /// Drops what was appended after the first `count` bytes: a frame that turned
    /// out not to be sent.
    public func truncate(to count: Int) {
        preconditionIdle()
        precondition(count >= 0 && count <= self.count, "a buffer can't be truncated to more than it has")
        self.count = count
        if count == 0 { release() }
    }

    /// Drops all bytes, and the memory unless it is to be used again soon.
    ///
    /// A capacity above `keptBytesMax` isn't kept.
    public func removeAll(keepingCapacity: Bool = false) {
        preconditionIdle()
        count = 0
        if !keepingCapacity || capacity > OutputBuffer.keptBytesMax { release() }
    }

    /// The bytes, borrowed: read them before anything else is appended.
    public func withBytes<Result>(_ body: (RawSpan) -> Result) -> Result {
        isFilling = true
        defer { isFilling = false }
        return body(unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: start, count: count)))
    }
}

extension OutputBuffer {
    /// The first byte; nil if there is no memory.
    var bytes: UnsafeMutableRawPointer? { unsafe start }

    /// Gives the memory away, for a write that needs it longer.
    func detach() -> OutputBlock? {
        preconditionIdle()
        guard let start = unsafe start else { return nil }
        defer {
            unsafe self.start = nil
            count = 0
            capacity = 0
        }
        return unsafe OutputBlock(start: start, count: count, capacity: capacity, pool: pool)
    }

    func preconditionIdle() {
        precondition(!isFilling, "an OutputBuffer can't be used while it is being filled or read")
    }

    /// Makes room for `added` bytes.
    ///
    /// - Returns: where they begin.
    private func reserve(_ added: Int) -> UnsafeMutableRawPointer {
        preconditionIdle()
        let (needed, overflow) = count.addingReportingOverflow(added)
        precondition(!overflow && needed <= 1 << 40, "an OutputBuffer can't be that large")
        if let start = unsafe start, needed <= capacity { return unsafe start + count }
        return unsafe grow(to: needed)
    }

    private func grow(to needed: Int) -> UnsafeMutableRawPointer {
        var size = max(capacity, BlockPool.blockBytes)
        while size < needed { size *= 2 }
        if size == BlockPool.blockBytes {
            unsafe start = unsafe pool.take()
        } else {
            unsafe start = unsafe BlockPool.allocated(realloc(start, size))
        }
        capacity = size
        return unsafe start! + count  // just set
    }

    private func release() {
        guard let start = unsafe start else { return }
        unsafe pool.give(start, capacity: capacity)
        unsafe self.start = nil
        capacity = 0
    }
}
