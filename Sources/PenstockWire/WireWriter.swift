/// A growing buffer that frames are encoded into; reused, so that encoding allocates nothing once it has grown.
package struct WireWriter: Sendable {
    /// Grown in steps; only the first ``count`` bytes mean anything.
    var storage: [UInt8]
    /// Bytes written.
    package private(set) var count = 0

    /// - Parameter capacity: bytes to make room for; a writer of 0 has no memory until it is written to.
    package init(capacity: Int = 512) {
        storage = [UInt8](repeating: 0, count: capacity)
    }

    package mutating func removeAll() { count = 0 }

    /// Gives back memory beyond `bytes`, for a writer that has nothing in it.
    package mutating func shrink(to bytes: Int) {
        if count == 0 && storage.count > bytes { storage = [UInt8](repeating: 0, count: bytes) }
    }

    /// The bytes written, copied.
    package var bytes: [UInt8] { Array(storage.prefix(count)) }

    @inline(__always)
    private mutating func reserve(_ more: Int) {
        if storage.count - count < more { grow(more) }
    }

    @inline(never)
    private mutating func grow(_ more: Int) {
        let target = max(storage.count * 2, count + more, 64)
        storage.append(contentsOf: repeatElement(0, count: target - storage.count))
    }

    @inline(__always)
    private mutating func append<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value) {
        reserve(MemoryLayout<Value>.size)
        WireWriter.store(value, in: &storage, at: count)
        count += MemoryLayout<Value>.size
    }

    package mutating func u8(_ value: UInt8) { append(value) }
    package mutating func u16(_ value: UInt16) { append(value) }
    package mutating func u32(_ value: UInt32) { append(value) }
    package mutating func u64(_ value: UInt64) { append(value) }

    package mutating func raw(_ span: RawSpan) {
        reserve(span.byteCount)
        WireWriter.copy(span, into: &storage, at: count)
        count += span.byteCount
    }

    package mutating func raw(_ array: [UInt8]) { raw(array.rawSpan) }

    /// A u8 count and the bytes. The caller has checked that at most 255 are given.
    package mutating func bytes8(_ span: RawSpan) {
        u8(UInt8(span.byteCount))
        raw(span)
    }

    /// A u16 count and the bytes. The caller has checked that at most 65,535 are given.
    package mutating func bytes16(_ span: RawSpan) {
        u16(UInt16(span.byteCount))
        raw(span)
    }

    /// A u32 count and the bytes.
    package mutating func bytes32(_ span: RawSpan) {
        u32(UInt32(span.byteCount))
        raw(span)
    }

    package mutating func bytes32(_ array: [UInt8]) { bytes32(array.rawSpan) }

    /// A u8 count and the text in UTF-8. The caller has checked that it fits.
    package mutating func string8(_ text: String) {
        reserve(1 + text.utf8.count)
        u8(UInt8(text.utf8.count))
        appendUTF8(text)
    }

    /// A u16 count and the text in UTF-8. The caller has checked that it fits.
    package mutating func string16(_ text: String) {
        u16(UInt16(text.utf8.count))
        appendUTF8(text)
    }

    private mutating func appendUTF8(_ text: String) {
        for byte in text.utf8 { append(byte) }
    }

    package mutating func patch(_ value: UInt32, at offset: Int) {
        WireWriter.store(value, in: &storage, at: offset)
    }

    package mutating func patch(_ value: UInt64, at offset: Int) {
        WireWriter.store(value, in: &storage, at: offset)
    }

    package mutating func patch(_ value: UInt16, at offset: Int) {
        WireWriter.store(value, in: &storage, at: offset)
    }

    /// Begins a frame and returns where it begins, for ``endFrame(_:)``.
    package mutating func beginFrame(_ header: FrameHeader) -> Int {
        let start = count
        u32(0)
        u8(header.opcode)
        u8(header.flags.rawValue)
        u16(header.status)
        u32(header.correlation)
        u32(header.stream)
        return start
    }

    /// Ends the frame that began at `start`: writes its length.
    package mutating func endFrame(_ start: Int) {
        patch(UInt32(count - start - FrameHeader.lengthBytes), at: start)
    }

    /// Takes back everything written since `start`.
    package mutating func truncate(to start: Int) {
        precondition(start <= count)
        count = start
    }
}

extension WireWriter {
    package mutating func patch(_ value: UInt8, at offset: Int) {
        WireWriter.store(value, in: &storage, at: offset)
    }
}
