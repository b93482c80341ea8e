/// When a scheduler adds, as texts and numbers that nobody has looked into yet.
///
///     u8 kind (0 every, 1 cron) | u64 every | str8 cron | str8 zone
package enum ScheduleFields: Equatable, Sendable {
    /// Milliseconds.
    case every(UInt64)
    /// A cron expression, and the time zone that it is read in; an empty one is UTC.
    case cron(String, zone: String)

    package static let byteCountMin = 11

    package func encode(into writer: inout WireWriter) {
        switch self {
        case .every(let interval):
            writer.u8(0)
            writer.u64(interval)
            writer.string8("")
            writer.string8("")
        case .cron(let expression, let zone):
            writer.u8(1)
            writer.u64(0)
            writer.string8(expression)
            writer.string8(zone)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let kind = try reader.u8()
        let interval = try reader.u64()
        let expression = try reader.string8("cron expression")
        let zone = try reader.string8("time zone")
        switch kind {
        case 0:
            guard interval > 0, interval <= Limits.delayMillisecondsMax, expression.isEmpty, zone.isEmpty else {
                throw WireError(
                    .invalidSchedule,
                    "A schedule of every \(interval) ms; 1 to \(Limits.delayMillisecondsMax), without cron or zone, are allowed."
                )
            }
            self = .every(interval)
        case 1:
            guard interval == 0, !expression.isEmpty, zone.utf8.count <= Limits.zoneBytesMax else {
                throw WireError(
                    .invalidSchedule,
                    "A schedule by cron has an expression of 1 to \(Limits.cronBytesMax) bytes, a zone of at most \(Limits.zoneBytesMax), and no interval."
                )
            }
            self = .cron(expression, zone: zone)
        default:
            throw WireError(.invalidSchedule, "\(kind) is no kind of schedule; 0 (every) and 1 (cron) are.")
        }
    }
}

/// What a scheduler does about runs that should have been while the server was down.
package enum MissedRuns: UInt8, Sendable, CaseIterable {
    /// The last of them is made up for.
    case latest = 0
    case all = 1
    case none = 2
}

/// A scheduler's schedule, with its bounds.
///
///     ScheduleFields | u8 flags (1 limit, 2 start, 4 end, 8 immediately) | u64 limit | u64 start | u64 end | u8 missedRuns
package struct SchedulerRule: Equatable, Sendable {
    package static let limitFlag: UInt8 = 1
    package static let startFlag: UInt8 = 2
    package static let endFlag: UInt8 = 4
    package static let immediatelyFlag: UInt8 = 8
    package static let byteCountMin = ScheduleFields.byteCountMin + 26

    package var schedule: ScheduleFields
    /// Runs, over the scheduler's life.
    package var limit: UInt64?
    /// Wall times in milliseconds since 1970: no run before the one, none after the other.
    package var start: UInt64?
    package var end: UInt64?
    /// True: the first run is made at once.
    package var immediately: Bool
    package var missedRuns: MissedRuns

    package init(
        schedule: ScheduleFields,
        limit: UInt64? = nil,
        start: UInt64? = nil,
        end: UInt64? = nil,
        immediately: Bool = false,
        missedRuns: MissedRuns = .latest
    ) {
        self.schedule = schedule
        self.limit = limit
        self.start = start
        self.end = end
        self.immediately = immediately
        self.missedRuns = missedRuns
    }

    package func encode(into writer: inout WireWriter) {
        schedule.encode(into: &writer)
        writer.u8(
            (limit == nil ? 0 : SchedulerRule.limitFlag) | (start == nil ? 0 : SchedulerRule.startFlag)
                | (end == nil ? 0 : SchedulerRule.endFlag) | (immediately ? SchedulerRule.immediatelyFlag : 0)
        )
        writer.u64(limit ?? 0)
        writer.u64(start ?? 0)
        writer.u64(end ?? 0)
        writer.u8(missedRuns.rawValue)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        schedule = try ScheduleFields(from: &reader)
        let flags = try reader.u8()
        let limit = try reader.u64()
        let start = try reader.u64()
        let end = try reader.u64()
        missedRuns = try reader.value(MissedRuns.self, "rule for missed runs; 0 (latest), 1 (all) and 2 (none) are")
        try WireError.checkFlags(flags, allowed: 15, "a scheduler")
        self.limit = flags & SchedulerRule.limitFlag != 0 ? limit : nil
        self.start = flags & SchedulerRule.startFlag != 0 ? start : nil
        self.end = flags & SchedulerRule.endFlag != 0 ? end : nil
        immediately = flags & SchedulerRule.immediatelyFlag != 0
        guard self.limit != nil || limit == 0, self.start != nil || start == 0, self.end != nil || end == 0 else {
            throw WireError(.invalidOption, "A limit, a start or an end stands in a scheduler whose flags deny it.")
        }
        try validate()
    }

    private func validate() throws(WireError) {
        if limit == 0 { throw WireError(.invalidSchedule, "A limit of 0 runs; at least 1 is allowed.") }
        guard start ?? 0 <= Limits.wallMillisecondsMax, end ?? 0 <= Limits.wallMillisecondsMax else {
            throw WireError(
                .invalidSchedule,
                "A start or an end beyond \(Limits.wallMillisecondsMax) ms since 1970, which is the last."
            )
        }
        if let start, let end, end <= start {
            throw WireError(.invalidSchedule, "A scheduler that ends at \(end) and starts at \(start) never runs.")
        }
    }
}

/// Makes a scheduler, or replaces the one of this id: its template is added at every run.
///
///     u64 sequence | str8 id | SchedulerRule | AddTail, with one item
package struct SetScheduler: WireMessage {
    package static let opcode = Opcode.setScheduler
    package static let isReply = false

    /// All but the template, which is a place in the message.
    package struct Head: Sendable {
        package var sequence: UInt64
        package var id: ByteRange
        package var rule: SchedulerRule
        /// For an ``AddDecoder``, with the context of a template.
        package var tail: ByteRange

        package init(_ body: RawSpan) throws(WireError) {
            var reader = WireReader(body)
            try self.init(from: &reader)
        }

        init(from reader: inout WireReader) throws(WireError) {
            sequence = try reader.u64()
            id = try reader.range8()
            try Names.checkScheduler(reader.bytes.extracting(id))
            rule = try SchedulerRule(from: &reader)
            tail = try reader.range(reader.remaining)
        }
    }

    package var sequence: UInt64
    package var id: String
    package var rule: SchedulerRule
    package var template: AddTail

    package init(sequence: UInt64, id: String, rule: SchedulerRule, template: AddTail) {
        self.sequence = sequence
        self.id = id
        self.rule = rule
        self.template = template
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        writer.string8(id)
        rule.encode(into: &writer)
        template.encode(into: &writer)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let head = try Head(from: &reader)
        sequence = head.sequence
        id = try reader.bytes.string(head.id, "scheduler's id")
        rule = head.rule
        template = try AddTail(reader.bytes.extracting(head.tail), .template)
    }
}

/// What became of a ``SetScheduler``.
///
///     u8 1 created, 0 replaced | u64 next
package struct SchedulerOutcome: Equatable, Sendable {
    package var isNew: Bool
    /// Wall time of the next run; 0: there is none.
    package var next: UInt64

    package init(isNew: Bool, next: UInt64) {
        self.isNew = isNew
        self.next = next
    }

    package func encode(into writer: inout WireWriter) {
        writer.u8(isNew ? 1 : 0)
        writer.u64(next)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        isNew = try reader.u8() != 0
        next = try reader.u64()
    }
}

/// Ends a scheduler. What it has added stays.
///
///     u64 sequence | str8 id
package struct RemoveScheduler: WireMessage {
    package static let opcode = Opcode.removeScheduler
    package static let isReply = false
    package var sequence: UInt64
    package var id: String

    package init(sequence: UInt64, id: String) {
        self.sequence = sequence
        self.id = id
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        writer.string8(id)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.u64()
        let place = try reader.range8()
        try Names.checkScheduler(reader.bytes.extracting(place))
        id = try reader.bytes.string(place, "scheduler's id")
    }
}
