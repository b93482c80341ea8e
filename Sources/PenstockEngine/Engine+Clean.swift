import LMDB
import PenstockWire

/// Removing the jobs of a queue: drain, clean, obliterate. They follow no dependency.
extension Engine {
    struct CleanFlags: OptionSet {
        let rawValue: UInt64
        /// Leased jobs are taken, too.
        static let takesLeased = CleanFlags(rawValue: 1 << 0)
        /// The bound is a time: of finished jobs, the latest end in elapsed time; of others, the latest add in wall time.
        /// Else it is the id of the first job that was added too late.
        static let hasAge = CleanFlags(rawValue: 1 << 1)
    }

    /// Entries, of other queues too, that a walk may pass for one step.
    private static let passedPerStep = 16

    mutating func clean(
        _ request: Clean,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(PlanError) {
        guard let queue = queueIDs[request.queue] else {
            throw .refused(
                WireError(
                    .queueNotFound,
                    "There is no queue \(Names.quoted(request.queue)): nothing was added to it or set of it, and no worker asked for its jobs."
                )
            )
        }
        switch request.kind {
        case .drain(let delayedToo): clean(queue, delayedToo ? [.waiting, .delayed] : [.waiting])
        case .clean(let state, let age, let limit):
            clean(queue, [state], olderThan: age, limit: limit == 0 ? .max : limit)
        case .obliterate(let force):
            if !force, let job = try leasedJob({ $0.queue == queue }, transaction) { throw .refused(leased(job)) }
            if settings[queue]?.isPaused == true { tell(.resumed, queue, &result) }
            try planning { () throws(LMDBError) in try forgetSettings(of: queue, &transaction, &result) }
            var ids = Effect(.forgetDeduplications, UInt64(queue.rawValue))
            ids.bound = meta.nextJob
            effects.append(ids)
            effects.append(Effect(.forgetGroups, UInt64(queue.rawValue)))
            // Finished ones first: those that are cancelled here have to tell that before they go.
            let states: [JobState] = [
                .completed, .failed, .cancelled, .waitingChildren, .waiting, .delayed, .active,
            ]
            clean(queue, states, force ? .takesLeased : [])
        }
        // What other commands left to do comes before it: nothing is removed that has still to tell how it ended.
        if meta.openSettlements > 0 { effects.limit = 0 }
        effects.isCleaning = true
    }

    private mutating func clean(
        _ queue: QueueID,
        _ states: [JobState],
        olderThan age: UInt64 = 0,
        limit: UInt32 = .max,
        _ flags: CleanFlags = []
    ) {
        for state in states {
            let flags = age > 0 ? flags.union(.hasAge) : flags
            let subject = UInt64(queue.rawValue) | UInt64(state.rawValue) << 32 | flags.rawValue << 40
            var effect = Effect(.clean, subject)
            let now = state.isFinished ? meta.elapsed : meta.wall
            effect.bound = age > 0 ? now - min(age, now) : meta.nextJob
            effect.left = limit
            effects.append(effect)
        }
    }

    mutating func clean(
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Effect? {
        var rest = effect
        let queue = QueueID(UInt32(truncatingIfNeeded: effect.subject))
        let flags = CleanFlags(rawValue: effect.subject >> 40)
        guard let state = JobState(rawValue: UInt8(truncatingIfNeeded: effect.subject >> 32)) else { return nil }
        var passed = 0
        while rest.left > 0, queues[Int(queue.rawValue) - 1].counts[state] > 0 {
            if effects.isExhausted { return rest }
            guard let job = try nextJob(of: queue, in: state, after: &rest, transaction) else { break }
            passed += 1
            if passed % Engine.passedPerStep == 0 { effects.steps += 1 }
            guard let record = try record(of: job, transaction), record.queue == queue, record.state == state,
                !isStaged(job)
            else { continue }
            if flags.contains(.hasAge) {
                let time = state.isFinished ? record.due : record.createdAt
                // Of finished jobs the oldest come first.
                if time > rest.bound && state.isFinished { break }
                if time > rest.bound { continue }
            } else if job.rawValue >= rest.bound {
                continue
            }
            if !flags.contains(.takesLeased) && isLeased(job, record) { continue }
            if rest.left != .max { rest.left -= 1 }
            try take(record, job, &transaction, &result)
        }
        return nil
    }

    /// Removes a job from its queue. One that has not finished is cancelled before its dependents lose it.
    private mutating func take(
        _ stored: JobRecord,
        _ job: JobID,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        effects.steps += 1
        effects.touched += 1
        let removal = try removal(of: job, stored, &transaction)
        guard stored.dependents > 0 else {
            if let rest = try remove(removal, &transaction, &result) { effects.append(rest) }
            return
        }
        if !stored.state.isFinished {
            var record = stored
            // Its flow does not fail with a job that is removed from it.
            record.flags.remove(.isSink)
            try cancel(&record, of: job, "It was removed from its queue.", &transaction, &result)
        }
        // Behind all that has to be told before.
        effects.append(removal)
    }

    /// The next entry of what the walk goes over: the index of the state, or, of active jobs, the leases of all queues.
    private mutating func nextJob(
        of queue: QueueID,
        in state: JobState,
        after effect: inout Effect,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> JobID? {
        switch state {
        case .waiting:
            let turn = Turn(priority: UInt32(truncatingIfNeeded: effect.cursor), place: effect.detail)
            let last = ReadyKey(queue, GroupID(UInt32(effect.cursor >> 32)), turn)
            guard let entry = try transaction.entry(after: last, in: tables.ready), let key = entry.key,
                key.queue == queue
            else { return nil }
            effect.cursor = UInt64(key.group.rawValue) << 32 | UInt64(key.turn.priority)
            effect.detail = key.turn.place
            let value = entry.value
            return try decode { () throws(WireError) in try JobID(value: value) }
        case .active:
            guard let next = try transaction.entry(after: effect.cursor, in: tables.leases)?.key else { return nil }
            effect.cursor = next
            return JobID(next)
        case .delayed, .waitingChildren, .completed, .failed, .cancelled:
            let key = JobListKey(queue, state, time: effect.cursor, job: JobID(effect.detail))
            guard let next = try transaction.entry(after: key, in: tables.jobLists)?.key, next.queue == queue,
                next.state == state.rawValue
            else { return nil }
            (effect.cursor, effect.detail) = (next.time, next.job.rawValue)
            return next.job
        }
    }
}
