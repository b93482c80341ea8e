import PenstockWire

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Values to payloads and back: JSON, but for raw bytes and for no value.
enum PayloadCoder {
    // Never changed after they were made; both are safe to use from any thread.
    private static let encoder = JSONEncoder()
    private static let decoder = JSONDecoder()

    /// - Throws: `encodingFailed`.
    static func encode<Value: Encodable>(_ value: Value) throws(PenstockError) -> RawPayload {
        if Value.self == NoPayload.self { return .none }
        if let raw = value as? RawPayload { return raw }
        // By type first: an empty array of anything can be cast to any other.
        if Value.self == [UInt8].self, let bytes = value as? [UInt8] { return RawPayload(bytes: bytes) }
        do {
            return RawPayload(bytes: [UInt8](try encoder.encode(value)), kind: .json)
        } catch {
            throw PenstockError(.encodingFailed, "A value of type \(Value.self) can't be encoded as JSON: \(error)")
        }
    }

    /// - Throws: `decodingFailed`.
    static func decode<Value: Decodable>(_ type: Value.Type, from payload: RawPayload) throws(PenstockError) -> Value {
        if let raw = payload as? Value { return raw }
        if type == NoPayload.self, let nothing = NoPayload() as? Value { return nothing }
        if payload.kind == .binary, type == [UInt8].self, let bytes = payload.bytes as? Value { return bytes }
        if payload.kind == .text, let text = String(validating: payload.bytes.rawSpan) as? Value { return text }
        do {
            // No value can be read as an optional one: nil.
            let json = payload.kind == .none ? Data("null".utf8) : Data(payload.bytes)
            return try decoder.decode(type, from: json)
        } catch {
            let what = payload.kind == .none ? "no value" : "\(payload.bytes.count) bytes"
            throw PenstockError(.decodingFailed, "\(what) can't be decoded as \(Value.self): \(error)")
        }
    }
}
