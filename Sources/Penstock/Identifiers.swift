import PenstockWire

/// The number of a job, given by the server: unique in it and never used again.
///
/// As text, and in JSON, it is a string of digits.
public struct JobID: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static func < (a: JobID, b: JobID) -> Bool { a.rawValue < b.rawValue }
}

/// The number of a flow, given by the server: unique in it and never used again.
///
/// As text, and in JSON, it is a string of digits.
public struct FlowID: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }
    public static func < (a: FlowID, b: FlowID) -> Bool { a.rawValue < b.rawValue }
}

extension JobID: LosslessStringConvertible {
    public init?(_ description: String) {
        guard let rawValue = UInt64(description) else { return nil }
        self.rawValue = rawValue
    }
    public var description: String { String(rawValue) }
}

extension FlowID: LosslessStringConvertible {
    public init?(_ description: String) {
        guard let rawValue = UInt64(description) else { return nil }
        self.rawValue = rawValue
    }
    public var description: String { String(rawValue) }
}

extension JobID: Codable {
    public init(from decoder: any Decoder) throws {
        rawValue = try decodeDigits(from: decoder)
    }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension FlowID: Codable {
    public init(from decoder: any Decoder) throws {
        rawValue = try decodeDigits(from: decoder)
    }
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// A number that stands as a string, as JSON's own numbers can't hold 64 bits everywhere.
private func decodeDigits(from decoder: any Decoder) throws -> UInt64 {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let number = UInt64(text) else {
        throw DecodingError.dataCorruptedError(in: container, debugDescription: "\(text) is no id: digits are.")
    }
    return number
}

extension JobID {
    init(_ id: PenstockWire.JobID) { rawValue = id.rawValue }
    /// 0 on the wire is none.
    init?(optional id: PenstockWire.JobID) {
        guard id != .none else { return nil }
        rawValue = id.rawValue
    }
    var wire: PenstockWire.JobID { PenstockWire.JobID(rawValue) }
}

extension FlowID {
    init?(optional id: PenstockWire.FlowID) {
        guard id != .none else { return nil }
        rawValue = id.rawValue
    }
    var wire: PenstockWire.FlowID { PenstockWire.FlowID(rawValue) }
}
