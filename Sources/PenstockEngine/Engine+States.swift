import LMDB
import PenstockWire

/// Changes of state, and what has to be kept in step with them: counts, indexes, effects.
extension Engine {
    /// Moves the record to a state and the counts of its queue and flow with it; the caller writes the record.
    mutating func move(
        _ record: inout JobRecord,
        of job: JobID,
        to state: JobState,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        let old = record.state
        record.state = state
        let queue = Int(record.queue.rawValue) - 1
        queues[queue].counts[old] -= 1
        queues[queue].counts[state] += 1
        markDirty(record.queue)
        if old == .waitingChildren {
            _ = try transaction.delete(JobListKey(record.queue, old, time: 0, job: job), in: tables.jobLists)
        } else if state == .waitingChildren {
            try putEmpty(JobListKey(record, job), in: tables.jobLists, &transaction)
        }
        if state.isFinished {
            record.finishedAt = meta.wall
            result.finishedJobs.append(job)
        } else if old.isFinished {
            record.finishedAt = 0
        }
        if record.flow != .none { try moveInFlow(record, from: old, &transaction, &result) }
    }

    private mutating func moveInFlow(
        _ record: JobRecord,
        from old: JobState,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard try open(record.flow, &transaction) else { return }
        let state = record.state
        openFlow!.record.counts[old] -= 1
        openFlow!.record.counts[state] += 1
        if old == .waitingChildren { openFlow!.record.heldEdges -= record.dependencies.held }
        if state == .waitingChildren { openFlow!.record.heldEdges += record.dependencies.held }
        guard state.isFinished || old.isFinished else { return }
        if record.fails(its: old) { openFlow!.record.failedSinks -= 1 }
        if record.fails(its: state) { openFlow!.record.failedSinks += 1 }
        if state.isFinished {
            finishFlow(record.flow, &result)
        } else {
            openFlow!.record.finishedAt = 0
            // What comes of it now is seen from the jobs that are left.
            openFlow!.record.flags.subtract([.isCancelled, .hasFailed])
        }
    }

    /// Ends the flow that is open if none of its jobs is unfinished.
    mutating func finishFlow(_ flow: FlowID, _ result: inout BatchResult) {
        guard openFlow!.record.unfinished == 0 else { return }
        openFlow!.record.finishedAt = meta.wall
        if openFlow!.record.settling == 0 { result.finishedFlows.append(flow) }
    }

    mutating func markDirty(_ queue: QueueID) {
        let index = Int(queue.rawValue) - 1
        if !queues[index].isDirty {
            queues[index].isDirty = true
            dirtyQueues.append(queue)
        }
    }

    /// Draws the next place of a job: at the tail, or before the head for a lifo job that has not failed yet.
    mutating func drawPlace(_ flags: JobRecord.Flags) -> UInt64 {
        if flags.contains(.lifo) && !flags.contains(.isRetry) {
            meta.falling -= 1
            return meta.falling + 1
        }
        meta.rising += 1
        return meta.rising - 1
    }

    /// Makes a job ready that is in no index now; the caller writes the record.
    mutating func makeReady(
        _ record: inout JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        if record.place == 0 { record.place = drawPlace(record.flags) }
        record.due = meta.elapsed
        if record.state != .waiting { try move(&record, of: job, to: .waiting, &transaction, &result) }
        let entry = ReadyEntry(queue: record.queue, group: record.group, turn: record.turn, job: job)
        try putReady(entry, &transaction)
        result.ready.append(entry)
        if interest.isOn { try tell(.waiting, job, record, transaction, &result) }
        if record.marks.contains(.hasTTL) { try beginStartLimit(record, of: job, &transaction) }
    }

    /// Makes a job wait for a time; it is in no index now, and the caller writes the record.
    mutating func delay(
        _ record: inout JobRecord,
        of job: JobID,
        by milliseconds: UInt64,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        record.due = meta.elapsed + milliseconds
        if record.state != .delayed { try move(&record, of: job, to: .delayed, &transaction, &result) }
        try putDelayed(record, job, &transaction)
        try tell(.delayed, job, record, with: .delay(milliseconds), transaction, &result)
    }

    mutating func putDelayed(
        _ record: JobRecord,
        _ job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        try putEmpty(DelayedKey(due: record.due, job: job), in: tables.delayed, &transaction)
        try putEmpty(JobListKey(record, job), in: tables.jobLists, &transaction)
    }

