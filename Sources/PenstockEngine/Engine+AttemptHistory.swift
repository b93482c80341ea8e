import LMDB
import PenstockWire

/// The history of a job's attempts.
///
/// An attempt that completes its job has no row: the job's record tells all of it
/// but its worker, and nearly every job has no other. Every other attempt has one,
/// and a completed one is given one when the job is run again.
extension Engine {
    /// Keeps an attempt that has ended, and lets go of one that is too old.
    ///
    /// - Parameters:
    ///   - record: as it is with the attempt's end; the caller writes it.
    ///   - text: the failure, as stored; empty where there is none.
    mutating func keepAttempt(
        _ record: inout JobRecord,
        of job: JobID,
        _ ending: AttemptEnding,
        worker: RawSpan = RawSpan(),
        text: RawSpan = RawSpan(),
        finishedAt: UInt64,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        let message = try decode { () throws(WireError) -> ByteRange in
            if text.isEmpty { return .empty }
            var reader = WireReader(text)
            return try reader.range16()
        }
        scratch.removeAll()
        AttemptRecord.encode(
            record,
            ending,
            finishedAt: finishedAt,
            worker: worker,
            message: text.extracting(message).prefix(bytes: PenstockWire.Limits.attemptMessageBytesMax),
            into: &scratch
        )
        let number = record.attemptsStarted
        try transaction.put(scratch.span, for: EdgeKey(job, number), in: tables.attempts)
        record.marks.insert(.hasAttempts)
        let kept = PenstockWire.Limits.attemptsKeptMax
        if number > kept { _ = try transaction.delete(EdgeKey(job, number - kept), in: tables.attempts) }
    }

    /// Keeps the attempt that completed a job, before the record forgets it.
    mutating func keepCompletedAttempt(
        _ record: inout JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        // A job that was completed by hand was taken from its worker before, or had none.
        guard record.state == .completed, record.attemptsStarted > 0,
            try transaction.get(EdgeKey(job, record.attemptsStarted), in: tables.attempts) == nil
        else { return }
        try keepAttempt(&record, of: job, .completed, finishedAt: record.finishedAt, &transaction)
    }
}
