package import LMDB
package import PenstockWire

/// Groups: how many jobs they have, and what is set of them.
extension Reads {
    package func groups<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetGroups,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup
    ) throws(Failure) -> GroupPage {
        let queue = try queueID(request.queue)
        let cursor = PageCursor("the groups of this queue", .getGroups, [UInt64(queue.rawValue)])
        var range = GroupID(UInt32(clamping: try cursor.open(request.cursor) ?? 1))...GroupID(.max)
        if !request.group.isEmpty {
            guard let group = try find(request.group, in: queue, snapshot) else { throw notFound(request.group) }
            range = group...group
        }
        let active = try leasedJobs(in: queue, snapshot, leases)
        let standard = try wrap { () throws(LMDBError) in
            try tables.groupLimit(GroupKey(queue, .none), snapshot)
        }
        var page = GroupPage(commit: snapshot.id, next: 0, concurrency: standard ?? 0, rows: [])
        let rowsMax = rowLimit(request.rows)
        var passed = 0
        try wrap { () throws(LMDBError) in
            let bound = GroupKey(queue, range.lowerBound)
            try walk(tables.groups, from: bound, isBackwards: false, snapshot) { (key, value) throws(LMDBError) in
                guard key.queue == queue, key.group <= range.upperBound else { return false }
                if page.rows.count == rowsMax || passed == Reads.scannedPerPageMax {
                    page.next = cursor.seal(UInt64(key.group.rawValue))
                    return false
                }
                let record = try decode { () throws(WireError) in try GroupRecord(value) }
                let row = try self.row(record, key, active[key.group] ?? LeasedJobs(), snapshot)
                if row.waiting > 0 || row.active > 0 || row.concurrency > 0 {
                    page.rows.append(row)
                } else {
                    passed += 1
                }
                return true
            }
        }
        if page.rows.isEmpty && !request.group.isEmpty { throw notFound(request.group) }
        return page
    }

    private func row<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ record: GroupRecord,
        _ key: GroupKey,
        _ leased: LeasedJobs,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> GroupPage.Row {
        GroupPage.Row(
            name: String(decoding: record.name, as: UTF8.self),
            waiting: record.ready - min(record.ready, leased.unwritten),
            active: leased.all,
            concurrency: try tables.groupLimit(key, snapshot) ?? 0
        )
    }

    private func find<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ name: String,
        in queue: QueueID,
        _ snapshot: borrowing Snapshot
    ) throws(Failure) -> GroupID? {
        let text = Array(name.utf8)
        return try wrap { () throws(LMDBError) in try tables.group(named: text.rawSpan, in: queue, snapshot) }
    }

    private func notFound(_ group: String) -> Failure {
        .refused(
            WireError(
                .groupNotFound,
                "There is no group \(Names.quoted(group)): none of its jobs waits or runs, and it has no bound of its own."
            )
        )
    }

    /// Leased jobs of a group.
    private struct LeasedJobs {
        var all: UInt32 = 0
        /// Those whose lease the snapshot does not have.
        var unwritten: UInt32 = 0
    }

    private func leasedJobs<Snapshot: Transaction & ~Copyable & ~Escapable>(
        in queue: QueueID,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup
    ) throws(Failure) -> [GroupID: LeasedJobs] {
        var held: [(group: GroupID, job: JobID)] = []
        leases.leases(in: queue) { if $0.group != .none { held.append(($0.group, $0.job)) } }
        var result: [GroupID: LeasedJobs] = [:]
        for (group, job) in held {
            // A lease whose end is in the snapshot, and was not told yet, is none any more.
            guard let record = try record(of: job, snapshot), record.state == .waiting || record.state == .active else {
                continue
            }
            result[group, default: LeasedJobs()].all += 1
            if record.state == .waiting { result[group, default: LeasedJobs()].unwritten += 1 }
        }
        return result
    }

    /// Calls `body` with every bound that is set of a group, and by group 0 with those of a queue's other groups.
    package func groupLimits<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ snapshot: borrowing Snapshot,
        _ body: (QueueID, GroupID, UInt32) -> Void
    ) throws(LMDBError) {
        let first = GroupKey(QueueID(0), .none)
        try walk(tables.groupLimits, from: first, isBackwards: false, snapshot) { (key, value) throws(LMDBError) in
            body(key.queue, key.group, try decode { () throws(WireError) in try tables.number(value) })
            return true
        }
    }
}
