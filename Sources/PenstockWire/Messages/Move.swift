/// A held job that its worker puts off: until its dependencies have resolved, or for a while.
///
///     u64 sequence | u32 slot | u64 token | u8 to (0 waiting-children, 1 delayed, 2 rate-limited) | u64 delay
///     u8 flags (1 data is given) | u8 contentType | bytes32 data
package struct Move: WireMessage {
    package static let opcode = Opcode.move
    package static let isReply = false
    package static let dataFlag: UInt8 = 1

    package enum Place: UInt8, Sendable, CaseIterable {
        case waitingChildren = 0
        case delayed = 1
        /// Back to its place, and its queue grants nothing for a while.
        case rateLimited = 2

        fileprivate func allows(_ delay: UInt64) -> Bool {
            switch self {
            case .waitingChildren: delay == 0
            case .delayed: delay <= Limits.delayMillisecondsMax
            case .rateLimited: (1...Limits.delayMillisecondsMax).contains(delay)
            }
        }
    }

    /// The move, with its data as a place in the message.
    package struct Head: Sendable {
        package var sequence: UInt64
        package var slot: UInt32
        package var token: LeaseToken
        package var to: Place
        /// Milliseconds.
        package var delay: UInt64
        package var hasData: Bool
        package var contentType: ContentType
        package var data: ByteRange

        package init(_ body: RawSpan) throws(WireError) {
            var reader = WireReader(body)
            try self.init(from: &reader)
            try reader.end("the move")
        }

        init(from reader: inout WireReader) throws(WireError) {
            sequence = try reader.u64()
            slot = try reader.u32()
            token = try reader.token()
            let to = try reader.u8()
            delay = try reader.u64()
            let flags = try reader.u8()
            contentType = ContentType(rawValue: try reader.u8())
            data = try reader.range32()
            guard let to = Place(rawValue: to) else {
                throw WireError(
                    .invalidOption,
                    "A job can't be moved to \(to); 0 (waiting-children), 1 (delayed) and 2 (rate-limited) are."
                )
            }
            self.to = to
            try WireError.checkFlags(flags, allowed: Move.dataFlag, "a move")
            hasData = flags & Move.dataFlag != 0
            guard to.allows(delay) else {
                throw WireError(
                    .invalidOption,
                    "A delay of \(delay) ms; at most \(Limits.delayMillisecondsMax) is allowed, at least 1 to rate-limited, and 0 to waiting-children."
                )
            }
            try Limits.checkData(data.count, isGiven: hasData, contentType)
        }
    }

    package var sequence: UInt64
    package var slot: UInt32
    package var token: LeaseToken
    package var to: Place
    package var delay: UInt64
    /// What the job's data is from now on; nil: as it was.
    package var data: Payload?

    package init(
        sequence: UInt64,
        slot: UInt32,
        token: LeaseToken,
        to: Place,
        delay: UInt64 = 0,
        data: Payload? = nil
    ) {
        self.sequence = sequence
        self.slot = slot
        self.token = token
        self.to = to
        self.delay = delay
        self.data = data
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        writer.u32(slot)
        writer.token(token)
        writer.u8(to.rawValue)
        writer.u64(delay)
        writer.u8(data == nil ? 0 : Move.dataFlag)
        writer.payload(data ?? .none)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let head = try Head(from: &reader)
        sequence = head.sequence
        slot = head.slot
        token = head.token
        to = head.to
        delay = head.delay
        data = head.hasData ? Payload(head.contentType, reader.array(head.data)) : nil
    }
}

/// What became of a move.
///
///     u8 1 moved, 0 nothing is pending: the lease stays
package struct MoveOutcome: Equatable, Sendable {
    package var hasMoved: Bool

    package init(hasMoved: Bool) { self.hasMoved = hasMoved }
    package func encode(into writer: inout WireWriter) { writer.u8(hasMoved ? 1 : 0) }
    package init(from reader: inout WireReader) throws(WireError) { hasMoved = try reader.u8() != 0 }
}
