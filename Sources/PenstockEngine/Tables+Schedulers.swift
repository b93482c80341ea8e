import LMDB
import PenstockWire

extension Tables {
    /// When schedulers are due next.
    func nextRuns<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> NextRuns {
        var next = NextRuns()
        let first = SchedulerDueKey(nil, due: 0)
        if let key = try snapshot.entry(atOrAfter: first, in: schedulersDue)?.key, key.clock != .wall {
            next.elapsed = key.due
        }
        let firstByWall = SchedulerDueKey(.wall, due: 0)
        if let key = try snapshot.entry(atOrAfter: firstByWall, in: schedulersDue)?.key { next.wall = key.due }
        return next
    }
}

/// The id of a scheduler.
struct SchedulerKey: DecodableTableKey {
    var id: [UInt8]

    init(_ id: [UInt8]) { self.id = id }

    func encode(into writer: inout KeyWriter) { writer.append(id.rawSpan) }

    init?(from reader: inout KeyReader) { id = [UInt8](copying: reader.readRest()) }
}

/// `u8 0 (owed), 1 (elapsed) or 2 (wall) | u64 due (0 where owed) | id`
struct SchedulerDueKey: DecodableTableKey {
    /// Nil: it owes a run, and may make it.
    var clock: SchedulerClock?
    var due: UInt64
    var id: [UInt8]

    init(_ clock: SchedulerClock?, due: UInt64, id: [UInt8] = []) {
        self.clock = clock
        self.due = due
        self.id = id
    }

    static func owed(_ id: [UInt8]) -> SchedulerDueKey { SchedulerDueKey(nil, due: 0, id: id) }

    func encode(into writer: inout KeyWriter) {
        writer.append(clock?.rawValue ?? 0)
        writer.append(due)
        writer.append(id.rawSpan)
    }

    init?(from reader: inout KeyReader) {
        guard let clock = reader.readUInt8(), let due = reader.readUInt64() else { return nil }
        self.clock = SchedulerClock(rawValue: clock)
        self.due = due
        id = [UInt8](copying: reader.readRest())
    }
}

/// What a run has added: `u8 0 (a job alone) or 1 (a flow) | u64 id`
struct SchedulerRunKey: DecodableTableKey {
    var isFlow: Bool
    var id: UInt64

    init(_ flow: FlowID) { (isFlow, id) = (true, flow.rawValue) }
    init(_ job: JobID) { (isFlow, id) = (false, job.rawValue) }

    func encode(into writer: inout KeyWriter) {
        writer.append(UInt8(isFlow ? 1 : 0))
        writer.append(id)
    }

    init?(from reader: inout KeyReader) {
        guard let kind = reader.readUInt8(), let id = reader.readUInt64() else { return nil }
        isFlow = kind != 0
        self.id = id
    }
}
