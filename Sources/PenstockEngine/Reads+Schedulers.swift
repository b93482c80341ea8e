package import LMDB
package import PenstockWire

/// Schedulers, for people and for the calendar.
extension Reads {
    /// - Parameters:
    ///   - elapsed, wall: the clocks, so that the next run of an interval can be told as wall time.
    package func schedulers<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetSchedulers,
        _ snapshot: borrowing Snapshot,
        elapsed: UInt64,
        wall: UInt64
    ) throws(Failure) -> SchedulerPage {
        try wrap { () throws(LMDBError) in try page(request, snapshot, elapsed: elapsed, wall: wall) }
    }

    private func page<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetSchedulers,
        _ snapshot: borrowing Snapshot,
        elapsed: UInt64,
        wall: UInt64
    ) throws(LMDBError) -> SchedulerPage {
        let rowsMax = rowLimit(request.rows)
        var bytesLeft = PenstockWire.Limits.pageBytesMax
        var page = SchedulerPage(commit: snapshot.id, hasMore: false, rows: [])
        let after = Array(request.after.utf8)
        var cursor = try snapshot.cursor(in: tables.schedulers)
        var entry = after.isEmpty ? try cursor.first() : try cursor.seek(to: SchedulerKey(after))
        if !after.isEmpty, entry?.key?.id == after { entry = try cursor.next() }
        while let found = entry, let id = found.key?.id {
            guard page.rows.count < rowsMax, bytesLeft > 0 else {
                page.hasMore = true
                break
            }
            let value = found.value
            let record = try decode { () throws(WireError) in try SchedulerRecord(value) }
            page.rows.append(
                SchedulerPage.Row(
                    id: String(decoding: id, as: UTF8.self),
                    rule: record.rule,
                    next: record.next(elapsed: elapsed, wall: wall),
                    runs: record.runs,
                    lastFlow: record.lastFlow,
                    lastJob: record.lastJob
                )
            )
            bytesLeft -= SchedulerPage.Row.byteCountMin + id.count + value.byteCount
            entry = try cursor.next()
        }
        return page
    }

    /// What the calendar has to know to tell when a scheduler will run.
    package func upcomingRuns<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of id: String,
        _ snapshot: borrowing Snapshot
    ) throws(Failure) -> UpcomingRuns {
        let key = Array(id.utf8)
        let record = try wrap { () throws(LMDBError) -> SchedulerRecord? in
            guard !key.isEmpty, let bytes = try snapshot.get(SchedulerKey(key), in: tables.schedulers) else {
                return nil
            }
            return try decode { () throws(WireError) in try SchedulerRecord(bytes) }
        }
        guard let record else {
            throw .refused(WireError(.schedulerNotFound, "There is no scheduler \(Names.quoted(id))."))
        }
        return UpcomingRuns(record)
    }

    /// When schedulers are due next.
    package func nextRuns<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> NextRuns { try tables.nextRuns(snapshot) }

    /// The schedulers that are due, the longest due first, by each of the clocks.
    ///
    /// - Parameter limit: how many of each.
    package func dueSchedulers<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ snapshot: borrowing Snapshot,
        elapsed: UInt64,
        wall: UInt64,
        limit: Int
    ) throws(LMDBError) -> [DueScheduler] {
        var found: [DueScheduler] = []
        try appendDue(nil, now: elapsed, limit, snapshot, into: &found)
        try appendDue(.elapsed, now: elapsed, limit, snapshot, into: &found)
        try appendDue(.wall, now: wall, limit, snapshot, into: &found)
        return found
    }

    private func appendDue<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ clock: SchedulerClock?,
        now: UInt64,
        _ limit: Int,
        _ snapshot: borrowing Snapshot,
        into found: inout [DueScheduler]
    ) throws(LMDBError) {
        var cursor = try snapshot.cursor(in: tables.schedulersDue)
        var entry = try cursor.seek(to: SchedulerDueKey(clock, due: 0))
        var count = 0
        while let key = entry?.key, key.clock == clock, key.due <= now, count < limit {
            count += 1
            guard let bytes = try snapshot.get(SchedulerKey(key.id), in: tables.schedulers) else {
                throw LMDBError(.corrupted, in: .get)
            }
            let record = try decode { () throws(WireError) in try SchedulerRecord(bytes) }
            found.append(
                DueScheduler(
                    id: key.id,
                    revision: record.revision,
                    rule: record.rule,
                    times: record.times,
                    isOwed: clock == nil
                )
            )
            entry = try cursor.next()
        }
    }
}
