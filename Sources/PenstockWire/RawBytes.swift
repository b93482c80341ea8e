// The codec's innermost file: the few places where raw memory is touched.
// Each is bounded by the span or the array it is given.

extension Array where Element == UInt8 {
    /// A copy of the bytes.
    package init(copying span: RawSpan) {
        self = unsafe span.withUnsafeBytes { unsafe [UInt8]($0) }
    }
}

extension String {
    /// The text, or nil where the bytes are not well-formed UTF-8.
    package init?(validating span: RawSpan) {
        let text = unsafe span.withUnsafeBytes { unsafe String(validating: $0, as: UTF8.self) }
        guard let text else { return nil }
        self = text
    }
}

extension RawSpan {
    /// True where both hold the same bytes.
    package func isEqual(to other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        for index in 0..<byteCount where self[index] != other[index] { return false }
        return true
    }

    /// Below, equal or above 0: the order of the bytes, the shorter first where one begins the other.
    package func compare(to other: RawSpan) -> Int {
        let shared = min(byteCount, other.byteCount)
        for index in 0..<shared where self[index] != other[index] {
            return self[index] < other[index] ? -1 : 1
        }
        return byteCount - other.byteCount
    }

    /// The little-endian integer at a checked offset.
    @inline(__always)
    func load<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Value.Type) -> Value {
        precondition(offset >= 0 && offset <= byteCount - MemoryLayout<Value>.size)
        return Value(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: type))
    }

    /// The byte at a checked offset.
    package subscript(offset: Int) -> UInt8 {
        precondition(offset >= 0 && offset < byteCount)
        return unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }
}

extension String {
    /// Calls `body` with the text's UTF-8 bytes, without copying them where the text is stored so.
    package func withUTF8Span<Result>(_ body: (RawSpan) -> Result) -> Result {
        var copy = self
        return copy.withUTF8 { buffer in
            unsafe body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(buffer)))
        }
    }
}

extension WireWriter {
    /// Writes an integer at an offset that `reserve` has made room for.
    @inline(__always)
    static func store<Value: FixedWidthInteger & BitwiseCopyable>(
        _ value: Value,
        in storage: inout [UInt8],
        at offset: Int
    ) {
        precondition(offset >= 0 && offset + MemoryLayout<Value>.size <= storage.count)
        unsafe storage.withUnsafeMutableBytes { buffer in
            unsafe buffer.storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
        }
    }

    /// Copies the span to an offset that `reserve` has made room for.
    static func copy(_ span: RawSpan, into storage: inout [UInt8], at offset: Int) {
        let count = span.byteCount
        precondition(offset >= 0 && offset + count <= storage.count)
        unsafe storage.withUnsafeMutableBytes { target in
            unsafe span.withUnsafeBytes { source in
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + count]).copyMemory(from: source)
            }
        }
    }
}

extension WireWriter {
    /// The bytes written so far, borrowed from the writer.
    package var span: RawSpan {
        @_lifetime(borrow self)
        borrowing get { unsafe storage.span.bytes.extracting(first: count) }
    }
}

extension Array where Element == UInt8 {
    /// The array's bytes, borrowed.
    package var rawSpan: RawSpan {
        @_lifetime(borrow self)
        borrowing get { unsafe span.bytes }
    }
}

extension Array where Element == UInt8 {
    package mutating func append(copying span: RawSpan) {
        unsafe span.withUnsafeBytes { source in
            unsafe append(contentsOf: source)
        }
    }
}
