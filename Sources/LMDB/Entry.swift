/// A key and its value, borrowed from the transaction that found them.
public struct Entry<Key: TableKey & ~Copyable & ~Escapable>: ~Escapable {
    /// The key's bytes.
    public let keyBytes: RawSpan
    /// The value's bytes. They may begin at any even address: load from them unaligned.
    public let value: RawSpan

    @_lifetime(copy keyBytes, copy value)
    init(keyBytes: RawSpan, value: RawSpan) {
        self.keyBytes = keyBytes
        self.value = value
    }
}

extension Entry where Key: DecodableTableKey {
    /// The key; nil when its bytes are not one (damage, or another version).
    public var key: Key? { Key(keyBytes) }
}
