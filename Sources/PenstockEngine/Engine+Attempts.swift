import LMDB
import PenstockWire

/// The end of an attempt: completed, failed, given back or stalled.
extension Engine {
    /// Applies a completion or a failure; false where the job is not under this lease any more.
    mutating func finishAttempt(
        _ command: Command,
        _ arena: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Bool {
        guard var record = try leased(command, transaction) else { return false }
        try leaveIndex(record, of: command.job, &transaction)
        endLease(&record, command)
        record.attemptsMade = record.attemptsMade == .max ? .max : record.attemptsMade + 1
        if command.kind == .complete {
            record.cause = .none
            record.contentType = command.contentType
            let kind: JobRecord.OutcomeKind = command.contentType == .none ? .none : .result
            let body = arena.extracting(command.body)
            try finish(&record, of: command.job, as: .completed, kind, body, &transaction, &result)
        } else {
            try fail(&record, command, arena, &transaction, &result)
        }
        try carryOutEffects(&transaction, &result)
        return true
    }

    private mutating func fail(
        _ record: inout JobRecord,
        _ command: Command,
        _ arena: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        let isUnrecoverable = command.flags & Failure.unrecoverableFlag != 0
        var text = WireWriter(capacity: 64 + Int(command.body.count) + Int(command.details.count))
        text.bytes16(arena.extracting(command.body))
        text.bytes32(arena.extracting(command.details))
        guard isUnrecoverable || record.attemptsMade >= record.attempts else {
            return try retry(&record, command, text, &transaction, &result)
        }
        record.cause = isUnrecoverable ? .unrecoverable : .error
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
        record.cause = .error
        record.flags.insert(.isRetry)
        record.place = 0
        if record.dependencies.counting > 0 {
            // Its delay begins at the release.
            try move(&record, of: command.job, to: .waitingChildren, &transaction, &result)
        } else if wait > 0 {
            try delay(&record, of: command.job, by: wait, &transaction, &result)
        } else {
            try makeReady(&record, of: command.job, &transaction, &result)
        }
        try rewrite(&record, of: command.job, outcome: .failure, text.span, &transaction)
    }

    private mutating func backoff(
        _ record: JobRecord,
        of job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Backoff {
        guard let bytes = try transaction.get(job.rawValue, in: tables.payloads) else { return .none }
        return try decode { () throws(WireError) in try PayloadRow(bytes, flags: record.flags).backoff }
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
    mutating func endLease(_ record: inout JobRecord, _ command: Command) {
        if record.state == .waiting {
            record.attemptsStarted += 1
            record.startedAt = command.startedAt
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
        endLease(&record, command)
        try move(&record, of: command.job, to: .active, &transaction, &result)
        record.due = command.token.rawValue
        try rewrite(record, of: command.job, &transaction)
        let lease = LeaseRecord(
            token: command.token,
            session: command.session,
            startedAt: command.startedAt,
            duration: command.duration,
            slot: command.slot
        )
        scratch.removeAll()
        lease.encode(into: &scratch)
        try transaction.put(scratch.span, for: command.job.rawValue, in: tables.leases)
    }

    /// Takes a job back from a lease that was given back, or that ran out.
    mutating func returnLease(
        _ command: Command,
        isStall: Bool,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard var record = try leased(command, transaction) else { return }
        try leaveIndex(record, of: command.job, &transaction)
        endLease(&record, command)
        if isStall {
            record.stalledCount = record.stalledCount == .max ? .max : record.stalledCount + 1
            if record.stalledCount > record.maxStalledCount {
                record.cause = .stalled
                let text = failureText(
                    "The job stalled \(record.stalledCount) times; \(record.maxStalledCount) are forgiven."
                )
                try note(record.flow, &transaction)
                try finish(&record, of: command.job, as: .failed, .failure, text.span, &transaction, &result)
                return try carryOutEffects(&transaction, &result)
            }
        }
        if record.dependencies.counting > 0 {
            try move(&record, of: command.job, to: .waitingChildren, &transaction, &result)
        } else {
            try makeReady(&record, of: command.job, &transaction, &result)
        }
        try rewrite(record, of: command.job, &transaction)
    }
}
