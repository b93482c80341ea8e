import LMDB
import PenstockWire

/// How a deduplication id becomes free: with the end of its job, with its time, or because somebody says so.
///
/// A job that holds an id for a time has let go of it only when that is over,
/// finished or not: else a throttle would let through what comes behind a short
/// job. But one that was cancelled, or removed by a command, did not count.
extension Engine {
    // MARK: Jobs

    /// The job has finished.
    mutating func endDeduplication(
        of job: JobID,
        _ record: JobRecord,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard let (key, held) = try deduplication(heldBy: job, record, transaction) else { return }
        if held.due != 0 && record.state != .cancelled { return }
        try free(key, held, &transaction, &result)
    }

    /// The job is removed by a command. Retention asks for nothing: see ``keepDeduplication(of:_:_:)``.
    mutating func freeDeduplication(
        of job: JobID,
        _ record: JobRecord,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard let (key, held) = try deduplication(heldBy: job, record, transaction) else { return }
        try free(key, held, &transaction, &result)
    }

    /// Retention is about to take the job: what it still holds for a time, it holds on to.
    mutating func keepDeduplication(
        of job: JobID,
        _ stored: JobRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        var record = stored
        record.marks.remove(.hasDeduplication)
        try rewrite(record, of: job, &transaction)
    }

    /// A finished job is to run again: it holds its id again, unless another job does, or it had it for a time only.
    mutating func retakeDeduplication(
        of job: JobID,
        _ record: JobRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard let terms = try deduplicationTerms(of: job, record, transaction), terms.ttl == 0 else { return }
        let key = DeduplicationKey(record.queue, Array(terms.id.utf8))
        let old = try deduplication(key, transaction)
        if let old, old.isHeld(elapsed: meta.elapsed) { return }
        try put(DeduplicationRecord(job: job), key, insteadOf: old, &transaction)
    }

    private func deduplication(
        heldBy job: JobID,
        _ record: JobRecord,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> (DeduplicationKey, DeduplicationRecord)? {
        guard let terms = try deduplicationTerms(of: job, record, transaction) else { return nil }
        let key = DeduplicationKey(record.queue, Array(terms.id.utf8))
        guard let held = try deduplication(key, transaction), held.job == job else { return nil }
        return (key, held)
    }

    private func deduplicationTerms(
        of job: JobID,
        _ record: JobRecord,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Deduplication? {
        guard let bytes = try transaction.get(job.rawValue, in: tables.payloads) else { return nil }
        return try decode { () throws(WireError) in try PayloadRow(bytes, of: record).deduplication }
    }

    // MARK: What was kept

    /// Frees the id. What was kept for it becomes a job, and holds it from now on.
    private mutating func free(
        _ key: DeduplicationKey,
        _ held: DeduplicationRecord,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        let tail = held.hasKept ? try kept(key, transaction) : nil
        try delete(key, held, &transaction)
        if let tail { try addKept(tail, &transaction, &result) }
    }

    private func kept(
        _ key: DeduplicationKey,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> [UInt8] {
        guard let row = try transaction.get(key, in: tables.deduplicationsKept) else {
            throw LMDBError(.corrupted, in: .get)
        }
        return [UInt8](copying: row)
    }

    private mutating func addKept(
        _ tail: [UInt8],
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        // The plan of the command in whose midst this is has still to be answered from.
        var outer = AddPlan()
        swap(&outer, &plan)
        defer { swap(&outer, &plan) }
        do throws(PlanError) {
            try makePlan(kept: tail.rawSpan, transaction)
        } catch {
            // It was found right when it was kept, and it names nothing that could have changed since.
            if case .lmdb(let error) = error { throw error }
            throw LMDBError(.corrupted, in: .get)
        }
        try writePlan(tail.rawSpan, &transaction, &result)
    }

    // MARK: Commands

    /// Frees an id, whoever holds it. What was kept for it becomes a job at once, which does not hold it.
    mutating func removeDeduplication(
        _ request: RemoveDeduplication,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(PlanError) {
        guard let queue = queueIDs[request.queue] else {
            throw .refused(WireError(.queueNotFound, "There is no queue \(Names.quoted(request.queue))."))
        }
        let key = DeduplicationKey(queue, Array(request.id.utf8))
        try planning { () throws(LMDBError) in
            guard let held = try deduplication(key, transaction), held.isHeld(elapsed: meta.elapsed),
                request.job == .none || request.job == held.job
            else { return }
            effects.touched += 1
            try free(key, held, &transaction, &result)
            if let next = try deduplication(key, transaction) { try delete(key, next, &transaction) }
        }
    }

    /// Frees the ids of a queue that is obliterated, and drops what was kept for them: all that is older than the command.
    mutating func forgetDeduplications(
        _ effect: Effect,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> Effect? {
        let queue = QueueID(UInt32(truncatingIfNeeded: effect.subject))
        var last = DeduplicationKey(queue, from: effect.cursor)
        while let key = try transaction.entry(after: last, in: tables.deduplications)?.key, key.queue == queue {
            if effects.isExhausted && (key.hash != last.hash || last.id.isEmpty) {
                var rest = effect
                rest.cursor = key.hash
                return rest
            }
            effects.steps += 1
            last = key
            guard let held = try deduplication(key, transaction), held.job.rawValue < effect.bound else { continue }
            try delete(key, held, &transaction)
        }
        return nil
    }

    // MARK: Time

    /// Ids that one command sweeps at most: beyond it, the next batch goes on.
    static let sweptPerCommandMax = 1000

    /// Deletes the rows of ids whose time is over.
    mutating func sweepDeduplications(_ transaction: inout WriteTransaction) throws(LMDBError) {
        for _ in 0..<Engine.sweptPerCommandMax {
            guard let next = try firstDeduplicationDue(transaction), next.due <= meta.elapsed else { return }
            guard let held = try deduplication(next.hold, transaction) else { throw LMDBError(.corrupted, in: .get) }
            try delete(next.hold, held, &transaction)
        }
    }

    /// Elapsed time at which the next id is free; looked up only where that may have changed.
    mutating func findNextDeduplicationEnd(_ transaction: borrowing WriteTransaction) throws(LMDBError) -> UInt64 {
        if let nextDeduplicationEnd { return nextDeduplicationEnd }
        let next = try firstDeduplicationDue(transaction)?.due ?? .max
        nextDeduplicationEnd = next
        return next
    }

    private func firstDeduplicationDue(
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> DeduplicationDueKey? {
        let first = DeduplicationDueKey(due: 0, DeduplicationKey(QueueID(0), from: 0))
        return try transaction.entry(atOrAfter: first, in: tables.deduplicationsDue)?.key
    }
}
