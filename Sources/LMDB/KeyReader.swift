/// A walk through the bytes of a key, the mirror of ``KeyWriter``.
///
/// Each read takes bytes from the front, or returns nil and takes nothing when they are too few.
public struct KeyReader: ~Escapable {
    private var rest: RawSpan

    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) {
        rest = bytes
    }

    /// True when every byte was taken.
    public var isAtEnd: Bool { rest.isEmpty }

    public mutating func readUInt8() -> UInt8? { load() }
    public mutating func readUInt16() -> UInt16? { load() }
    public mutating func readUInt32() -> UInt32? { load() }
    public mutating func readUInt64() -> UInt64? { load() }

    /// The next `count` bytes.
    @_lifetime(copy self)
    public mutating func readBytes(_ count: Int) -> RawSpan? {
        guard count >= 0, count <= rest.byteCount else { return nil }
        let bytes = rest.extracting(first: count)
        rest = rest.extracting(droppingFirst: count)
        return bytes
    }

    /// All bytes that are left.
    @_lifetime(copy self)
    public mutating func readRest() -> RawSpan {
        let bytes = rest
        rest = rest.extracting(droppingFirst: rest.byteCount)
        return bytes
    }

    private mutating func load<Value: FixedWidthInteger & BitwiseCopyable>() -> Value? {
        let size = MemoryLayout<Value>.size
        guard rest.byteCount >= size else { return nil }
        let value = unsafe rest.unsafeLoadUnaligned(as: Value.self)
        rest = rest.extracting(droppingFirst: size)
        return Value(bigEndian: value)
    }
}
