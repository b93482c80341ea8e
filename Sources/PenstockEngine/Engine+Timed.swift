import LMDB
import PenstockWire

/// Jobs that are not ready before a wall time.
///
/// Such a job is delayed, by what is left until then as the clocks stand. Beside
/// that it stands in an index by its wall time: where the wall clock is set
/// forward, it is ready as soon as that is noticed; where it was set back, it is
/// delayed again when it would have been ready.
extension Engine {
    /// The wall time of a job that waits for it, or will: nil for one that has none, or has been started.
    mutating func wallTime(
        _ record: JobRecord,
        of job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> UInt64? {
        guard record.marks.contains(.isTimed), record.attemptsStarted == 0 else { return nil }
        return try rareOptions(record, of: job, transaction).at
    }

    /// Delays a job until its wall time, or makes it ready where that has come; it is in no index now, and the caller
    /// writes the record.
    mutating func delay(
        _ record: inout JobRecord,
        of job: JobID,
        until time: UInt64,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard time > meta.wall else { return try makeReady(&record, of: job, &transaction, &result) }
        try putEmpty(DelayedKey(due: time, job: job), in: tables.timed, &transaction)
        try delay(&record, of: job, by: time - meta.wall, &transaction, &result)
    }

    /// Takes a delayed job out of the index of wall times.
    ///
    /// - Returns: the time that it waited for; nil where it did not.
    mutating func leaveTimed(
        _ record: JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> UInt64? {
        guard let time = try wallTime(record, of: job, transaction),
            try transaction.delete(DelayedKey(due: time, job: job), in: tables.timed)
        else { return nil }
        return time
    }

    func nextTimed(_ transaction: borrowing WriteTransaction) throws(LMDBError) -> DelayedKey? {
        try transaction.entry(atOrAfter: DelayedKey(due: 0, job: .none), in: tables.timed)?.key
    }

    /// Makes jobs ready whose wall time has come before they were due: the clock was set forward.
    mutating func promoteTimed(_ transaction: inout WriteTransaction, _ result: inout BatchResult) throws(LMDBError) {
        for _ in 0..<Engine.promotedPerCommandMax {
            guard let key = try nextTimed(transaction), key.due <= meta.wall else { return }
            guard var record = try record(of: key.job, transaction), record.state == .delayed else {
                _ = try transaction.delete(key, in: tables.timed)
                continue
            }
            try leaveIndex(record, of: key.job, &transaction)
            try makeReady(&record, of: key.job, &transaction, &result)
            try rewrite(record, of: key.job, &transaction)
        }
    }
}
