import LMDB
import PenstockWire

/// The ends of jobs: by their worker, by a dependency, by a cancellation or by hand.
extension Engine {
    /// Ends a job that is in no index now; its dependents are told by the effects.
    mutating func finish(
        _ record: inout JobRecord,
        of job: JobID,
        as state: JobState,
        _ kind: JobRecord.OutcomeKind,
        _ outcome: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        record.due = meta.elapsed
        if record.marks.contains(.hasTTL) { try endStartLimit(&record, of: job, &transaction) }
        try move(&record, of: job, to: state, &transaction, &result)
        if record.flags.contains(.hasRetention) { queues[Int(record.queue.rawValue) - 1].mayHaveRetentions = true }
        try putEmpty(JobListKey(record, job), in: tables.jobLists, &transaction)
        try rewrite(&record, of: job, outcome: kind, outcome, &transaction)
        if interest.isOn { try tellEnd(of: job, record, outcome, transaction, &result) }
        if record.marks.contains(.repeats) { try goOnRepeating(job, record, &transaction) }
        if record.marks.contains(.hasDeduplication) { try endDeduplication(of: job, record, &transaction, &result) }
        if record.dependents > 0 {
            expect(record.dependents)
            effects.append(Effect(.tell, job))
        }
    }

    @inline(never)
    private mutating func tellEnd(
        of job: JobID,
        _ record: JobRecord,
        _ outcome: RawSpan,
        _ transaction: borrowing WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        switch record.state {
        case .failed: try tell(.failed, job, record, with: .cause(record), failure: outcome, transaction, &result)
        case .cancelled: try tell(.cancelled, job, record, failure: outcome, transaction, &result)
        default: try tell(.completed, job, record, transaction, &result)
        }
    }

    /// Takes an unfinished job out of its index, and its lease from its worker: the caller moves it on.
    mutating func takeAway(
        _ record: inout JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        try leaveIndex(record, of: job, &transaction)
        if record.state == .waiting || record.state == .active {
            let isLeased = record.state == .active || leaseSet.contains(job)
            if record.state == .waiting && isLeased {
                record.attemptsStarted += 1
                record.startedAt = meta.wall
                if record.marks.contains(.hasTTL) { try endStartLimit(&record, of: job, &transaction) }
            }
            if isLeased { try keepAttempt(&record, of: job, .withdrawn, finishedAt: meta.wall, &transaction) }
            leaseSet.end(job)
            result.withdrawn.append(ReadyEntry(queue: record.queue, group: record.group, turn: record.turn, job: job))
            withdrawals.add(job, commit: transaction.id)
        }
        record.due = 0
    }

    /// Fails a job whose dependency failed.
    mutating func fail(
        _ record: inout JobRecord,
        of job: JobID,
        because dependency: JobID,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        // A running one added the dependency itself: its attempt ends.
        if record.state == .active { record.attemptsMade += record.attemptsMade == .max ? 0 : 1 }
        try takeAway(&record, of: job, &transaction, &result)
        record.cause = .dependency
        record.dependencies.failedDependency = dependency
        let text = failureText("Its dependency \(dependency) failed.")
        try finish(&record, of: job, as: .failed, .failure, text.span, &transaction, &result)
        if record.marks.contains(.cancelsSiblings) {
            effects.append(Effect(.prune, job.rawValue, detail: job.rawValue))
        }
    }

    /// Cancels a job that was to run after a failure that did not come.
    mutating func skip(
        _ record: inout JobRecord,
        of job: JobID,
        after dependency: JobID,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        try takeAway(&record, of: job, &transaction, &result)
        record.cause = .none
        record.marks.insert(.isSkipped)
        let text = failureText("It was to run after a failure of \(dependency), which completed.")
        try finish(&record, of: job, as: .cancelled, .failure, text.span, &transaction, &result)
    }

    /// Cancels an unfinished job.
    mutating func cancel(
        _ record: inout JobRecord,
        of job: JobID,
        _ reason: String,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        try note(record.flow, &transaction)
        if !effects.isCleaning { effects.touched += 1 }
        try takeAway(&record, of: job, &transaction, &result)
        record.cause = .none
        let text = failureText(reason)
        try finish(&record, of: job, as: .cancelled, .failure, text.span, &transaction, &result)
    }

    /// A failure of the server's own making, in the layout of a stored one.
    mutating func failureText(_ message: String) -> WireWriter {
        var text = WireWriter(capacity: 64)
        text.string16(message)
        text.u32(0)
        return text
    }
}
