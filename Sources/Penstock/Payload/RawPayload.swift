import PenstockWire

/// Data or a result as bytes, without a coding of the client's.
///
/// Use it as the payload of a job, or ask for a result as one, where JSON is
/// not wanted:
///
/// ```swift
/// try await queue.add("thumbnail", data: RawPayload(bytes: png))
/// let image = try await handle.result(as: RawPayload.self).bytes
/// ```
public struct RawPayload: Hashable, Sendable {
    /// What the bytes are. Numbers from 128 on are free for users; the server reads none of them.
    public struct Kind: RawRepresentable, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        /// No value at all: told apart from empty bytes and from JSON's null.
        public static let none = Kind(rawValue: ContentType.none.rawValue)
        /// JSON: what every `Encodable` value becomes.
        public static let json = Kind(rawValue: ContentType.json.rawValue)
        /// Bytes of which only their user knows what they are; what `[UInt8]` becomes.
        public static let binary = Kind(rawValue: ContentType.binary.rawValue)
        /// UTF-8, without the quotes of JSON; it can be read as a `String`.
        public static let text = Kind(rawValue: ContentType.text.rawValue)
    }

    /// At most 1 MiB.
    public var bytes: [UInt8]
    public var kind: Kind

    public init(bytes: [UInt8], kind: Kind = .binary) {
        self.bytes = bytes
        self.kind = kind
    }

    /// No value.
    public static let none = RawPayload(bytes: [], kind: .none)

    /// The value that the bytes hold.
    /// - Throws: ``PenstockError/Code/decodingFailed``.
    public func decode<Value: Decodable>(as type: Value.Type) throws(PenstockError) -> Value {
        try PayloadCoder.decode(type, from: self)
    }
}

extension RawPayload: Codable {}

extension RawPayload.Kind: Codable {}

/// The data of a job that has none.
public struct NoPayload: Hashable, Sendable, Codable {
    public init() {}
}
