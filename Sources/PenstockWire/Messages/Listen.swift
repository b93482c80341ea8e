/// A wish to be told what happens. The header's stream names it; a subscription and a listener never share one.
///
///     u8 scope (0 all, 1 queue, 2 flow) | str8 queue | u64 flow | u32 kinds | u64 since | u32 bytes
package struct Listen: WireMessage {
    package static let opcode = Opcode.listen
    package static let isReply = false

    /// What is listened to.
    package enum Scope: Equatable, Sendable {
        case all
        case queue(String)
        case flow(FlowID)
    }

    package var scope: Scope
    package var kinds: EventKinds
    /// The last event that the listener knows of; 0: it wants those that come from now on.
    package var since: UInt64
    /// Bytes of events that may be sent before the listener grants more. The last event may go beyond.
    package var creditBytes: UInt32

    package init(
        _ scope: Scope,
        kinds: EventKinds = .all,
        since: UInt64 = 0,
        creditBytes: UInt32 = UInt32(Limits.creditBytesMax)
    ) {
        self.scope = scope
        self.kinds = kinds
        self.since = since
        self.creditBytes = creditBytes
    }

    package func encode(into writer: inout WireWriter) {
        scope.encode(into: &writer)
        writer.u32(kinds.rawValue)
        writer.u64(since)
        writer.u32(creditBytes)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        scope = try Scope(from: &reader)
        kinds = EventKinds(rawValue: try reader.u32())
        guard EventKinds.all.isSuperset(of: kinds), !kinds.isEmpty else {
            throw WireError(
                .invalidOption,
                "\(kinds.rawValue) is no set of kinds of events; at least one of the bits of \(EventKinds.all.rawValue) is."
            )
        }
        since = try reader.u64()
        creditBytes = try reader.u32()
    }
}

extension Listen.Scope {
    package func encode(into writer: inout WireWriter) {
        var (queue, flow) = ("", FlowID.none)
        switch self {
        case .all: writer.u8(0)
        case .queue(let name):
            writer.u8(1)
            queue = name
        case .flow(let id):
            writer.u8(2)
            flow = id
        }
        writer.string8(queue)
        writer.flowID(flow)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let kind = try reader.u8()
        let queue = try reader.string8("queue name")
        let flow = try reader.flowID()
        switch kind {
        case 0: self = .all
        case 1: self = .queue(queue)
        case 2: self = .flow(flow)
        default:
            throw WireError(
                .invalidOption,
                "\(kind) is nothing to listen to; 0 (all), 1 (a queue) and 2 (a flow) are."
            )
        }
        guard kind == 1 || queue.isEmpty, kind == 2 ? flow != .none : flow == .none else {
            throw WireError(
                .invalidOption,
                "A queue is named where one is listened to, and a flow where one is; nothing else beside them."
            )
        }
    }
}

/// The server's answer to ``Listen``.
///
///     u64 sequence
package struct Listening: WireMessage {
    package static let opcode = Opcode.listen
    package static let isReply = true
    /// Every event behind this one is told, or that some are missing.
    package var sequence: UInt64

    package init(sequence: UInt64) { self.sequence = sequence }
    package func encode(into writer: inout WireWriter) { writer.u64(sequence) }
    package init(from reader: inout WireReader) throws(WireError) { sequence = try reader.u64() }
}

/// The end of listening on the header's stream.
///
/// No body.
package struct Unlisten: WireMessage {
    package static let opcode = Opcode.unlisten
    package static let isReply = false
    package init() {}
    package func encode(into writer: inout WireWriter) {}
    package init(from reader: inout WireReader) throws(WireError) {}
}

/// The server's answer to ``Unlisten``; no EVENTS of the stream follows it.
///
/// No body.
package struct Unlistened: WireMessage {
    package static let opcode = Opcode.unlisten
    package static let isReply = true
    package init() {}
    package func encode(into writer: inout WireWriter) {}
    package init(from reader: inout WireReader) throws(WireError) {}
}
