/// Reserved jobs that their worker has started. It has no reply.
///
///     u32 count | count x (u32 slot | u64 token)
package struct Started: WireMessage {
    package static let opcode = Opcode.started
    package static let isReply = false

    package struct Lease: Equatable, Sendable {
        package static let byteCount = 12

        package var slot: UInt32
        package var token: LeaseToken

        package init(slot: UInt32, token: LeaseToken) {
            self.slot = slot
            self.token = token
        }
    }

    package var leases: [Lease]

    package init(leases: [Lease]) { self.leases = leases }

    package func encode(into writer: inout WireWriter) {
        writer.u32(UInt32(leases.count))
        for lease in leases {
            writer.u32(lease.slot)
            writer.token(lease.token)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let count = try reader.count32(bytesEach: Lease.byteCount)
        guard count <= Limits.tokensPerFrameMax else {
            throw WireError(.invalidRequest, "\(count) leases in one frame; \(Limits.tokensPerFrameMax) are allowed.")
        }
        leases = []
        leases.reserveCapacity(count)
        for _ in 0..<count {
            let slot = try reader.u32()
            leases.append(Lease(slot: slot, token: try reader.token()))
        }
    }
}

/// Reserved jobs that the server asks back: those that were not started are to be released.
///
///     u32 count | count x u64 token
package struct Recall: WireMessage {
    package static let opcode = Opcode.recall
    package static let isReply = false
    package var tokens: [LeaseToken]

    package init(tokens: [LeaseToken]) { self.tokens = tokens }
    package func encode(into writer: inout WireWriter) { writer.tokens(tokens) }
    package init(from reader: inout WireReader) throws(WireError) { tokens = try reader.tokens() }
}