    mutating func deleteDelayed(
        _ record: JobRecord,
        _ job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        _ = try transaction.delete(DelayedKey(due: record.due, job: job), in: tables.delayed)
        _ = try transaction.delete(JobListKey(record, job), in: tables.jobLists)
    }

    /// Brings a job back that is in no index now: to waiting-children while an edge counts, else to its queue, at once
    /// or after a wait. The caller writes the record.
    ///
    /// A wait begins at the release: waiting-children keeps it for so long.
    mutating func comeBack(
        _ record: inout JobRecord,
        of job: JobID,
        after wait: UInt64 = 0,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        if record.dependencies.counting > 0 {
            try move(&record, of: job, to: .waitingChildren, &transaction, &result)
            record.due = wait
            try tell(.waitingChildren, job, record, transaction, &result)
        } else if wait > 0 {
            try delay(&record, of: job, by: wait, &transaction, &result)
        } else {
            try makeReady(&record, of: job, &transaction, &result)
        }
    }

    /// Takes a job out of the index that its state keeps it in.
    mutating func leaveIndex(
        _ record: JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        switch record.state {
        case .waiting:
            if try transaction.delete(ReadyKey(record), in: tables.ready) {
                countReady(record.queue, record.priority, by: -1)
                if record.group != .none { count(GroupKey(record.queue, record.group), ready: -1) }
            }
        case .delayed:
            try deleteDelayed(record, job, &transaction)
            if record.marks.contains(.isTimed) { _ = try leaveTimed(record, of: job, &transaction) }
        case .active: _ = try transaction.delete(job.rawValue, in: tables.leases)
        case .waitingChildren, .completed, .failed, .cancelled: break
        }
    }

    /// Releases a job whose edges that count are all resolved; the caller writes the record.
    ///
    /// What it was to wait for when it came back begins now. The delay of its options comes before its first attempt:
    /// a job that has started once is not delayed by it again.
    mutating func release(
        _ record: inout JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        if let time = try wallTime(record, of: job, transaction) {
            return try delay(&record, of: job, until: time, &transaction, &result)
        }
        var wait = record.due
        if record.flags.contains(.hasDelay) && record.attemptsStarted == 0 {
            wait = try payloadDelay(record, of: job, transaction)
        }
        if wait > 0 {
            try delay(&record, of: job, by: wait, &transaction, &result)
        } else {
            try makeReady(&record, of: job, &transaction, &result)
        }
    }

    private mutating func payloadDelay(
        _ record: JobRecord,
        of job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> UInt64 {
        guard let bytes = try transaction.get(job.rawValue, in: tables.payloads) else { return 0 }
        return try decode { () throws(WireError) in try PayloadRow(bytes, of: record).delay }
    }

    // MARK: Delayed jobs

    /// Delayed jobs made ready in one command: beyond it, the next batch goes on.
    static let promotedPerCommandMax = 1000

    mutating func promote(_ transaction: inout WriteTransaction, _ result: inout BatchResult) throws(LMDBError) {
        for _ in 0..<Engine.promotedPerCommandMax {
            guard let key = try firstDelayed(transaction), key.due <= meta.elapsed else { return }
            guard var record = try record(of: key.job, transaction), record.state == .delayed, record.due == key.due
            else {
                _ = try transaction.delete(key, in: tables.delayed)
                continue
            }
            try deleteDelayed(record, key.job, &transaction)
            if let time = try leaveTimed(record, of: key.job, &transaction) {
                // Not before its time, if the wall clock was set back meanwhile.
                try delay(&record, of: key.job, until: time, &transaction, &result)
            } else {
                try makeReady(&record, of: key.job, &transaction, &result)
            }
            try rewrite(record, of: key.job, &transaction)
        }
    }

    mutating func nextDue(_ transaction: borrowing WriteTransaction) throws(LMDBError) -> UInt64 {
        try firstDelayed(transaction)?.due ?? .max
    }

    private mutating func firstDelayed(_ transaction: borrowing WriteTransaction) throws(LMDBError) -> DelayedKey? {
        try transaction.entry(atOrAfter: DelayedKey(due: 0, job: .none), in: tables.delayed)?.key
    }
}

extension JobRecord {
    /// True where the job's being in the state makes its flow a failed one.
    func fails(its state: JobState) -> Bool {
        (state == .failed || state == .cancelled) && flags.contains(.isSink) && !marks.contains(.isSkipped)
    }
}
