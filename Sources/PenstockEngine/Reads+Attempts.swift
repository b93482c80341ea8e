package import LMDB
package import PenstockWire

extension Reads {
    /// The attempts of a job that are kept, with the one that runs.
    package func attempts<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetAttempts,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup
    ) throws(Failure) -> AttemptList {
        let record = try present(request.job, snapshot)
        return try wrap { () throws(LMDBError) in
            var rows = record.marks.contains(.hasAttempts) ? try storedAttempts(of: request.job, snapshot) : []
            if let last = lastAttempt(of: request.job, record, after: rows.last?.number ?? 0, leases) {
                rows.append(last)
            }
            return AttemptList(commit: snapshot.id, rows: rows)
        }
    }

    private func storedAttempts<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of job: JobID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> [AttemptList.Row] {
        var rows: [AttemptList.Row] = []
        var cursor = try snapshot.cursor(in: tables.attempts)
        var entry = try cursor.seek(to: EdgeKey(job, 0))
        while let found = entry, let key = found.key, key.dependent == job {
            let value = found.value
            rows.append(try decode { () throws(WireError) in try AttemptRecord.row(key.position, value) })
            entry = try cursor.next()
        }
        return rows
    }

    /// The attempt that has no row: the one that runs, or that has completed the job.
    private func lastAttempt(
        of job: JobID,
        _ record: JobRecord,
        after last: UInt32,
        _ leases: some LeaseLookup
    ) -> AttemptList.Row? {
        if record.state == .waiting {
            guard let lease = leases.lease(of: job) else { return nil }
            return AttemptList.Row(
                number: record.attemptsStarted + 1,
                ending: .running,
                startedAt: lease.startedAt,
                worker: leases.worker(of: job)
            )
        }
        guard record.attemptsStarted > last, record.state == .active || record.state == .completed else { return nil }
        let isRunning = record.state == .active
        return AttemptList.Row(
            number: record.attemptsStarted,
            ending: isRunning ? .running : .completed,
            startedAt: record.startedAt,
            finishedAt: record.finishedAt,
            worker: isRunning ? leases.worker(of: job) : ""
        )
    }
}
