package import LMDB
package import PenstockWire

extension Reads {
    /// A page of a job's log.
    package func logs<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetLogs,
        _ snapshot: borrowing Snapshot
    ) throws(Failure) -> LogPage {
        let record = try present(request.job, snapshot)
        let cursor = PageCursor("the log of job \(request.job)", .getLogs, [request.job.rawValue])
        let first = try cursor.open(request.cursor) ?? 0
        var page = LogPage(commit: snapshot.id)
        guard record.marks.contains(.hasLogs) else { return page }
        try wrap { () throws(LMDBError) in try fill(&page, request, from: UInt32(clamping: first), snapshot) }
        if page.next != 0 { page.next = cursor.seal(page.next) }
        return page
    }

    private func fill<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ page: inout LogPage,
        _ request: GetLogs,
        from first: UInt32,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) {
        guard let bytes = try snapshot.get(request.job.rawValue, in: tables.reports) else {
            throw LMDBError(.corrupted, in: .get)
        }
        let report = try decode { () throws(WireError) in try ReportRecord.decode(bytes).0 }
        page.lines = UInt64(report.next - 1)
        let limit = rowLimit(request.rows)
        var taken = 0
        var cursor = try snapshot.cursor(in: tables.logs)
        var entry = try cursor.seek(to: EdgeKey(request.job, first))
        while let found = entry, let key = found.key, key.dependent == request.job {
            guard page.rows.count < limit, taken < PenstockWire.Limits.pageBytesMax else {
                page.next = UInt64(key.position)
                return
            }
            let value = found.value
            taken += value.byteCount
            page.rows.append(
                try decode { () throws(WireError) in
                    var reader = WireReader(value)
                    let time = try reader.u64()
                    let text = try reader.bytes.string(reader.range(reader.remaining), "line of a log")
                    return LogPage.Row(number: key.position, time: time, text: text)
                }
            )
            entry = try cursor.next()
        }
    }

    /// What the job's worker reported last.
    func progress<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of job: JobID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> Payload {
        guard let bytes = try snapshot.get(job.rawValue, in: tables.reports) else { return .none }
        return try decode { () throws(WireError) in
            let (report, progress) = try ReportRecord.decode(bytes)
            return Payload(report.progressType, bytes.array(progress))
        }
    }
}
