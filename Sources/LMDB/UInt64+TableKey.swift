/// A 64-bit number as a key: 8 bytes, big-endian.
extension UInt64: DecodableTableKey {
    public func encode(into writer: inout KeyWriter) {
        writer.append(self)
    }

    public init?(from reader: inout KeyReader) {
        guard let value = reader.readUInt64() else { return nil }
        self = value
    }
}
