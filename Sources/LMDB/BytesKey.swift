/// Borrowed bytes as a key: a name, or a key that was encoded elsewhere.
///
/// It lives as long as the span that it was made of and copies nothing before the operation writes it to the stack.
public struct BytesKey: TableKey, ~Escapable {
    let bytes: RawSpan

    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) {
        self.bytes = bytes
    }

    public func encode(into writer: inout KeyWriter) {
        writer.append(bytes)
    }
}
