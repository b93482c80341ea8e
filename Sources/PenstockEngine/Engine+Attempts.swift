import LMDB
import PenstockWire

/// The end of an attempt: completed, failed, timed out, given back or stalled.
extension Engine {
    /// Applies a completion or a failure.
    ///
    /// - Returns: `fenced` where the job is not under this lease any more; `unresolvedDependencies` where the worker
    ///   completed a job that waits for what it added: the attempt has failed.
    mutating func finishAttempt(
        _ command: Command,
        _ arena: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> ErrorCode {
        guard var record = try leased(command, transaction) else { return .fenced }
        var status = ErrorCode.ok
        if command.kind == .fail {
            try endAttempt(&record, command, &transaction)
            try fail(&record, command, arena, &transaction, &result)
        } else if record.dependencies.counting > 0 {
            try failUnresolved(&record, command, arena, &transaction, &result)
            status = .unresolvedDependencies
        } else {
            try complete(&record, command, arena.extracting(command.body), &transaction, &result)
        }
        try carryOutEffects(&transaction, &result)
        return status
    }

    /// Takes the job from its lease, and counts the attempt as a finished one; the caller moves it on.
    private mutating func endAttempt(
        _ record: inout JobRecord,
        _ command: Command,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        try leaveIndex(record, of: command.job, &transaction)
        try endLease(&record, command, &transaction)
        leaseSet.end(command.slot, of: command.job)
        record.attemptsMade = record.attemptsMade == .max ? .max : record.attemptsMade + 1
    }

    /// Completes a job that its worker holds; its dependents are told by the effects.
    mutating func complete(
        _ record: inout JobRecord,
        _ command: Command,
        _ outcome: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        try endAttempt(&record, command, &transaction)
        record.cause = .none
        record.contentType = command.contentType
        let kind: JobRecord.OutcomeKind = command.contentType == .none ? .none : .result
        try finish(&record, of: command.job, as: .completed, kind, outcome, &transaction, &result)
    }

    /// Fails the attempt of a job that was to complete while an edge counts.
    mutating func failUnresolved(
        _ record: inout JobRecord,
        _ command: Command,
        _ arena: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        try endAttempt(&record, command, &transaction)
        let text = failureText(
            "The attempt completed while \(record.dependencies.counting) dependencies are unresolved: move the job to waiting-children first."
        )
        try endInFailure(&record, command, arena, text, .error, &transaction, &result)
    }

    private mutating func fail(
        _ record: inout JobRecord,
        _ command: Command,
        _ arena: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        var text = WireWriter(capacity: 64 + Int(command.body.count) + Int(command.details.count))
        text.bytes16(arena.extracting(command.body))
        text.bytes32(arena.extracting(command.details))
        let isUnrecoverable = command.flags & Failure.unrecoverableFlag != 0
        let cause: FailureCause = isUnrecoverable ? .unrecoverable : .error
        try endInFailure(&record, command, arena, text, cause, &transaction, &result)
    }

    /// Ends an attempt that took longer than its job allows.
    mutating func timeOut(
        _ command: Command,
        _ arena: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard var record = try leased(command, transaction) else { return }
        let timeout = try rareOptions(record, of: command.job, transaction).timeout
        try endAttempt(&record, command, &transaction)
        let text = failureText("The attempt took longer than its timeout of \(timeout) ms.")
        try endInFailure(&record, command, arena, text, .timeout, &transaction, &result)
        try carryOutEffects(&transaction, &result)
    }

    /// Retries the job while attempts and starts are left and the cause allows it, else fails it.
    private mutating func endInFailure(
        _ record: inout JobRecord,
        _ command: Command,
        _ arena: RawSpan,
        _ text: WireWriter,
        _ cause: FailureCause,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        record.cause = cause
        try keepAttempt(
            &record,
            of: command.job,
            cause == .timeout ? .timedOut : .failed,
            worker: arena.extracting(command.worker),
            text: text.span,
            finishedAt: meta.wall,
            &transaction
        )
        if cause != .unrecoverable, record.attemptsMade < record.attempts,
            try mayStartAgain(record, of: command.job, transaction)
        {
            return try retry(&record, command, text, &transaction, &result)
        }
        try note(record.flow, &transaction)
        try finish(&record, of: command.job, as: .failed, .failure, text.span, &transaction, &result)
    }

    private mutating func retry(
        _ record: inout JobRecord,
        _ command: Command,
        _ text: WireWriter,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        var wait: UInt64 = 0
        if command.flags & Failure.delayFlag != 0 {
            wait = min(command.duration, PenstockWire.Limits.delayMillisecondsMax)
        } else if record.flags.contains(.hasBackoff) {
            let draw = UInt16(truncatingIfNeeded: random.next())
            let backoff = try backoff(record, of: command.job, transaction)
            wait = backoff.wait(failures: Int(record.attemptsMade), random: draw)
        }
        record.flags.insert(.isRetry)
        record.place = 0
        let details = EventDetails.cause(record)
        try tell(.retried, command.job, record, with: details, failure: text.span, transaction, &result)
        try comeBack(&record, of: command.job, after: wait, &transaction, &result)
        try rewrite(&record, of: command.job, outcome: .failure, text.span, &transaction)
    }

    private mutating func backoff(
        _ record: JobRecord,
        of job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Backoff {
        guard let bytes = try transaction.get(job.rawValue, in: tables.payloads) else { return .none }
        return try decode { () throws(WireError) in try PayloadRow(bytes, of: record).backoff }
    }

    /// The record, if the job is still where its lease left it: waiting for an unwritten one, active under a written one.
    mutating func leased(
        _ command: Command,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> JobRecord? {
        guard let record = try record(of: command.job, transaction) else { return nil }
        switch record.state {
        case .waiting: return withdrawals.void(command) ? nil : record
        case .active: return record.due == command.token.rawValue ? record : nil
        default: return nil
        }
    }

    /// Counts the attempt's start where a written lease has not done so.
    mutating func endLease(
        _ record: inout JobRecord,
        _ command: Command,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        if record.state == .waiting {
            record.attemptsStarted += 1
            record.startedAt = command.startedAt
            if record.marks.contains(.hasTTL) { try endStartLimit(&record, of: command.job, &transaction) }
        }
        record.due = 0
    }

    /// Keeps a lease over a restart: the job leaves the ready index and is active.
    mutating func writeLease(
        _ command: Command,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard var record = try record(of: command.job, transaction), record.state == .waiting,
            !withdrawals.void(command)
        else { return }
        try leaveIndex(record, of: command.job, &transaction)
        try endLease(&record, command, &transaction)
        try move(&record, of: command.job, to: .active, &transaction, &result)
        record.due = command.token.rawValue
        try rewrite(record, of: command.job, &transaction)
        scratch.removeAll()
        LeaseRecord(command).encode(into: &scratch)
        try transaction.put(scratch.span, for: command.job.rawValue, in: tables.leases)
    }

    /// Takes a job back from a lease that was given back, or that ran out.
    mutating func returnLease(
        _ command: Command,
        _ arena: RawSpan,
        isStall: Bool,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard var record = try leased(command, transaction) else { return }
        try leaveIndex(record, of: command.job, &transaction)
        try endLease(&record, command, &transaction)
        leaseSet.end(command.slot, of: command.job)
        try keepAttempt(
            &record,
            of: command.job,
            isStall ? .stalled : .released,
            worker: arena.extracting(command.worker),
            finishedAt: meta.wall,
            &transaction
        )
        if isStall {
            record.stalledCount = record.stalledCount == .max ? .max : record.stalledCount + 1
            let details = EventDetails(attempt: record.attemptsStarted)
            try tell(.stalled, command.job, record, with: details, transaction, &result)
        }
        if isStall && record.stalledCount > record.maxStalledCount {
            let message = "The job stalled \(record.stalledCount) times; \(record.maxStalledCount) are forgiven."
            try failStalled(&record, of: command.job, message, &transaction, &result)
        } else {
            try returnOrFail(&record, of: command.job, &transaction, &result)
        }
    }

    /// Brings back a job whose attempt ended without success or failure, if it may be started again; else it fails.
    mutating func returnOrFail(
        _ record: inout JobRecord,
        of job: JobID,
        after wait: UInt64 = 0,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard try mayStartAgain(record, of: job, transaction) else {
            let message = "The job has been started \(record.attemptsStarted) times, as often as its maxStarted allows."
            return try failStalled(&record, of: job, message, &transaction, &result)
        }
        try comeBack(&record, of: job, after: wait, &transaction, &result)
        try rewrite(record, of: job, &transaction)
    }

    private mutating func failStalled(
        _ record: inout JobRecord,
        of job: JobID,
        _ message: String,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        record.cause = .stalled
        let text = failureText(message)
        try note(record.flow, &transaction)
        try finish(&record, of: job, as: .failed, .failure, text.span, &transaction, &result)
        try carryOutEffects(&transaction, &result)
    }

    /// False where a job that comes back has been started as often as its options allow.
    private mutating func mayStartAgain(
        _ record: JobRecord,
        of job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Bool {
        guard record.marks.contains(.hasExtras) else { return true }
        let starts = try rareOptions(record, of: job, transaction).maxStarted
        return starts == 0 || record.attemptsStarted < starts
    }
}
