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

    /// Cancels the unfinished dependencies of a job that has ended, and that nobody else needs; and so on below them.
    mutating func prune(
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Effect? {
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
                try isNeeded(edge.dependency, record, onlyBy: effect.job, transaction)
            else { continue }
            record.marks.insert(.isPruned)
            let text = reason("Only jobs that have ended needed it")
            try cancel(&record, of: edge.dependency, text, &transaction, &result)
            if record.flags.contains(.hasDependencies) { effects.append(Effect(.prune, edge.dependency)) }
        }
        return nil
    }

    /// Why a job is cancelled: what happened, and what the user said of it.
    func reason(_ what: String) -> String { effects.reason.isEmpty ? what + "." : what + ": " + effects.reason }

    /// True where every dependent of the job is that one, or was cancelled with it.
    private mutating func isNeeded(
        _ job: JobID,
        _ record: JobRecord,
        onlyBy top: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Bool {
        var last: JobID?
        while let key = try nextDependent(of: job, record, after: last, transaction) {
            effects.steps += 1
            last = key.dependent
            if key.dependent == top { continue }
            // One that is being removed needs nothing any more.
            guard let dependent = try self.record(of: key.dependent, transaction),
                !dependent.marks.contains(.isRemoved)
            else { continue }
            guard dependent.state == .cancelled, dependent.marks.contains(.isPruned) else { return false }
        }
        return true
    }

    /// The job of the flow with the next id; in the order of ids, those that were added later behind the others.
    mutating func nextJob(
        of flow: FlowID,
        after last: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> JobID? {
        guard try open(flow, &transaction) else { return nil }
        let record = openFlow!.record
        if let next = record.nextJob(after: last) { return next }
        guard record.later > 0 else { return nil }
        let key = try transaction.entry(after: FlowJobKey(flow, last), in: tables.laterJobs)?.key
        return key?.flow == flow ? key?.job : nil
    }
}
