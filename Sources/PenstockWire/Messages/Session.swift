/// A sign of life, either way; the client's also confirms the outcomes that it has.
///
///     u64 number
///
/// From a client the number is its highest confirmed sequence number: the server
/// forgets the outcomes up to it. From the server it is the last commit's number.
package struct Heartbeat: WireMessage {
    package static let opcode = Opcode.heartbeat
    package static let isReply = false
    package var number: UInt64

    package init(number: UInt64) { self.number = number }
    package func encode(into writer: inout WireWriter) { writer.u64(number) }
    package init(from reader: inout WireReader) throws(WireError) { number = try reader.u64() }
}

/// The leases that a resuming client still holds. What the session holds beside them is given back.
///
///     u32 count | count x u64 token
package struct Hold: WireMessage {
    package static let opcode = Opcode.hold
    package static let isReply = false
    package var tokens: [LeaseToken]

    package init(tokens: [LeaseToken]) { self.tokens = tokens }
    package func encode(into writer: inout WireWriter) { writer.tokens(tokens) }
    package init(from reader: inout WireReader) throws(WireError) { tokens = try reader.tokens() }
}

/// The server's answer to ``Hold``: the listed leases that are dead.
///
///     u32 count | count x u64 token
package struct Held: WireMessage {
    package static let opcode = Opcode.hold
    package static let isReply = true
    package var fenced: [LeaseToken]

    package init(fenced: [LeaseToken]) { self.fenced = fenced }
    package func encode(into writer: inout WireWriter) { writer.tokens(fenced) }
    package init(from reader: inout WireReader) throws(WireError) { fenced = try reader.tokens() }
}

/// From a client: the session ends, its leases are given back. From the server: it is about to stop.
///
/// No body.
package struct Goodbye: WireMessage {
    package static let opcode = Opcode.goodbye
    package static let isReply = false
    package init() {}
    package func encode(into writer: inout WireWriter) {}
    package init(from reader: inout WireReader) throws(WireError) {}
}

/// The server's answer to ``Goodbye``: the session is gone.
///
/// No body.
package struct Farewell: WireMessage {
    package static let opcode = Opcode.goodbye
    package static let isReply = true
    package init() {}
    package func encode(into writer: inout WireWriter) {}
    package init(from reader: inout WireReader) throws(WireError) {}
}

extension WireWriter {
    package mutating func tokens(_ tokens: [LeaseToken]) {
        u32(UInt32(tokens.count))
        for token in tokens { self.token(token) }
    }
}

extension WireReader {
    package mutating func tokens() throws(WireError) -> [LeaseToken] {
        let count = try count32(bytesEach: 8)
        guard count <= Limits.tokensPerFrameMax else {
            throw WireError(.invalidRequest, "\(count) tokens in one frame; \(Limits.tokensPerFrameMax) are allowed.")
        }
        var tokens: [LeaseToken] = []
        tokens.reserveCapacity(count)
        for _ in 0..<count { tokens.append(try token()) }
        return tokens
    }
}
