import LMDB
import PenstockWire

/// Cancelling many: a flow, or what only one job needs.
extension Engine {
    /// Cancels the unfinished jobs of a flow as one set: the walk comes to all of them before any dependent is told.
    mutating func cancelFlow(
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Effect? {
        let flow = FlowID(effect.subject)
        var last = JobID(effect.cursor)
        while let job = try nextJob(of: flow, after: last, &transaction) {
            if effects.isExhausted {
                var rest = effect
                rest.cursor = last.rawValue
                return rest
            }
            effects.steps += 1
            last = job
            guard var record = try record(of: job, transaction), !record.state.isFinished else { continue }
            try cancel(&record, of: job, reason("Its flow was cancelled"), &transaction, &result)
        }
        if try open(flow, &transaction) { openFlow!.record.flags.remove(.isCancelling) }
        return nil
    }

    /// Cancels a job that would go on while its flow is being cancelled.
    mutating func cancelWithFlow(
        _ record: inout JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        try cancel(&record, of: job, reason("Its flow was cancelled"), &transaction, &result)
    }

    /// Cancels the unfinished dependencies of a job that has ended, and that nobody else needs; and so on below them.
    mutating func prune(
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Effect? {
        let top = JobID(effect.detail)
        // It may run again by now.
        guard try hasEnded(effect.job, transaction), try hasEnded(top, transaction) else { return nil }
        var position = UInt32(effect.cursor)
        while let (key, edge) = try nextEdge(of: effect.job, from: position, transaction) {
            if effects.isExhausted {
                var rest = effect
                rest.cursor = UInt64(position)
                return rest
            }
            effects.steps += 1
            position = key.position + 1
            guard var record = try record(of: edge.dependency, transaction), !record.state.isFinished,
                try isNeeded(edge.dependency, record, onlyBy: (effect.job, top), transaction)
            else { continue }
            record.marks.insert(.isPruned)
            let text = reason("Only jobs that have ended needed it")
            try cancel(&record, of: edge.dependency, text, &transaction, &result)
            if record.flags.contains(.hasDependencies) {
                effects.append(Effect(.prune, edge.dependency.rawValue, detail: top.rawValue))
            }
        }
        return nil
    }

    private mutating func hasEnded(
        _ job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Bool {
        try record(of: job, transaction)?.state.isFinished ?? false
    }

    /// Why a job is cancelled: what happened, and what the user said of it.
    func reason(_ what: String) -> String { effects.reason.isEmpty ? what + "." : what + ": " + effects.reason }

    /// True where every dependent of the job is one of the two, or was cancelled with them.
    private mutating func isNeeded(
        _ job: JobID,
        _ record: JobRecord,
        onlyBy two: (JobID, JobID),
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Bool {
        // The last one first: where many were cancelled, one that was added later is what still needs it.
        if record.dependents > 1, let key = try lastDependent(of: job, transaction),
            try needs(key.dependent, two, transaction)
        {
            return false
        }
        var last: JobID?
        while let key = try nextDependent(of: job, record, after: last, transaction) {
            effects.steps += 1
            last = key.dependent
            if try needs(key.dependent, two, transaction) { return false }
        }
        return true
    }

    /// True for a dependent that is none of the two, and that was not cancelled with them.
    private mutating func needs(
        _ dependent: JobID,
        _ two: (JobID, JobID),
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Bool {
        if dependent == two.0 || dependent == two.1 { return false }
        // One that is being removed needs nothing any more.
        guard let record = try record(of: dependent, transaction), !record.marks.contains(.isRemoved) else {
            return false
        }
        return record.state != .cancelled || !record.marks.contains(.isPruned)
    }

    private func lastDependent(
        of job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> DependentKey? {
        var cursor = try transaction.cursor(in: tables.dependents)
        let beyond = try cursor.seek(to: DependentKey(job, JobID(.max)))?.key
        let key = try (beyond == nil ? cursor.last() : cursor.previous())?.key
        return key?.dependency == job ? key : nil
    }

    /// The job of the flow with the next id; in the order of ids, those that were added later behind the others.
    mutating func nextJob(
        of flow: FlowID,
        after last: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> JobID? {
        guard try open(flow, &transaction) else { return nil }
        return try openFlow!.record.nextJob(of: flow, after: last, tables, transaction)
    }
}
