/// A cursor over received bytes; every read is checked against what is there.
///
/// It borrows the bytes: the compiler keeps it from outliving them. Nothing is
/// copied and nothing is allocated, but for the strings that are asked for.
package struct WireReader: ~Escapable {
    package let bytes: RawSpan
    /// Bytes consumed so far.
    package private(set) var offset: Int

    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan) {
        self.bytes = bytes
        offset = 0
    }

    /// Bytes not read yet.
    package var remaining: Int { bytes.byteCount - offset }

    package var isAtEnd: Bool { offset == bytes.byteCount }

    @inline(__always)
    private mutating func load<Value: FixedWidthInteger & BitwiseCopyable>(
        as type: Value.Type
    ) throws(WireError) -> Value {
        let size = MemoryLayout<Value>.size
        guard remaining >= size else { throw .truncated("a number") }
        let value = bytes.load(at: offset, as: type)
        offset += size
        return value
    }

    package mutating func u8() throws(WireError) -> UInt8 { try load(as: UInt8.self) }
    package mutating func u16() throws(WireError) -> UInt16 { try load(as: UInt16.self) }
    package mutating func u32() throws(WireError) -> UInt32 { try load(as: UInt32.self) }
    package mutating func u64() throws(WireError) -> UInt64 { try load(as: UInt64.self) }

    /// The next `count` bytes, borrowed.
    @_lifetime(copy self)
    package mutating func span(_ count: Int) throws(WireError) -> RawSpan {
        guard count >= 0, count <= remaining else { throw .truncated("counted bytes") }
        let start = offset
        offset += count
        return bytes.extracting(start..<start + count)
    }

    /// Where the next `count` bytes stand, without borrowing them.
    package mutating func range(_ count: Int) throws(WireError) -> ByteRange {
        guard count >= 0, count <= remaining else { throw .truncated("counted bytes") }
        let range = ByteRange(offset: offset, count: count)
        offset += count
        return range
    }

    /// A u8 count and that many bytes.
    package mutating func range8() throws(WireError) -> ByteRange { try range(Int(u8())) }
    /// A u16 count and that many bytes.
    package mutating func range16() throws(WireError) -> ByteRange { try range(Int(u16())) }
    /// A u32 count and that many bytes.
    package mutating func range32() throws(WireError) -> ByteRange { try range(Int(u32())) }

    package mutating func array(_ range: ByteRange) -> [UInt8] { bytes.array(range) }
    package mutating func array32() throws(WireError) -> [UInt8] { bytes.array(try range32()) }

    package mutating func string8(_ what: StaticString) throws(WireError) -> String {
        try bytes.string(try range8(), what)
    }
    package mutating func string16(_ what: StaticString) throws(WireError) -> String {
        try bytes.string(try range16(), what)
    }

    /// A count of rows that each take at least `bytesEach` of what remains: a
    /// count that cannot be true is refused before anything is allocated by it.
    package mutating func count16(bytesEach: Int) throws(WireError) -> Int {
        // Not in one expression: `self` would be taken before the count is read, and the count's own bytes counted.
        let count = Int(try u16())
        return try checked(count, bytesEach)
    }
    package mutating func count32(bytesEach: Int) throws(WireError) -> Int {
        let count = Int(try u32())
        return try checked(count, bytesEach)
    }

    private func checked(_ count: Int, _ bytesEach: Int) throws(WireError) -> Int {
        guard count * bytesEach <= remaining else {
            throw WireError(.malformed, "A count of \(count) does not fit the \(remaining) bytes that follow it.")
        }
        return count
    }

    /// Refuses what stands behind the last field.
    package func end(_ what: StaticString) throws(WireError) {
        guard isAtEnd else {
            throw WireError(.malformed, "\(remaining) bytes too many at the end of \(what).")
        }
    }
}
