import LMDB
import PenstockWire

/// What is set of queues, and what follows from it for adds. The dispatcher sees to the rest.
extension Engine {
    private static let settingsVersion: UInt8 = 1

    // MARK: Settings

    mutating func setQueue(
        _ request: SetQueue,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(PlanError) {
        try planning { () throws(LMDBError) in
            let queue = makeQueue(request.queue, &result)
            var settings = settings[queue] ?? .standard
            let wasPaused = settings.isPaused
            settings.change(request.given, to: request.settings)
            if settings.isPaused != wasPaused { tell(settings.isPaused ? .paused : .resumed, queue, &result) }
            guard settings != .standard else { return try forgetSettings(of: queue, &transaction, &result) }
            self.settings[queue] = settings
            result.changedQueues.append((queue, settings))
            scratch.removeAll()
            scratch.u32(0)
            scratch.u8(Engine.settingsVersion)
            settings.encode(into: &scratch)
            try transaction.put(scratch.span, for: UInt64(queue.rawValue), in: tables.queueSettings)
        }
    }

    /// The queue is as one of which nothing was ever set.
    mutating func forgetSettings(
        of queue: QueueID,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard settings.removeValue(forKey: queue) != nil else { return }
        result.changedQueues.append((queue, .standard))
        _ = try transaction.delete(UInt64(queue.rawValue), in: tables.queueSettings)
    }

    mutating func loadSettings(_ transaction: borrowing WriteTransaction) throws(LMDBError) {
        settings.removeAll()
        var cursor = try transaction.cursor(in: tables.queueSettings)
        var entry = try cursor.first()
        while let found = entry {
            guard let key = found.key else { throw LMDBError(.corrupted, in: .get) }
            let value = found.value
            settings[QueueID(UInt32(truncatingIfNeeded: key))] = try decode { () throws(WireError) in
                try QueueSettings(row: value)
            }
            entry = try cursor.next()
        }
    }

    // MARK: Adds

    /// What the nodes do not give of options is as their queue says.
    func giveDefaults(to decoder: inout AddDecoder) {
        for (index, queue) in plan.queues.enumerated() {
            guard let defaults = settings[queue]?.defaults, defaults != .default else { continue }
            decoder.defaults[UInt16(index)] = defaults
        }
    }

    /// Refuses an add that makes a queue longer than it may be.
    ///
    /// Runs of schedulers and what a worker adds under its lease are not asked: the one has a bound of its own, and to
    /// refuse the other could hold up the jobs that would make room.
    ///
    /// - Parameter isLast: the last part of a large add: the queues of the others may have grown meanwhile.
    func checkLengths(isLast: Bool = false) throws(PlanError) {
        guard !settings.isEmpty else { return }
        for queue in plan.queues { try checkLength(of: queue) }
        guard isLast, let staging else { return }
        for entry in staging.counts { try checkLength(of: entry.queue) }
    }

    private func checkLength(of queue: QueueID) throws(PlanError) {
        guard let maximum = settings[queue]?.maxLength, maximum > 0 else { return }
        let replaced = plan.holds.count { $0.replacedJob != nil && plan.queues[Int($0.queue)] == queue }
        let added = plan.nodes.count { !$0.isExisting && plan.queues[Int($0.fields.queue)] == queue } - replaced
        let staged = staging?.counts.first { $0.queue == queue }?.counts.total ?? 0
        guard added > 0 || staged > 0 else { return }
        let counts = queues[Int(queue.rawValue) - 1].counts
        let length = Int(counts.total - counts.finished) + Int(staged) + added
        guard length > Int(maximum) else { return }
        let name = Names.quoted(queues[Int(queue.rawValue) - 1].name)
        throw .refused(
            WireError(
                .queueFull,
                "The queue \(name) would have \(length) unfinished jobs; at most \(maximum) are allowed."
            )
        )
    }

    // MARK: Promotion

    mutating func promote(
        _ request: Promote,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(PlanError) {
        switch request.target {
        case .job(let job):
            var record = try present(job, &transaction)
            guard record.state == .delayed else {
                throw .refused(
                    WireError(.wrongState, "Job \(job) is \(record.state); only a delayed job can be promoted.")
                )
            }
            try planning { () throws(LMDBError) in try promote(&record, of: job, &transaction, &result) }
        case .queue(let name):
            guard let queue = queueIDs[name] else {
                throw .refused(WireError(.queueNotFound, "There is no queue \(Names.quoted(name))."))
            }
            let last = try planning { () throws(LMDBError) -> JobListKey? in try lastDelayed(of: queue, transaction) }
            guard let last else { return }
            var effect = Effect(.promoteQueue, UInt64(queue.rawValue))
            effect.bound = last.time
            effects.append(effect)
        }
    }

    /// Makes a delayed job ready before its time.
    private mutating func promote(
        _ record: inout JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        effects.touched += 1
        try leaveIndex(record, of: job, &transaction)
        try makeReady(&record, of: job, &transaction, &result)
        try rewrite(record, of: job, &transaction)
    }

    /// The delayed job of the queue that is due last.
    private func lastDelayed(
        of queue: QueueID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> JobListKey? {
        var cursor = try transaction.cursor(in: tables.jobLists)
        var entry = try cursor.seek(to: JobListKey(queue, .delayed, time: .max, job: JobID(.max)))
        entry = entry == nil ? try cursor.last() : try cursor.previous()
        guard let key = entry?.key, key.queue == queue, key.state == JobState.delayed.rawValue else { return nil }
        return key
    }

    /// Goes up to what was due last when the command came: a job that is delayed again behind that is not taken again.
    mutating func promoteQueue(
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Effect? {
        var rest = effect
        let queue = QueueID(UInt32(truncatingIfNeeded: effect.subject))
        while true {
            let last = JobListKey(queue, .delayed, time: rest.cursor, job: JobID(rest.detail))
            guard let key = try transaction.entry(after: last, in: tables.jobLists)?.key, key.queue == queue,
                key.state == last.state, key.time <= rest.bound
            else { return nil }
            if effects.isExhausted { return rest }
            effects.steps += 1
            (rest.cursor, rest.detail) = (key.time, key.job.rawValue)
            guard var record = try record(of: key.job, transaction) else { throw LMDBError(.corrupted, in: .get) }
            try promote(&record, of: key.job, &transaction, &result)
        }
    }

    // MARK: Ready jobs by priority

    /// An entry came to the ready index, or left it.
    @inline(__always)
    mutating func countReady(_ queue: QueueID, _ priority: UInt32, by change: Int32) {
        // Nearly all jobs are of priority 0: they cost an addition, and those of others a row for each batch.
        if priority == 0 {
            queues[Int(queue.rawValue) - 1].mostUrgent &+= UInt32(bitPattern: change)
            markDirty(queue)
        } else {
            readyChanges[PriorityKey(queue, priority), default: 0] += change
        }
    }

    mutating func writeReadyChanges(_ transaction: inout WriteTransaction) throws(LMDBError) {
        for (key, change) in readyChanges where change != 0 {
            var count: UInt32 = 0
            if let bytes = try transaction.get(key, in: tables.priorities) {
                count = try decode { () throws(WireError) in
                    var reader = WireReader(bytes)
                    return try reader.u32()
                }
            }
            count &+= UInt32(bitPattern: change)
            if count == 0 {
                _ = try transaction.delete(key, in: tables.priorities)
            } else {
                scratch.removeAll()
                scratch.u32(count)
                try transaction.put(scratch.span, for: key, in: tables.priorities)
            }
        }
        readyChanges.removeAll(keepingCapacity: true)
    }
}

extension QueueSettings {
    /// `u32 checksum (0: none yet) | u8 version | QueueSettings`
    init(row: RawSpan) throws(WireError) {
        var reader = WireReader(row)
        _ = try reader.u32()
        _ = try reader.u8()
        self = try QueueSettings(from: &reader)
    }
}
