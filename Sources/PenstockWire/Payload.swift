/// Bytes, and what they are: data that is given anew, or a flow's metadata.
package struct Payload: Equatable, Sendable {
    package static let none = Payload(.none, [])

    package var contentType: ContentType
    package var bytes: [UInt8]

    package init(_ contentType: ContentType, _ bytes: [UInt8]) {
        self.contentType = contentType
        self.bytes = bytes
    }
}

extension WireWriter {
    package mutating func payload(_ payload: Payload) {
        u8(payload.contentType.rawValue)
        bytes32(payload.bytes)
    }
}
