/// A place in bytes that may be anything, which are read forward: what is not there is nil.
struct ByteCursor {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    /// The next byte, which stays.
    var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    /// Passes over `count` bytes; false, and nothing is passed, when there are fewer.
    mutating func skip(_ count: Int) -> Bool {
        guard count <= bytes.count - position else { return false }
        position += count
        return true
    }

    /// Passes over `byte`, if it is the next one.
    mutating func skip(_ byte: Unicode.Scalar) -> Bool {
        guard let next = peek, next == UInt8(ascii: byte) else { return false }
        position += 1
        return true
    }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        let start = position
        return skip(count) ? bytes[start..<start + count] : nil
    }

    /// The bytes up to the first that doesn't satisfy the predicate.
    mutating func take(while isWanted: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        let start = position
        while let next = peek, isWanted(next) { position += 1 }
        return bytes[start..<position]
    }

    /// A big-endian number.
    mutating func number<Value: FixedWidthInteger>(_ type: Value.Type) -> Value? {
        guard let bytes = take(MemoryLayout<Value>.size) else { return nil }
        return bytes.reduce(0) { $0 << 8 | Value(truncatingIfNeeded: $1) }
    }
}
