/// A message as a value: what the SDK, the tests and the golden vectors use.
///
/// The server's hot path reads and writes the same layouts without making these
/// values. Encoding never fails: who makes a message has checked its limits.
package protocol WireMessage: Equatable, Sendable {
    static var opcode: Opcode { get }
    /// True for a message that answers a request.
    static var isReply: Bool { get }
    func encode(into writer: inout WireWriter)
    init(from reader: inout WireReader) throws(WireError)
}

extension WireMessage {
    /// Appends the message as a whole frame.
    package func encodeFrame(
        into writer: inout WireWriter,
        correlation: UInt32 = 0,
        stream: UInt32 = 0,
        flags: FrameFlags = []
    ) {
        var flags = flags
        if Self.isReply { flags.insert(.reply) }
        let start = writer.beginFrame(
            FrameHeader(Self.opcode, flags: flags, correlation: correlation, stream: stream)
        )
        encode(into: &writer)
        writer.endFrame(start)
    }

    /// Reads a body that holds this message and nothing else.
    package init(body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        self = try Self(from: &reader)
        try reader.end("the message")
    }
}

/// The body of an error frame, and of a refused command's outcome: a class and a sentence.
package struct ErrorBody: Equatable, Sendable {
    package var errorClass: ErrorClass
    package var message: String

    package init(_ error: WireError) {
        errorClass = error.code.errorClass
        message = error.message
    }

    package func encode(into writer: inout WireWriter) {
        writer.u8(errorClass.rawValue)
        writer.string16(ErrorBody.cut(message))
    }

    /// The text, cut to ``Limits/errorMessageBytesMax`` between two scalars. Not between two characters: one of
    /// those can be as long as whoever chose it likes.
    static func cut(_ text: String) -> String {
        guard text.utf8.count > Limits.errorMessageBytesMax else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: Limits.errorMessageBytesMax)
        while UTF8.isContinuation(text.utf8[end]) { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }

    package init(from reader: inout WireReader) throws(WireError) {
        errorClass = ErrorClass(rawValue: try reader.u8()) ?? .server
        message = try reader.string16("error message")
    }
}

extension WireWriter {
    /// Appends an error frame that answers the given request.
    package mutating func errorFrame(_ error: WireError, opcode: UInt8, correlation: UInt32, stream: UInt32 = 0) {
        var header = FrameHeader(
            .hello,
            flags: [.reply, .error],
            status: error.code,
            correlation: correlation,
            stream: stream
        )
        header.opcode = opcode
        let start = beginFrame(header)
        ErrorBody(error).encode(into: &self)
        endFrame(start)
    }
}

extension WireReader {
    /// A byte that must be one of an enumeration's.
    package mutating func value<Value: RawRepresentable>(
        _ type: Value.Type,
        _ what: StaticString
    ) throws(WireError) -> Value where Value.RawValue == UInt8 {
        let raw = try u8()
        guard let value = Value(rawValue: raw) else {
            throw WireError(.invalidOption, "\(raw) is no \(what).")
        }
        return value
    }
}

extension WireMessage {
    /// Appends the message as the reply to a request of another opcode: what a WAIT is answered with.
    package func encodeFrame(into writer: inout WireWriter, correlation: UInt32, as opcode: UInt8) {
        var header = FrameHeader(Self.opcode, flags: .reply, correlation: correlation)
        header.opcode = opcode
        let start = writer.beginFrame(header)
        encode(into: &writer)
        writer.endFrame(start)
    }
}
