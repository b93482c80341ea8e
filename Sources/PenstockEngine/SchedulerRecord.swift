package import PenstockWire

/// The clock that a scheduler goes by; both count milliseconds.
package enum SchedulerClock: UInt8, Sendable {
    /// The persisted one, which no jump of the wall clock touches: intervals.
    case elapsed = 1
    /// What people's clocks show: cron.
    case wall = 2

    package init(_ schedule: ScheduleFields) {
        switch schedule {
        case .every: self = .elapsed
        case .cron: self = .wall
        }
    }
}

/// What the calendar says of a scheduler when it is set, on the scheduler's own clock.
///
///     u64 due | u64 anchor | u64 end
package struct SchedulerTimes: Equatable, Sendable {
    /// The first occurrence; 0: there is none.
    package var due: UInt64
    /// What intervals are counted from.
    package var anchor: UInt64
    /// No occurrence lies behind it; `.max` where no end was given.
    package var end: UInt64

    package init(due: UInt64, anchor: UInt64 = 0, end: UInt64 = .max) {
        self.due = due
        self.anchor = anchor
        self.end = end
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(due)
        writer.u64(anchor)
        writer.u64(end)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        due = try reader.u64()
        anchor = try reader.u64()
        end = try reader.u64()
    }
}

/// A scheduler: its rule, and how far it has come. Its template is a row of its own.
///
///     u32 checksum (0: none yet) | u8 version | u64 revision | SchedulerTimes | u64 runs | u32 owed
///     u64 lastFlow | u64 lastJob | SchedulerRule
struct SchedulerRecord: Sendable {
    static let version: UInt8 = 1

    var rule: SchedulerRule
    /// The commit that set it last: what was worked out for an older one is void.
    var revision: UInt64
    /// `times.due` is the next occurrence; 0: there is none left, and the scheduler is only kept.
    var times: SchedulerTimes
    var runs: UInt64 = 0
    /// Missed runs that are still to be made up for, one after the other.
    var owed: UInt32 = 0
    /// What the last run added: the flow, unless it was a job alone, and the first job.
    var lastFlow = FlowID.none
    var lastJob = JobID.none

    init(rule: SchedulerRule, revision: UInt64, times: SchedulerTimes) {
        self.rule = rule
        self.revision = revision
        self.times = times
    }

    var clock: SchedulerClock { SchedulerClock(rule.schedule) }
    var hasReachedLimit: Bool { rule.limit.map { runs >= $0 } ?? false }
    /// What is unfinished while the last run is; nil before the first one.
    var lastRun: SchedulerRunKey? {
        if lastFlow != .none { return SchedulerRunKey(lastFlow) }
        return lastJob == .none ? nil : SchedulerRunKey(lastJob)
    }

    /// Goes on to the occurrence, if the limit and the end allow one.
    mutating func goOn(to due: UInt64) {
        times.due = hasReachedLimit || due > times.end ? 0 : due
        if hasReachedLimit { owed = 0 }
    }

    /// True where the other rule has the same occurrences, but for where they end.
    func hasOccurrences(of other: SchedulerRule) -> Bool {
        rule.schedule == other.schedule && rule.start == other.start
    }

    func encode(into writer: inout WireWriter) {
        writer.u32(0)
        writer.u8(SchedulerRecord.version)
        writer.u64(revision)
        times.encode(into: &writer)
        writer.u64(runs)
        writer.u32(owed)
        writer.flowID(lastFlow)
        writer.jobID(lastJob)
        rule.encode(into: &writer)
    }

    init(_ bytes: RawSpan) throws(WireError) {
        var reader = WireReader(bytes)
        _ = try reader.u32()
        _ = try reader.u8()
        revision = try reader.u64()
        times = try SchedulerTimes(from: &reader)
        runs = try reader.u64()
        owed = try reader.u32()
        lastFlow = try reader.flowID()
        lastJob = try reader.jobID()
        rule = try SchedulerRule(from: &reader)
    }
}

/// A scheduler that is due, as the calendar has to know it.
package struct DueScheduler: Sendable {
    package var id: [UInt8]
    package var revision: UInt64
    package var rule: SchedulerRule
    package var times: SchedulerTimes
    /// It is due for a missed run that it owes, not for an occurrence.
    package var isOwed: Bool

    package var clock: SchedulerClock { SchedulerClock(rule.schedule) }
}

/// What is left of a scheduler, as the calendar has to know it to tell when it will run.
package struct UpcomingRuns: Sendable {
    package var rule: SchedulerRule
    package var times: SchedulerTimes
    /// Runs that the limit leaves, besides those that are owed; `.max` where no limit was given.
    package var left: UInt64

    package init(rule: SchedulerRule, times: SchedulerTimes, left: UInt64 = .max) {
        self.rule = rule
        self.times = times
        self.left = left
    }

    init(_ record: SchedulerRecord) {
        let taken = record.runs + UInt64(record.owed)
        self.init(
            rule: record.rule,
            times: record.times,
            left: record.rule.limit.map { $0 - min($0, taken) } ?? .max
        )
    }
}

/// What the calendar says of a scheduler that is due: the body of a `runScheduler`.
///
///     u64 revision | u64 occurrence | u64 next | u32 missed | u8 wantsRun | id
package struct SchedulerRun: Equatable, Sendable {
    package var revision: UInt64
    /// What it is about; 0: a run that is owed.
    package var occurrence: UInt64
    /// The occurrence that comes after; 0: there is none.
    package var next: UInt64 = 0
    /// Runs to be made up for.
    package var missed: UInt32 = 0
    /// The occurrence is to have a run.
    package var wantsRun: Bool
    package var id: [UInt8]

    /// A run that is owed.
    package init(owedBy scheduler: DueScheduler) {
        revision = scheduler.revision
        occurrence = 0
        wantsRun = true
        id = scheduler.id
    }

    package init(of scheduler: DueScheduler, next: UInt64, missed: UInt32 = 0, wantsRun: Bool) {
        revision = scheduler.revision
        occurrence = scheduler.times.due
        self.next = next
        self.missed = missed
        self.wantsRun = wantsRun
        id = scheduler.id
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(revision)
        writer.u64(occurrence)
        writer.u64(next)
        writer.u32(missed)
        writer.u8(wantsRun ? 1 : 0)
        writer.raw(id.rawSpan)
    }

    init(_ bytes: RawSpan) throws(WireError) {
        var reader = WireReader(bytes)
        revision = try reader.u64()
        occurrence = try reader.u64()
        next = try reader.u64()
        missed = try reader.u32()
        wantsRun = try reader.u8() != 0
        let range = try reader.range(reader.remaining)
        id = bytes.array(range)
    }
}

/// When schedulers are due next, by each clock; `.max` where none is.
package struct NextRuns: Equatable, Sendable {
    package var elapsed = UInt64.max
    package var wall = UInt64.max

    package init() {}
}
