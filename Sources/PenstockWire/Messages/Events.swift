/// What an event tells of.
package enum EventKind: UInt8, Sendable, CaseIterable {
    case added = 0
    case waiting = 1
    case active = 2
    case progress = 3
    case delayed = 4
    case waitingChildren = 5
    case completed = 6
    case failed = 7
    case stalled = 8
    case retried = 9
    case removed = 10
    case cancelled = 11
    case drained = 12
    case paused = 13
    case resumed = 14
    case deduplicated = 15
    case flowFinished = 16
}

/// Kinds of events, as the bits of a LISTEN.
package struct EventKinds: OptionSet, Sendable, Hashable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package init(_ kind: EventKind) { rawValue = 1 << UInt32(kind.rawValue) }

    /// Every kind of this version.
    package static let all = EventKinds(rawValue: (1 << UInt32(EventKind.allCases.count)) - 1)
}

/// An event without its texts.
///
///     u64 sequence | u64 time | u8 kind | u8 detail | u8 contentType | u8 reserved | u32 attempt | u64 delay
///     u64 job | u64 flow
package struct EventHead: Equatable, Sendable {
    /// Rises from event to event; the server's epoch stands in its upper 24 bits.
    package var sequence: UInt64 = 0
    /// Wall time in milliseconds since 1970.
    package var time: UInt64 = 0
    package var kind: EventKind
    /// A ``FailureCause`` of failed and retried, a ``FlowStatus`` of flowFinished, else 0.
    package var detail: UInt8 = 0
    /// Of progress.
    package var contentType = ContentType.none
    /// Of active and stalled: which of the job's leases; of failed and retried: attempts made.
    package var attempt: UInt32 = 0
    /// Of delayed: milliseconds.
    package var delay: UInt64 = 0
    package var job = JobID.none
    package var flow = FlowID.none

    package init(_ kind: EventKind) { self.kind = kind }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.u64()
        time = try reader.u64()
        kind = try reader.value(EventKind.self, "kind of event")
        detail = try reader.u8()
        contentType = ContentType(rawValue: try reader.u8())
        _ = try reader.u8()
        attempt = try reader.u32()
        delay = try reader.u64()
        job = try reader.jobID()
        flow = try reader.flowID()
    }
}

/// Something that has happened.
///
///     u32 bytes that follow | EventHead | str8 queue | str8 name | bytes16 data
package struct Event: Equatable, Sendable {
    /// Bytes that an event takes with empty texts.
    package static let byteCountMin = 56
    /// Where its sequence and its kind stand.
    package static let sequenceOffset = 4
    package static let kindOffset = 20

    package var head: EventHead
    /// Empty where a flow has finished.
    package var queue: String
    /// Of the job, or of the flow that has finished.
    package var name: String
    /// A worker's name, a progress, a message: as the kind says.
    package var data: [UInt8]

    package init(_ head: EventHead, queue: String = "", name: String = "", data: [UInt8] = []) {
        self.head = head
        self.queue = queue
        self.name = name
        self.data = data
    }

    package func encode(into writer: inout WireWriter) {
        let start = writer.beginEvent(head, queue: queue)
        writer.string8(name)
        writer.bytes16(data.rawSpan)
        writer.endEvent(start)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let count = Int(try reader.u32())
        let end = reader.offset + count
        head = try EventHead(from: &reader)
        queue = try reader.string8("queue name")
        name = try reader.string8("name")
        data = reader.bytes.array(try reader.range16())
        guard reader.offset == end else {
            throw WireError(.malformed, "An event says to have \(count) bytes and has not.")
        }
    }

    /// Bytes that it takes in a frame.
    package var byteCount: Int { Event.byteCountMin + queue.utf8.count + name.utf8.count + data.count }
}

extension WireWriter {
    /// Begins an event; its name and its data follow, then ``endEvent(_:)``.
    package mutating func beginEvent(_ head: EventHead, queue: String) -> Int {
        let start = count
        u32(0)
        u64(head.sequence)
        u64(head.time)
        u8(head.kind.rawValue)
        u8(head.detail)
        u8(head.contentType.rawValue)
        u8(0)
        u32(head.attempt)
        u64(head.delay)
        jobID(head.job)
        flowID(head.flow)
        string8(queue)
        return start
    }

    package mutating func endEvent(_ start: Int) { patch(UInt32(count - start - 4), at: start) }
}

/// What a listener is told, on its stream.
///
///     u64 lost | u16 count | count x Event
package struct Events: WireMessage {
    package static let opcode = Opcode.events
    package static let isReply = false
    /// 0: nothing is missing. Else events up to this one are, between what was told before and these.
    package var lost: UInt64
    package var events: [Event]

    package init(lost: UInt64 = 0, _ events: [Event]) {
        self.lost = lost
        self.events = events
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(lost)
        writer.u16(UInt16(events.count))
        for event in events { event.encode(into: &writer) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        lost = try reader.u64()
        let count = try reader.count16(bytesEach: Event.byteCountMin)
        events = []
        events.reserveCapacity(count)
        for _ in 0..<count { events.append(try Event(from: &reader)) }
    }
}
