import LMDB
import PenstockWire

/// Progress and logs of jobs.
extension Engine {
    /// Bytes of a line's row beside its text.
    static let logHeadBytes = 8

    /// Takes what the worker of a job reports; the lease goes on.
    mutating func report(
        _ command: Command,
        at index: UInt32,
        _ body: RawSpan,
        isFull: Bool,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard let record = try leased(command, transaction) else {
            return outcomes.refuse(command, at: index, .fenced)
        }
        let head: Report.Head
        do throws(WireError) { head = try Report.Head(body) } catch {
            return outcomes.refuse(command, at: index, error)
        }
        if isFull { return outcomes.refuse(command, at: index, .full) }
        if head.hasData {
            let data = Payload(head.contentType, body.array(head.data))
            try replaceData(of: command.job, record, data, &transaction)
        }
        if head.hasProgress || head.lineCount > 0 {
            try report(head, body, record, of: command.job, &transaction)
        }
        if head.hasProgress {
            let progress = body.extracting(head.progress)
            let details = EventDetails(contentType: head.progressType)
            try tell(.progress, command.job, record, with: details, data: progress, transaction, &result)
        }
        outcomes.succeed(command, at: index)
    }

    private mutating func report(
        _ head: Report.Head,
        _ body: RawSpan,
        _ stored: JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        var (report, progress) = try storedReport(of: job, transaction)
        if head.hasProgress {
            report.progressType = head.progressType
            progress = body.array(head.progress)
        }
        if head.lineCount > 0 {
            let keep = try rareOptions(stored, of: job, transaction).keepLogs
            try appendLines(head, body, to: &report, of: job, &transaction)
            try trim(&report, of: job, to: keep, &transaction)
        }
        try put(report, progress, of: job, stored, &transaction)
    }

    private mutating func appendLines(
        _ head: Report.Head,
        _ body: RawSpan,
        to report: inout ReportRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        var offset = Int(head.lines.offset)
        for _ in 0..<head.lineCount {
            let line = try decode { () throws(WireError) in
                var reader = WireReader(body.extracting(offset..<body.byteCount))
                return try reader.range16()
            }
            let start = offset + Int(line.offset)
            offset = start + Int(line.count)
            scratch.removeAll()
            scratch.u64(meta.wall)
            scratch.raw(body.extracting(start..<offset))
            try transaction.put(scratch.span, for: EdgeKey(job, report.next), in: tables.logs)
            report.next += 1
            report.bytes += UInt64(line.count)
        }
    }

    /// Lets the oldest lines go: those beyond a count, and those beyond what a log may take.
    private mutating func trim(
        _ report: inout ReportRecord,
        of job: JobID,
        to keep: UInt32,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        while report.lineCount > keep || report.bytes > UInt64(PenstockWire.Limits.logBytesMax) {
            let key = EdgeKey(job, report.first)
            guard let count = try transaction.get(key, in: tables.logs)?.byteCount else {
                throw LMDBError(.corrupted, in: .get)
            }
            report.bytes -= UInt64(count - Engine.logHeadBytes)
            report.first += 1
            effects.steps += 1
            _ = try transaction.delete(key, in: tables.logs)
        }
    }

    private mutating func storedReport(
        of job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> (ReportRecord, [UInt8]) {
        guard let row = try transaction.get(job.rawValue, in: tables.reports) else { return (ReportRecord(), []) }
        return try decode { () throws(WireError) in
            let (report, progress) = try ReportRecord.decode(row)
            return (report, row.array(progress))
        }
    }

    /// Writes the report, and the job's record where its marks change.
    private mutating func put(
        _ report: ReportRecord,
        _ progress: [UInt8],
        of job: JobID,
        _ stored: JobRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        scratch.removeAll()
        report.encode(into: &scratch)
        scratch.raw(progress.rawSpan)
        try transaction.put(scratch.span, for: job.rawValue, in: tables.reports)
        var record = stored
        // The row stays where all lines have gone: their numbers go on.
        if report.next > 1 { record.marks.insert(.hasLogs) }
        if report.progressType == .none { record.marks.remove(.hasProgress) } else { record.marks.insert(.hasProgress) }
        if record.marks != stored.marks { try rewrite(record, of: job, &transaction) }
    }

    /// Lets a job's log go, but for its newest lines.
    mutating func clearLogs(_ request: ClearLogs, _ transaction: inout WriteTransaction) throws(PlanError) {
        let record = try present(request.job, &transaction)
        guard record.marks.contains(.hasLogs) else { return }
        try planning { () throws(LMDBError) in
            var (report, progress) = try storedReport(of: request.job, transaction)
            try trim(&report, of: request.job, to: request.keep, &transaction)
            try put(report, progress, of: request.job, record, &transaction)
        }
    }

    /// Deletes what was reported of a job that is removed.
    mutating func deleteReports(of job: JobID, _ transaction: inout WriteTransaction) throws(LMDBError) {
        _ = try transaction.delete(job.rawValue, in: tables.reports)
        try deleteRows(of: job, in: tables.logs, &transaction)
    }
}
