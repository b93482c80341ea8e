import LMDB
package import PenstockWire

/// How long finished jobs are kept whose own options do not say so; failed ones are those that were cancelled, too.
package struct RetentionRules: Sendable {
    package var completed: Retention
    package var failed: Retention

    package init(completed: Retention = Retention(), failed: Retention = Retention()) {
        self.completed = completed
        self.failed = failed
    }

    func rule(for state: JobState) -> Retention { state == .completed ? completed : failed }
}

/// Where the walk over the finished jobs has come to. In memory: after a restart it begins anew.
struct RetentionWalk {
    static let states: [JobState] = [.completed, .failed, .cancelled]

    /// Index of the queue, and of the state in ``states``.
    var queue = 0
    var state = 0
    /// The entry of the index that was seen last, and how many there were up to it that stay.
    var time: UInt64 = 0
    var job = JobID.none
    var kept: UInt32 = 0
    /// A job of the queue may say itself how long it is kept: the walk does not end at the first that stays.
    var isWhole = true
    /// Elapsed time at which the next of the jobs seen may go.
    var nextDue = UInt64.max
    /// Jobs that the last slice has taken.
    var taken = 0

    /// It comes to the queue now.
    var isAtStart: Bool { state == 0 && job == .none }

    mutating func goOnWithNextState() {
        state += 1
        if state == RetentionWalk.states.count {
            state = 0
            queue += 1
        }
        (time, job, kept) = (0, .none, 0)
    }
}

/// Retention: finished jobs go when they are old, or too many.
///
/// A job that another one finishes never pays for it: the server asks for a slice
/// now and then. The oldest jobs of each queue are looked at first, and the walk
/// ends at the first that stays; where jobs say themselves how long they are kept,
/// it goes on to the end.
extension Engine {
    /// A result stays readable for so long, however soon the job may go: whoever waits for it has to see it.
    static let readableMilliseconds: UInt64 = 60_000
    /// Dependents of a job that are looked at; one with more stays until some of them have gone.
    private static let retentionDependentsMax = 10_000
    /// Commands of a batch from which on it has a slice of its own.
    private static let busyCommands = 64
    /// Steps of such a slice: two for each job that goes, so that it takes twice as many as the commands can finish.
    private static let retentionStepsPerCommand = 4
    private static let retentionStepsMax = 16_384

    /// A look that takes jobs goes on beside many commands without being asked. It takes more than they can finish: so the
    /// database stays as large as it is to be, whatever the rate.
    mutating func retainBesides(
        _ commands: Int,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        // Beside jobs that stay it goes by slowly, when it is asked to.
        guard retentionWalk.taken > 0, !result.hasRetained, commands >= Engine.busyCommands else { return }
        let steps = min(Engine.retentionStepsPerCommand * commands, Engine.retentionStepsMax)
        effects.begin(limit: steps)
        try retain(max(effectLimits.sliceSteps, steps), &transaction, &result)
    }

    /// Removes a slice of what need not be kept any more.
    mutating func retain(
        _ steps: Int,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        result.hasLookedForRetention = true
        result.hasMoreToRetain = true
        // A job may have to tell its dependents still how it ended.
        guard meta.openSettlements == 0 else { return }
        effects.limit = steps
        retentionWalk.taken = 0
        while retentionWalk.queue < queues.count {
            if effects.isExhausted { return try carryOutEffects(&transaction, &result) }
            try retainNext(&transaction, &result)
            result.jobsRetentionTook = retentionWalk.taken
        }
        result.hasMoreToRetain = false
        result.nextRetention = retentionWalk.nextDue
        retentionWalk = RetentionWalk()
        try carryOutEffects(&transaction, &result)
    }

    /// Looks at the next finished job.
    private mutating func retainNext(
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        let queue = queues[retentionWalk.queue].id
        let state = RetentionWalk.states[retentionWalk.state]
        let last = JobListKey(queue, state, time: retentionWalk.time, job: retentionWalk.job)
        if retentionWalk.isAtStart {
            retentionWalk.isWhole = queues[retentionWalk.queue].mayHaveRetentions
            queues[retentionWalk.queue].mayHaveRetentions = false
        }
        guard queues[retentionWalk.queue].counts[state] > 0,
            let key = try transaction.entry(after: last, in: tables.jobLists)?.key, key.queue == queue,
            key.state == state.rawValue, let record = try record(of: key.job, transaction)
        else { return retentionWalk.goOnWithNextState() }
        effects.steps += 1
        (retentionWalk.time, retentionWalk.job) = (key.time, key.job)
        let own = try retention(of: key.job, record, transaction)
        if own != nil { queues[retentionWalk.queue].mayHaveRetentions = true }
        let rule = own ?? retentionRules.rule(for: state)
        let due = goesAt(record, rule, newer: newerJobs(queue, state))
        if due <= meta.elapsed {
            if try mayGo(key.job, record, &transaction) {
                effects.touched += 1
                retentionWalk.taken += 1
                if record.marks.contains(.hasDeduplication) {
                    try keepDeduplication(of: key.job, record, &transaction)
                }
                if let rest = try remove(Effect(.remove, key.job), &transaction, &result) { effects.append(rest) }
                return
            }
        } else {
            retentionWalk.nextDue = min(retentionWalk.nextDue, due)
            if own == nil && !retentionWalk.isWhole { return retentionWalk.goOnWithNextState() }
        }
        retentionWalk.kept += 1
    }

    /// Jobs of the queue that came into the state after the one that is looked at.
    private func newerJobs(_ queue: QueueID, _ state: JobState) -> UInt32 {
        let count = queues[Int(queue.rawValue) - 1].counts[state]
        return count > retentionWalk.kept ? count - retentionWalk.kept - 1 : 0
    }

    /// Elapsed time from which on the job need not be kept; `.max` where only newer jobs can end it.
    private func goesAt(_ record: JobRecord, _ rule: Retention, newer: UInt32) -> UInt64 {
        let isOneTooMany = rule.count != Retention.countUnbounded && newer >= rule.count
        let age = isOneTooMany ? 0 : rule.age
        return age == Retention.ageUnbounded ? .max : record.due + max(age, Engine.readableMilliseconds)
    }

    private mutating func retention(
        of job: JobID,
        _ record: JobRecord,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Retention? {
        guard record.flags.contains(.hasRetention), let bytes = try transaction.get(job.rawValue, in: tables.payloads)
        else { return nil }
        return try decode { () throws(WireError) in
            let row = try PayloadRow(bytes, of: record)
            return record.state == .completed ? row.keepCompleted : row.keepFailed
        }
    }

    /// True where nobody needs the job: its flow has finished, and so have all jobs that depend on it, and the one
    /// under which it has a key.
    private mutating func mayGo(
        _ job: JobID,
        _ record: JobRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> Bool {
        if record.flow != .none, try open(record.flow, &transaction), openFlow!.record.unfinished > 0 { return false }
        guard record.dependents <= Engine.retentionDependentsMax,
            try !isNamedByUnfinished(job, record, transaction)
        else { return false }
        var last: JobID?
        while let key = try nextDependent(of: job, record, after: last, transaction) {
            effects.steps += 1
            last = key.dependent
            if let dependent = try self.record(of: key.dependent, transaction), !dependent.state.isFinished {
                return false
            }
        }
        return true
    }
}
