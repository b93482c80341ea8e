/// One completed job: the lease that it was held by, and what it returned.
///
///     u32 slot | u64 token | u8 contentType | bytes32 result
package struct Completion: Equatable, Sendable {
    package var slot: UInt32
    package var token: LeaseToken
    /// `.none` where the job returned nothing; the bytes are then empty.
    package var contentType: ContentType
    package var result: [UInt8]

    package static let byteCountMin = 17

    package init(slot: UInt32, token: LeaseToken, contentType: ContentType = .none, result: [UInt8] = []) {
        self.slot = slot
        self.token = token
        self.contentType = contentType
        self.result = result
    }
}

/// Completed jobs of one session; each is a durable command with a number of its own.
///
///     u64 sequence of the first | u16 count | count x Completion
package struct Complete: WireMessage {
    package static let opcode = Opcode.complete
    package static let isReply = false
    package var sequence: UInt64
    package var completions: [Completion]

    package init(sequence: UInt64, completions: [Completion]) {
        self.sequence = sequence
        self.completions = completions
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        writer.u16(UInt16(completions.count))
        for completion in completions {
            writer.u32(completion.slot)
            writer.token(completion.token)
            writer.u8(completion.contentType.rawValue)
            writer.bytes32(completion.result)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.u64()
        let count = try reader.count16(bytesEach: Completion.byteCountMin)
        try Complete.check(count: count)
        completions = []
        completions.reserveCapacity(count)
        for _ in 0..<count {
            let slot = try reader.u32()
            let token = try reader.token()
            let contentType = ContentType(rawValue: try reader.u8())
            let result = try reader.array32()
            completions.append(Completion(slot: slot, token: token, contentType: contentType, result: result))
        }
    }

    /// The items of a COMPLETE or FAIL: each uses up a sequence number, so that a wrong count can't be answered softly.
    package static func check(count: Int) throws(WireError) {
        guard (1...Limits.completionsPerFrameMax).contains(count) else {
            throw WireError(
                .malformed,
                "\(count) items in one frame; 1 to \(Limits.completionsPerFrameMax) are allowed."
            )
        }
    }
}

/// One failed attempt.
///
///     u32 slot | u64 token | u8 flags (1 unrecoverable, 2 delay given) | u64 delay | str16 message | bytes32 details
package struct Failure: Equatable, Sendable {
    package static let byteCountMin = 27
    package static let unrecoverableFlag: UInt8 = 1
    package static let delayFlag: UInt8 = 2

    package var slot: UInt32
    package var token: LeaseToken
    /// True: no further attempt is made.
    package var unrecoverable: Bool
    /// Milliseconds before the next attempt, in place of the job's backoff.
    package var delay: UInt64?
    package var message: String
    package var details: [UInt8]

    package init(
        slot: UInt32,
        token: LeaseToken,
        unrecoverable: Bool = false,
        delay: UInt64? = nil,
        message: String,
        details: [UInt8] = []
    ) {
        self.slot = slot
        self.token = token
        self.unrecoverable = unrecoverable
        self.delay = delay
        self.message = message
        self.details = details
    }
}

/// Failed attempts of one session; each is a durable command with a number of its own.
///
///     u64 sequence of the first | u16 count | count x Failure
package struct Fail: WireMessage {
    package static let opcode = Opcode.fail
    package static let isReply = false
    package var sequence: UInt64
    package var failures: [Failure]

    package init(sequence: UInt64, failures: [Failure]) {
        self.sequence = sequence
        self.failures = failures
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        writer.u16(UInt16(failures.count))
        for failure in failures {
            writer.u32(failure.slot)
            writer.token(failure.token)
            writer.u8(
                (failure.unrecoverable ? Failure.unrecoverableFlag : 0)
                    | (failure.delay == nil ? 0 : Failure.delayFlag)
            )
            writer.u64(failure.delay ?? 0)
            writer.string16(failure.message)
            writer.bytes32(failure.details)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.u64()
        let count = try reader.count16(bytesEach: Failure.byteCountMin)
        try Complete.check(count: count)
        failures = []
        failures.reserveCapacity(count)
        for _ in 0..<count {
            let slot = try reader.u32()
            let token = try reader.token()
            let flags = try reader.u8()
            let delay = try reader.u64()
            let message = try reader.string16("failure message")
            let details = try reader.array32()
            failures.append(
                Failure(
                    slot: slot,
                    token: token,
                    unrecoverable: flags & Failure.unrecoverableFlag != 0,
                    delay: flags & Failure.delayFlag != 0 ? delay : nil,
                    message: message,
                    details: details
                )
            )
        }
    }
}

/// Leases given back, reserved ones too: each job returns to its place, and no attempt is counted.
///
///     u32 count | count x u64 token
package struct Release: WireMessage {
    package static let opcode = Opcode.release
    package static let isReply = false
    package var tokens: [LeaseToken]

    package init(tokens: [LeaseToken]) { self.tokens = tokens }
    package func encode(into writer: inout WireWriter) { writer.tokens(tokens) }
    package init(from reader: inout WireReader) throws(WireError) { tokens = try reader.tokens() }
}

/// The server's answer to ``Release``: the listed leases that were dead already.
///
///     u32 count | count x u64 token
package struct Released: WireMessage {
    package static let opcode = Opcode.release
    package static let isReply = true
    package var fenced: [LeaseToken]

    package init(fenced: [LeaseToken]) { self.fenced = fenced }
    package func encode(into writer: inout WireWriter) { writer.tokens(fenced) }
    package init(from reader: inout WireReader) throws(WireError) { fenced = try reader.tokens() }
}

/// Leases that the server has ended: the client cancels what it runs under them.
///
///     u32 count | count x (u32 slot | u64 token | u8 reason | str16 message)
package struct Revoked: WireMessage {
    package static let opcode = Opcode.revoked
    package static let isReply = false

    package enum Reason: UInt8, Sendable, CaseIterable {
        /// The lease ran out: nothing was heard from the session in time.
        case expired = 1
        /// A command took the job away.
        case withdrawn = 2
        /// The job was cancelled; the message is the reason that was given.
        case cancelled = 3
        /// The attempt took longer than its job allows.
        case timeout = 4
    }

    package struct Lease: Equatable, Sendable {
        package var slot: UInt32
        package var token: LeaseToken
        package var reason: Reason
        /// A sentence for people, or nothing.
        package var message: String

        package init(slot: UInt32, token: LeaseToken, reason: Reason, message: String = "") {
            self.slot = slot
            self.token = token
            self.reason = reason
            self.message = message
        }
    }

    package var leases: [Lease]

    package init(leases: [Lease]) { self.leases = leases }

    package func encode(into writer: inout WireWriter) {
        writer.u32(UInt32(leases.count))
        for lease in leases {
            writer.u32(lease.slot)
            writer.token(lease.token)
            writer.u8(lease.reason.rawValue)
            writer.string16(lease.message)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let count = try reader.count32(bytesEach: 15)
        leases = []
        for _ in 0..<count {
            let slot = try reader.u32()
            let token = try reader.token()
            let reason = try reader.value(Reason.self, "reason of a revocation")
            let message = try reader.string16("message of a revocation")
            leases.append(Lease(slot: slot, token: token, reason: reason, message: message))
        }
    }
}
