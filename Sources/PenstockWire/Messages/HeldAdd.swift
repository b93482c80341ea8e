/// What a worker adds beside the job that it holds: dependencies of that job, or what follows its completion.
///
///     u64 sequence | u32 slot | u64 token | u8 action (0 add, 1 complete) | u8 contentType | bytes32 result | AddTail
///
/// With the action *complete* the held job completes with the result in the same transaction. With *add* it goes on
/// running, there is no result, and items can be children of it: their sinks become its dependencies.
package struct HeldAdd: WireMessage {
    package static let opcode = Opcode.addHeld
    package static let isReply = false

    package enum Action: UInt8, Sendable, CaseIterable {
        case add = 0
        case complete = 1

        /// What the action allows in the items.
        package var context: AddContext { self == .add ? .children : .completion }
    }

    /// All but the items, as places in the message.
    package struct Head: Sendable {
        package var sequence: UInt64
        package var slot: UInt32
        package var token: LeaseToken
        package var action: Action
        package var contentType: ContentType
        package var result: ByteRange
        /// For an ``AddDecoder``, with the action's context.
        package var tail: ByteRange

        package init(_ body: RawSpan) throws(WireError) {
            var reader = WireReader(body)
            try self.init(from: &reader)
        }

        init(from reader: inout WireReader) throws(WireError) {
            sequence = try reader.u64()
            slot = try reader.u32()
            token = try reader.token()
            let action = try reader.u8()
            contentType = ContentType(rawValue: try reader.u8())
            result = try reader.range32()
            tail = try reader.range(reader.remaining)
            guard let action = Action(rawValue: action) else {
                throw WireError(.invalidOption, "\(action) is no action of a held add; 0 (add) and 1 (complete) are.")
            }
            self.action = action
            guard action == .complete || contentType == .none && result.isEmpty else {
                throw WireError(.invalidOption, "A job that goes on running has no result.")
            }
            try Limits.checkResult(result.count)
        }
    }

    package var sequence: UInt64
    package var slot: UInt32
    package var token: LeaseToken
    package var action: Action
    package var result: Payload
    package var add: AddTail

    package init(
        sequence: UInt64,
        slot: UInt32,
        token: LeaseToken,
        action: Action,
        result: Payload = .none,
        add: AddTail
    ) {
        self.sequence = sequence
        self.slot = slot
        self.token = token
        self.action = action
        self.result = result
        self.add = add
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        writer.u32(slot)
        writer.token(token)
        writer.u8(action.rawValue)
        writer.payload(result)
        add.encode(into: &writer)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let head = try Head(from: &reader)
        sequence = head.sequence
        slot = head.slot
        token = head.token
        action = head.action
        result = Payload(head.contentType, reader.array(head.result))
        add = try AddTail(reader.bytes.extracting(head.tail), head.action.context)
    }
}
