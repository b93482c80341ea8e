import LMDB
import PenstockWire

/// Removing one job, or those of a flow: semantics, section 6.
///
/// A job leaves at once what makes it a job: its index, its counts, its custom id.
/// Then its edges go: those to its dependencies all, those to its dependents where
/// they have no outcome yet. Where a dependent has recorded an outcome, the job
/// stays behind for it: its name and its result, which nobody else sees.
extension Engine {
    /// The removal of a job. Its flow may finish before its turn comes, and is seen then as what is left of it.
    mutating func removal(
        of job: JobID,
        _ record: JobRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> Effect {
        var effect = Effect(.remove, job)
        if record.flow != .none, try open(record.flow, &transaction), openFlow!.record.unfinished > 0 {
            effect.bound = 1
        }
        return effect
    }

    mutating func remove(
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Effect? {
        var rest = effect
        if let record = try record(of: effect.job, transaction), !record.marks.contains(.isRemoved) {
            rest.detail = record.flow.rawValue
            try bury(record, effect, &transaction, &result)
        }
        guard try unlink(rest, &transaction), try letGo(&rest, &transaction, &result) else { return rest }
        try leave(FlowID(rest.detail), &transaction, &result)
        return nil
    }

    /// Takes a job out of everything but its edges.
    private mutating func bury(
        _ stored: JobRecord,
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        var record = stored
        let job = effect.job
        effects.steps += 1
        try tell(.removed, job, record, transaction, &result)
        try note(record.flow, &transaction)
        try takeOut(&record, effect, &transaction, &result)
        try freeCustomID(record, job, &transaction)
        if record.marks.contains(.hasDeduplication) { try freeDeduplication(of: job, record, &transaction, &result) }
        if record.marks.contains(.hasChildKeys) { try deleteChildKeys(of: job, &transaction) }
        if !record.marks.isDisjoint(with: [.hasLogs, .hasProgress]) { try deleteReports(of: job, &transaction) }
        if record.marks.contains(.hasAttempts) { try deleteRows(of: job, in: tables.attempts, &transaction) }
        if record.marks.contains(.hasTTL) { try endStartLimit(&record, of: job, &transaction) }
        if record.marks.contains(.hasGroup) { count(GroupKey(record.queue, record.group), jobs: -1) }
        // Whoever waits for it learns that it is gone.
        result.finishedJobs.append(job)
        if record.dependents == 0 {
            try purge(record, of: job, &transaction)
        } else {
            try keepForDependents(record, job, &transaction)
        }
    }

    /// Takes a job out of its index, and out of the counts of its queue and its flow.
    private mutating func takeOut(
        _ record: inout JobRecord,
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        let job = effect.job
        if record.state.isFinished {
            _ = try transaction.delete(JobListKey(record, job), in: tables.jobLists)
        } else {
            if record.state == .waitingChildren {
                _ = try transaction.delete(JobListKey(record, job), in: tables.jobLists)
            }
            try takeAway(&record, of: job, &transaction, &result)
        }
        queues[Int(record.queue.rawValue) - 1].counts[record.state] -= 1
        markDirty(record.queue)
        guard record.flow != .none, try open(record.flow, &transaction) else { return }
        openFlow!.record.counts[record.state] -= 1
        if record.state == .waitingChildren { openFlow!.record.heldEdges -= record.dependencies.held }
        if record.fails(its: record.state) {
            openFlow!.record.failedSinks -= 1
            // A flow that has finished keeps its outcome.
            if openFlow!.record.finishedAt != 0 && effect.bound == 0 { openFlow!.record.flags.insert(.hasFailed) }
        }
        if record.marks.contains(.isAddedLater) {
            openFlow!.record.later -= 1
            _ = try transaction.delete(FlowJobKey(record.flow, job), in: tables.laterJobs)
        }
    }

    private mutating func freeCustomID(
        _ record: JobRecord,
        _ job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard let id = try customID(of: job, record, transaction) else { return }
        _ = try transaction.delete(CustomIDKey(record.queue, id.rawSpan), in: tables.customIDs)
    }

    /// Leaves of a job what its dependents may ask for: queue, name and outcome.
    private mutating func keepForDependents(
        _ stored: JobRecord,
        _ job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        var record = stored
        let name = try name(of: job, stored, transaction)
        scratch.removeAll()
        PayloadRow.encode(onlyName: name.rawSpan, into: &scratch)
        try transaction.put(scratch.span, for: job.rawValue, in: tables.payloads)
        record.flags = []
        record.marks = .isRemoved
        record.flow = .none
        record.place = 0
        record.due = 0
        // No lease and no retry takes it for a job that runs.
        if !record.state.isFinished { record.state = .cancelled }
        try rewrite(record, of: job, &transaction)
    }

    private func name(
        of job: JobID,
        _ record: JobRecord,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> [UInt8] {
        guard let bytes = try transaction.get(job.rawValue, in: tables.payloads) else { return [] }
        return try decode { () throws(WireError) in bytes.array(try PayloadRow(bytes, of: record).name) }
    }

    /// Deletes what is left of a job that nobody depends on.
    mutating func purge(
        _ record: JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        _ = try transaction.delete(job.rawValue, in: tables.jobs)
        _ = try transaction.delete(job.rawValue, in: tables.payloads)
        if record.outcome != .none && !record.hasInlineOutcome {
            _ = try transaction.delete(job.rawValue, in: tables.results)
        }
    }

    // MARK: Edges

    /// Takes the edges to the dependencies of a removed job away; false where the steps did not suffice.
    private mutating func unlink(_ effect: Effect, _ transaction: inout WriteTransaction) throws(LMDBError) -> Bool {
        let flow = effect.bound == 0 ? FlowID.none : FlowID(effect.detail)
        while let (key, edge) = try nextEdge(of: effect.job, from: 0, transaction) {
            if effects.isExhausted { return false }
            effects.steps += 1
            try removeEdge(edge, key, makesSinksOf: flow, &transaction)
        }
        return true
    }

    /// Takes the edges without an outcome away from the dependents of a removed job; false where the steps did not
    /// suffice, and the effect says how far they went.
    private mutating func letGo(
        _ effect: inout Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Bool {
        let job = effect.job
        while let record = try record(of: job, transaction), record.marks.contains(.isRemoved) {
            let last = effect.left == 0 ? nil : JobID(effect.cursor)
            guard let key = try nextDependent(of: job, record, after: last, transaction) else {
                if record.dependents == 0 { try purge(record, of: job, &transaction) }
                return true
            }
            if effects.isExhausted { return false }
            effects.steps += 1
            try letGo(key, &transaction, &result)
            // The first one stands in the record, whatever its id: behind it, the others begin from their start.
            effect.cursor = key.dependent == record.firstDependent ? 0 : key.dependent.rawValue
            effect.left = 1
        }
        return true
    }

    /// Takes an edge away from a dependent if it has no outcome, and releases the dependent if nothing else counts.
    private mutating func letGo(
        _ key: EdgeKey,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard var edge = try edge(key, transaction), edge.kind == .unprocessed,
            var record = try record(of: key.dependent, transaction), !record.marks.contains(.isRemoved)
        else { return }
        try note(record.flow, &transaction)
        try unhold(&edge, key, &record, &transaction)
        count(edge, key, &record, by: -1)
        try removeEdge(edge, key, &transaction)
        try releaseIfFree(&record, of: key.dependent, &transaction, &result)
        try rewrite(record, of: key.dependent, &transaction)
    }

    // MARK: Flows

    /// A job of the flow is removed: the flow may have finished with that, or be gone.
    private mutating func leave(
        _ flow: FlowID,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard flow != .none, try open(flow, &transaction) else { return }
        let record = openFlow!.record
        if record.counts.total == 0 {
            if record.finishedAt == 0 { try tellFinished(flow, as: .cancelled, transaction, &result) }
            try forget(flow, &transaction)
            result.finishedFlows.append(flow)
        } else if record.finishedAt == 0 && !record.flags.contains(.isRemoving) {
            finishFlow(flow, &result)
        }
    }

    /// Removes the jobs of a flow: the first ones from the last one down, so that dependents go before what they depend
    /// on; then those that were added later.
    mutating func removeFlow(
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Effect? {
        let flow = FlowID(effect.subject)
        var rest = effect
        while let job = try lastJob(of: flow, before: rest.cursor, &transaction) {
            if effects.isExhausted { return rest }
            effects.steps += 1
            if job < openFlow!.record.end { rest.cursor = job.rawValue }
            if let left = try remove(Effect(.remove, job), &transaction, &result) { effects.append(left) }
        }
        return nil
    }

    /// The job of the flow with the next lower id; of those that were added later, the first that is left.
    ///
    /// - Parameter cursor: the one of the first jobs that was seen last; 0 to begin.
    private mutating func lastJob(
        of flow: FlowID,
        before cursor: UInt64,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> JobID? {
        guard try open(flow, &transaction) else { return nil }
        let record = openFlow!.record
        let end = cursor == 0 ? record.end.rawValue : cursor
        if end > record.firstJob.rawValue { return JobID(end - 1) }
        guard record.later > 0 else { return nil }
        let key = try transaction.entry(after: FlowJobKey(flow, .none), in: tables.laterJobs)?.key
        return key?.flow == flow ? key?.job : nil
    }
}
