import LMDB
import PenstockWire

/// Large adds that are not finished: refused, abandoned, or left by their session.
extension Engine {
    /// Drops what has come of an add: its jobs stay hidden until the last of them is gone.
    mutating func drop(_ record: StagedRecord, _ transaction: inout WriteTransaction) throws(LMDBError) {
        let key = StagedAddKey(session: record.session, add: record.add)
        _ = try transaction.delete(key, in: tables.stagedAdds)
        effects.append(Effect(.dropStaged, record.firstJob.rawValue))
        var none = BatchResult()
        try carryOutEffects(&transaction, &none)
    }

    /// Deletes the rows of a dropped add's jobs.
    mutating func dropStaged(
        _ effect: Effect,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> Effect? {
        guard let staged = try staged(effect.subject, transaction) else { return nil }
        var next = max(effect.cursor, effect.subject)
        while next < effect.subject + UInt64(staged.newJobs) {
            if effects.isExhausted {
                var rest = effect
                rest.cursor = next
                return rest
            }
            effects.steps += 1
            try deleteStaged(JobID(next), &transaction)
            next += 1
        }
        for number in 0..<staged.items { try forget(FlowID(staged.firstFlow.rawValue + UInt64(number)), &transaction) }
        try forget(staged, &transaction)
        return nil
    }

    private mutating func deleteStaged(_ job: JobID, _ transaction: inout WriteTransaction) throws(LMDBError) {
        guard let record = try record(of: job, transaction) else { return }
        if record.marks.contains(.hasGroup) { count(GroupKey(record.queue, record.group), jobs: -1) }
        if let id = try customID(of: job, record, transaction) {
            _ = try transaction.delete(CustomIDKey(record.queue, id.rawSpan), in: tables.customIDs)
        }
        while let (key, edge) = try nextEdge(of: job, from: 0, transaction) {
            effects.steps += 1
            _ = try transaction.delete(key, in: tables.edges)
            _ = try transaction.delete(key, in: tables.stagedEdges)
            _ = try transaction.delete(DependentKey(edge.dependency, job), in: tables.dependents)
        }
        _ = try transaction.delete(job.rawValue, in: tables.payloads)
        _ = try transaction.delete(job.rawValue, in: tables.jobs)
    }

    /// Deletes the rows that only staging needs.
    mutating func forget(_ record: StagedRecord, _ transaction: inout WriteTransaction) throws(LMDBError) {
        _ = try transaction.delete(record.firstJob.rawValue, in: tables.staged)
        _ = try transaction.delete(StagedAddKey(session: record.session, add: record.add), in: tables.stagedAdds)
        for number in 0..<record.items {
            _ = try transaction.delete(EdgeKey(record.firstJob, number), in: tables.stagedItems)
        }
        try deleteRows(of: record.firstJob, in: tables.stagedExisting, &transaction)
        stagedRanges.removeAll { $0.firstJob == record.firstJob }
    }

    /// Drops the large adds of a session that is forgotten.
    mutating func dropStaged(of session: SessionID, _ transaction: inout WriteTransaction) throws(LMDBError) {
        while true {
            let from = StagedAddKey(session: session, add: 0)
            guard let key = try transaction.entry(atOrAfter: from, in: tables.stagedAdds)?.key, key.session == session,
                let record = try staged(session, key.add, transaction)
            else { return }
            try drop(record, &transaction)
        }
    }
}
