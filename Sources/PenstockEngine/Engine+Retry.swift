import LMDB
import PenstockWire

/// Retry of finished jobs, and what it does to the jobs that depend on them: semantics, section 4.
extension Engine {
    /// What a retry takes along.
    struct RetryFlags: OptionSet {
        let rawValue: UInt64
        static let keepsCounters = RetryFlags(rawValue: 1 << 0)
    }

    /// Makes a finished job run again, when all that the retry comes to has been opened; the record is written.
    mutating func retry(
        _ record: inout JobRecord,
        of job: JobID,
        _ flags: RetryFlags,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        try note(record.flow, &transaction)
        effects.touched += 1
        record.flags.insert(.isRetry)
        record.place = 0
        if record.marks.contains(.isPruned) { effects.append(Effect(.restore, job)) }
        try reset(&record, of: job, flags, &transaction, &result)
        effects.append(Effect(.start, job))
    }

    /// Lets a retried job run, if it does not wait for others that were retried, too.
    mutating func start(
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Effect? {
        effects.steps += 1
        guard var record = try record(of: effect.job, transaction), record.state == .waitingChildren else { return nil }
        try openRunning(&record, of: effect.job, &transaction)
        guard record.dependencies.counting == 0 else {
            try rewrite(record, of: effect.job, &transaction)
            try tell(.waitingChildren, effect.job, record, transaction, &result)
            return nil
        }
        if try isBeingRemoved(record, &transaction) { return nil }
        if try isBeingCancelled(record, &transaction) {
            try cancelWithFlow(&record, of: effect.job, &transaction, &result)
        } else {
            try makeReady(&record, of: effect.job, &transaction, &result)
            try rewrite(record, of: effect.job, &transaction)
        }
        return nil
    }

    /// Opens the edges whose dependency runs again, because it was retried before the job was, and holds them no more:
    /// the order of retries does not matter. What was decided by hand stays.
    private mutating func openRunning(
        _ record: inout JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard record.flags.contains(.hasDependencies) else { return }
        var position: UInt32 = 0
        while let (key, stored) = try nextEdge(of: job, from: position, transaction) {
            effects.steps += 1
            position = key.position + 1
            guard stored.kind != .unprocessed || stored.isHeld, !stored.isByHand,
                let dependency = try self.record(of: stored.dependency, transaction), !dependency.state.isFinished
            else { continue }
            var edge = stored
            if stored.kind != .unprocessed {
                try open(&edge, key, &record, &transaction)
            } else {
                try unhold(&edge, key, &record, &transaction)
                try put(edge, at: key, &transaction)
            }
        }
    }

    /// Brings a finished job back to waiting-children, without its outcome; its dependents are told by the effects.
    private mutating func reset(
        _ record: inout JobRecord,
        of job: JobID,
        _ flags: RetryFlags,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        _ = try transaction.delete(JobListKey(record, job), in: tables.jobLists)
        try keepCompletedAttempt(&record, of: job, &transaction)
        if !flags.contains(.keepsCounters) {
            record.attemptsMade = 0
            record.stalledCount = 0
        }
        record.cause = .none
        record.due = 0
        record.dependencies.failedDependency = .none
        try move(&record, of: job, to: .waitingChildren, &transaction, &result)
        try tell(.retried, job, record, transaction, &result)
        let wasPruned = record.marks.contains(.isPruned)
        record.marks.subtract([.isSkipped, .isPruned])
        if record.marks.contains(.hasExtras) { try renewStartLimit(&record, of: job, transaction) }
        try rewrite(&record, of: job, outcome: .none, RawSpan(), &transaction)
        if record.marks.contains(.hasDeduplication) { try retakeDeduplication(of: job, record, &transaction) }
        expect(record.dependents)
        if record.dependents > 0 { effects.append(Effect(.reopen, job.rawValue, detail: wasPruned ? 1 : 0)) }
    }

    // MARK: Dependents

    mutating func reopen(
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Effect? {
        guard let record = try record(of: effect.job, transaction) else { return nil }
        // It may have ended again already: those that its failure failed go on all the same.
        let end = record.state.isFinished ? DependencyEnd(record) : nil
        var last = effect.lastDependent
        while let key = try nextDependent(of: effect.job, record, after: last, transaction) {
            if effects.isExhausted {
                var rest = effect
                rest.lastDependent = last
                return rest
            }
            effects.steps += 1
            try reopen(key, end, withOthers: effect.detail != 0, &transaction, &result)
            last = key.dependent == record.firstDependent ? JobID.none : key.dependent
        }
        return nil
    }

    /// Opens an edge whose dependency runs again, where its dependent can still wait for that.
    ///
    /// - Parameters:
    ///   - end: how the dependency has ended since; its dependents are told by another effect, but for those that
    ///     had failed with it.
    ///   - withOthers: the dependency is retried with others, which the dependent need not bring back again.
    private mutating func reopen(
        _ key: EdgeKey,
        _ end: DependencyEnd?,
        withOthers: Bool,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard var edge = try edge(key, transaction), var record = try record(of: key.dependent, transaction),
            !record.marks.contains(.isRemoved), end == nil || record.state == .failed
        else { return }
        guard canWaitAgain(record, key.dependent) else {
            if record.state == .active && edge.isHeld && counts(edge, key, record) {
                // It runs, and will wait for the edge as for any other.
                try unhold(&edge, key, &record, &transaction)
                try put(edge, at: key, &transaction)
                try rewrite(record, of: key.dependent, &transaction)
            }
            return
        }
        try note(record.flow, &transaction)
        if record.state == .waiting || record.state == .delayed {
            try takeAway(&record, of: key.dependent, &transaction, &result)
            try move(&record, of: key.dependent, to: .waitingChildren, &transaction, &result)
            try tell(.waitingChildren, key.dependent, record, transaction, &result)
        }
        try open(&edge, key, &record, &transaction)
        guard record.state == .failed else { return try rewrite(record, of: key.dependent, &transaction) }
        if !withOthers && record.marks.contains(.cancelsSiblings) { effects.append(Effect(.restore, key.dependent)) }
        try reviveIfFree(&record, edge.dependency, key, &transaction, &result)
        if let end { try settle(key, end, &transaction, &result) }
    }

    private mutating func canWaitAgain(_ record: JobRecord, _ job: JobID) -> Bool {
        switch record.state {
        case .waitingChildren, .delayed: true
        case .waiting: !leaseSet.contains(job)
        case .failed: record.cause == .dependency
        case .active, .completed, .cancelled: false
        }
    }

    /// The edge is unprocessed, and counts; it is written, and the caller writes the record.
    mutating func open(
        _ edge: inout EdgeRecord,
        _ key: EdgeKey,
        _ record: inout JobRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        try unhold(&edge, key, &record, &transaction)
        count(edge, key, &record, by: -1)
        edge.kind = .unprocessed
        edge.isAttached = key.position < record.dependencies.detachedBelow
        count(edge, key, &record, by: 1)
        try put(edge, at: key, &transaction)
    }

    /// Revives a job that failed with a dependency, if no other one that failed it is left; else it names the next one.
    ///
    /// - Parameter key: the edge that is failed no more.
    mutating func reviveIfFree(
        _ record: inout JobRecord,
        _ dependency: JobID,
        _ key: EdgeKey,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard record.dependencies.failed > 0 else {
            try reset(&record, of: key.dependent, [], &transaction, &result)
            return try tell(.waitingChildren, key.dependent, record, transaction, &result)
        }
        let named = record.dependencies.failedDependency
        if named != dependency, try !isGone(named, transaction) {
            return try rewrite(record, of: key.dependent, &transaction)
        }
        guard let next = try nextFailed(of: key.dependent, &record, transaction) else {
            return try reset(&record, of: key.dependent, [], &transaction, &result)
        }
        record.dependencies.failedDependency = next
        let text = failureText("Its dependency \(record.dependencies.failedDependency) failed.")
        try rewrite(&record, of: key.dependent, outcome: .failure, text.span, &transaction)
    }

    /// The first dependency that failed the job and is there still: one that was removed can't be retried, so it holds
    /// nothing back. The search goes on from where the last one ended.
    private mutating func nextFailed(
        of job: JobID,
        _ record: inout JobRecord,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> JobID? {
        while let (key, edge) = try nextEdge(of: job, from: record.dependencies.failedFrom, transaction) {
            effects.steps += 1
            record.dependencies.failedFrom = key.position
            if edge.kind == .failed, try !isGone(edge.dependency, transaction) { return edge.dependency }
            record.dependencies.failedFrom += 1
        }
        return nil
    }

    private mutating func isGone(
        _ job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Bool {
        try record(of: job, transaction)?.marks.contains(.isRemoved) ?? true
    }

    // MARK: What was pruned

    /// Retries the dependencies of a job that were cancelled because only it needed them.
    mutating func restore(
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
            guard var record = try record(of: edge.dependency, transaction), record.state == .cancelled,
                record.marks.contains(.isPruned)
            else { continue }
            try retry(&record, of: edge.dependency, [], &transaction, &result)
        }
        return nil
    }

    // MARK: Flows and queues

    /// True for the jobs that the retry of a flow or a queue retries: those that no other one's retry can bring back.
    private mutating func isRetriedWithOthers(
        _ stored: JobRecord,
        _ job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Bool {
        guard stored.state == .failed || stored.state == .cancelled,
            stored.marks.isDisjoint(with: [.isSkipped, .isRemoved])
        else { return false }
        guard stored.cause == .dependency else { return true }
        guard try isGone(stored.dependencies.failedDependency, transaction) else { return false }
        var record = stored
        return try nextFailed(of: job, &record, transaction) == nil
    }

    mutating func retryFlow(
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
            guard var record = try record(of: job, transaction), try isRetriedWithOthers(record, job, transaction)
            else { continue }
            try retry(&record, of: job, RetryFlags(rawValue: effect.detail), &transaction, &result)
        }
        return nil
    }

    mutating func retryQueue(
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Effect? {
        var key = JobListKey(retryOf: effect)
        while let next = try transaction.entry(after: key, in: tables.jobLists)?.key, next.queue == key.queue,
            next.state == key.state
        {
            if effects.isExhausted {
                var rest = effect
                (rest.cursor, rest.detail) = (key.time, key.job.rawValue)
                return rest
            }
            effects.steps += 1
            key = next
            guard var record = try record(of: next.job, transaction),
                try isRetriedWithOthers(record, next.job, transaction)
            else { continue }
            try retry(&record, of: next.job, RetryFlags(rawValue: effect.subject >> 40), &transaction, &result)
        }
        return nil
    }
}

extension Effect {
    /// A retry of the queue's jobs in a state: `subject` is `flags << 40 | state << 32 | queue`.
    init(retry queue: QueueID, in state: JobState, _ flags: Engine.RetryFlags) {
        let subject = UInt64(queue.rawValue) | UInt64(state.rawValue) << 32 | flags.rawValue << 40
        self.init(.retryQueue, subject)
    }
}

extension JobListKey {
    /// The job that a retry of a queue has seen last.
    init(retryOf effect: Effect) {
        queue = QueueID(UInt32(truncatingIfNeeded: effect.subject))
        state = UInt8(truncatingIfNeeded: effect.subject >> 32)
        time = effect.cursor
        job = JobID(effect.detail)
    }
}
