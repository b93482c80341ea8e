import LMDB
import PenstockWire

/// The time to start of the jobs that have one (*ttl*): it begins when the job is ready the first time, and ends with its
/// first lease.
extension Engine {
    /// Begins the time of a job that is ready now, if it has not begun before.
    mutating func beginStartLimit(
        _ record: JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard try transaction.get(job.rawValue, in: tables.startLimits) == nil else { return }
        let ttl = try rareOptions(record, of: job, transaction).ttl
        try putStartLimit(of: job, due: meta.elapsed + ttl, &transaction)
    }

    /// The job has started, or will not any more; the caller writes the record.
    mutating func endStartLimit(
        _ record: inout JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        record.marks.remove(.hasTTL)
        try deleteStartLimit(of: job, &transaction)
    }

    /// A job that is retried before it ever started has its time again.
    mutating func renewStartLimit(
        _ record: inout JobRecord,
        of job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) {
        guard record.attemptsStarted == 0, try rareOptions(record, of: job, transaction).ttl > 0 else { return }
        record.marks.insert(.hasTTL)
    }

    private mutating func deleteStartLimit(
        of job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard let due = try tables.startLimit(of: job, transaction) else { return }
        _ = try transaction.delete(job.rawValue, in: tables.startLimits)
        _ = try transaction.delete(DelayedKey(due: due, job: job), in: tables.startLimitsDue)
    }

    private mutating func putStartLimit(
        of job: JobID,
        due: UInt64,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        try putEmpty(DelayedKey(due: due, job: job), in: tables.startLimitsDue, &transaction)
        scratch.removeAll()
        scratch.u64(due)
        try transaction.put(scratch.span, for: job.rawValue, in: tables.startLimits)
    }

    func nextStartLimit(_ transaction: borrowing WriteTransaction) throws(LMDBError) -> DelayedKey? {
        try transaction.entry(atOrAfter: DelayedKey(due: 0, job: .none), in: tables.startLimitsDue)?.key
    }

    /// Jobs that one command fails at most: beyond it, the next batch goes on.
    static let expiredPerCommandMax = 1000
    /// A job that is leased has started; but a restart may forget that, as long as the lease is young.
    static let startLimitGraceMilliseconds: UInt64 = 1000

    /// Fails the jobs that nobody has started in time.
    mutating func expire(_ transaction: inout WriteTransaction, _ result: inout BatchResult) throws(LMDBError) {
        for _ in 0..<Engine.expiredPerCommandMax {
            guard let key = try nextStartLimit(transaction), key.due <= meta.elapsed else { return }
            try deleteStartLimit(of: key.job, &transaction)
            guard var record = try record(of: key.job, transaction), !record.state.isFinished else { continue }
            if leaseSet.contains(key.job) {
                let due = meta.elapsed + Engine.startLimitGraceMilliseconds
                try putStartLimit(of: key.job, due: due, &transaction)
                continue
            }
            let ttl = try rareOptions(record, of: key.job, transaction).ttl
            record.marks.remove(.hasTTL)
            try note(record.flow, &transaction)
            try takeAway(&record, of: key.job, &transaction, &result)
            record.cause = .expired
            let text = failureText("Nobody started the job within its ttl of \(ttl) ms.")
            try finish(&record, of: key.job, as: .failed, .failure, text.span, &transaction, &result)
            // Those of each come before the next one's. What is too much goes on in slices, and the next command with the rest.
            try carryOutEffects(&transaction, &result)
            if effects.isExhausted { return }
        }
    }
}

extension Tables {
    /// Elapsed time at which a job fails that nobody has started; nil where that has no bound.
    func startLimit<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of job: JobID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> UInt64? {
        guard let bytes = try snapshot.get(job.rawValue, in: startLimits) else { return nil }
        return try decode { () throws(WireError) in
            var reader = WireReader(bytes)
            return try reader.u64()
        }
    }
}
