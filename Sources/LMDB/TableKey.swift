/// A key of a table: a value that writes itself as bytes whose order is the order of the keys.
///
/// LMDB compares keys as bytes (`memcmp`, then the shorter first), so a key writes its parts most significant first:
/// ``KeyWriter`` appends integers big-endian. A part of variable length must come last, or be counted or ended, or two
/// different keys may be the same bytes. The bytes are written to the stack; no operation allocates for its key.
///
///     struct ReadyKey: TableKey {
///         var queue: UInt32, priority: UInt8, place: UInt64
///         func encode(into writer: inout KeyWriter) {
///             writer.append(queue)
///             writer.append(priority)
///             writer.append(place)
///         }
///     }
///
/// A key may itself borrow its bytes (`~Escapable`), see ``BytesKey``.
public protocol TableKey: ~Copyable, ~Escapable {
    /// Appends the key's bytes to `writer`: 1 to ``KeyLimits/keyBytesMax``, or the operation throws `.badValueSize`.
    borrowing func encode(into writer: inout KeyWriter)
}

/// A key that can be read back from its bytes, as a cursor meets them.
public protocol DecodableTableKey: TableKey {
    /// Takes the key's parts from `reader`; nil when they are not there.
    init?(from reader: inout KeyReader)
}

extension DecodableTableKey {
    /// The key that `bytes` hold; nil when they are too few or too many.
    public init?(_ bytes: RawSpan) {
        var reader = KeyReader(bytes)
        self.init(from: &reader)
        if !reader.isAtEnd { return nil }
    }
}
