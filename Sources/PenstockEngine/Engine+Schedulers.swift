import LMDB
import PenstockWire

/// Schedulers: what is added again and again.
///
/// The engine knows no calendar. The loop works out when a scheduler is due, and
/// tells with each occurrence the one that comes after; what is stored decides
/// whether the occurrence is still the next one, so that each has one run at most.
extension Engine {
    /// Missed runs that a scheduler can owe.
    package static let owedRunsMax: UInt32 = 1000

    // MARK: Commands of clients

    /// Sets a scheduler, or refuses that with nothing written. The body: ``SchedulerTimes``, then a SET_SCHEDULER's.
    mutating func setScheduler(
        _ command: Command,
        at index: UInt32,
        _ body: RawSpan,
        isFull: Bool,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        do throws(PlanError) {
            guard !isFull else { throw .refused(OutcomeGatherer.full) }
            let (times, message) = try timesOfSetting(body)
            let setting = body.extracting(message)
            let head = try schedulerHead(setting)
            let template = setting.extracting(head.tail)
            try makePlan(template: template, transaction)
            try planning { () throws(LMDBError) in
                guard try hasRoomForScheduler(head, setting, transaction) else {
                    return outcomes.refuse(command, at: index, .tooManySchedulers)
                }
                let outcome = try write(head, of: setting, times, &transaction)
                let start = outcomes.begin(command, at: index)
                var writer = WireWriter(capacity: 16)
                outcome.encode(into: &writer)
                outcomes.write(writer.span, of: command)
                outcomes.end(command, start)
            }
        } catch {
            switch error {
            case .refused(let error): outcomes.refuse(command, at: index, error)
            case .lmdb(let error): throw error
            }
        }
    }

    private func timesOfSetting(_ body: RawSpan) throws(PlanError) -> (SchedulerTimes, ByteRange) {
        do throws(WireError) {
            var reader = WireReader(body)
            let times = try SchedulerTimes(from: &reader)
            return (times, try reader.range(reader.remaining))
        } catch {
            throw .refused(error)
        }
    }

    private func schedulerHead(_ setting: RawSpan) throws(PlanError) -> SetScheduler.Head {
        do throws(WireError) {
            return try SetScheduler.Head(setting)
        } catch {
            throw .refused(error)
        }
    }

    private func hasRoomForScheduler(
        _ head: SetScheduler.Head,
        _ setting: RawSpan,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Bool {
        if try transaction.count(tables.schedulers) < PenstockWire.Limits.schedulersMax { return true }
        return try scheduler(setting.array(head.id), transaction) != nil
    }

    private mutating func write(
        _ head: SetScheduler.Head,
        of setting: RawSpan,
        _ times: SchedulerTimes,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> SchedulerOutcome {
        let id = setting.array(head.id)
        var record = SchedulerRecord(rule: head.rule, revision: transaction.id, times: times)
        let old = try scheduler(id, transaction)
        if let old {
            try takeDue(id, old, &transaction)
            record.runs = old.runs
            record.lastFlow = old.lastFlow
            record.lastJob = old.lastJob
            if head.rule.missedRuns == .all { record.owed = old.owed } else { try takeOwed(id, old, &transaction) }
            if old.hasOccurrences(of: head.rule) && old.times.due != 0 {
                record.times.due = old.times.due
                record.times.anchor = old.times.anchor
            }
        }
        record.goOn(to: record.times.due)
        if let old, record.owed == 0, old.owed > 0 { try takeOwed(id, old, &transaction) }
        try put(record, id, &transaction)
        try transaction.put(setting.extracting(head.tail), for: SchedulerKey(id), in: tables.schedulerTemplates)
        let next = record.next(elapsed: meta.elapsed, wall: meta.wall)
        return SchedulerOutcome(isNew: old == nil, next: next)
    }

    /// Ends a scheduler; what it has added stays.
    mutating func removeScheduler(
        _ command: Command,
        at index: UInt32,
        _ body: RawSpan,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        do throws(PlanError) {
            let name = try read(RemoveScheduler.self, body).id
            let id = Array(name.utf8)
            let record = try planning { () throws(LMDBError) in try scheduler(id, transaction) }
            guard let record else {
                throw .refused(WireError(.schedulerNotFound, "There is no scheduler \(Names.quoted(name))."))
            }
            try planning { () throws(LMDBError) in
                try takeDue(id, record, &transaction)
                try takeOwed(id, record, &transaction)
                _ = try transaction.delete(SchedulerKey(id), in: tables.schedulerTemplates)
                _ = try transaction.delete(SchedulerKey(id), in: tables.schedulers)
            }
            outcomes.succeed(command, at: index)
        } catch {
            switch error {
            case .refused(let error): outcomes.refuse(command, at: index, error)
            case .lmdb(let error): throw error
            }
        }
    }

    // MARK: Runs

    /// Carries out what the loop says of a scheduler that was due; nothing where it is not due any more.
    mutating func runScheduler(
        _ body: RawSpan,
        isFull: Bool,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        result.hasRunSchedulers = true
        let run = try decode { () throws(WireError) in try SchedulerRun(body) }
        guard var record = try scheduler(run.id, transaction), record.revision == run.revision else { return }
        let isOwed = run.occurrence == 0
        if isOwed {
            guard record.owed > 0, try transaction.get(SchedulerDueKey.owed(run.id), in: tables.schedulersDue) != nil
            else { return }
        } else {
            guard record.times.due == run.occurrence else { return }
            record.owed = min(record.owed + min(run.missed, Engine.owedRunsMax), Engine.owedRunsMax)
        }
        let isPending = try isUnfinished(record.lastRun, &transaction)
        let takesOwed = isOwed || !run.wantsRun && record.owed > 0
        let adds = !isPending && (run.wantsRun || takesOwed)
        // It stays due until there is room.
        guard !adds || !isFull else { return result.hasRunsWaitingForRoom = true }
        if isOwed { try setOwedDue(run.id, false, &transaction) } else { try takeDue(run.id, record, &transaction) }
        var next = isOwed ? record.times.due : run.next
        if adds {
            if takesOwed { record.owed -= 1 }
            if let error = try addTemplate(of: run.id, &record, &transaction, &result) {
                // It was found right when it was stored: so this server has a fault, or another one has written it. It
                // stops, until it is set again; all others go on.
                result.stoppedSchedulers.append((String(decoding: run.id, as: UTF8.self), error))
                (next, record.owed) = (0, 0)
            }
        }
        record.goOn(to: next)
        if record.owed > 0, let last = record.lastRun {
            try wait(run.id, for: last, &transaction)
        } else if record.rule.missedRuns == .all {
            // What it owed may have been due already.
            try setOwedDue(run.id, false, &transaction)
        }
        try put(record, run.id, &transaction)
    }

    /// Adds what the scheduler is to add.
    ///
    /// - Returns: what is wrong with its template; nil where it was added.
    private mutating func addTemplate(
        of id: [UInt8],
        _ record: inout SchedulerRecord,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> WireError? {
        let template = try template(of: id, transaction)
        do throws(PlanError) {
            try makePlan(template: template.rawSpan, transaction)
        } catch {
            switch error {
            case .refused(let error): return error
            case .lmdb(let error): throw error
            }
        }
        try writePlan(template.rawSpan, &transaction, &result)
        record.runs += 1
        record.lastFlow = plan.items[0].isFlow ? FlowID(meta.nextFlow - 1) : .none
        record.lastJob = plan.nodes[0].job
        return nil
    }

    private func template(
        of id: [UInt8],
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> [UInt8] {
        guard let bytes = try transaction.get(SchedulerKey(id), in: tables.schedulerTemplates) else {
            throw LMDBError(.corrupted, in: .get)
        }
        return [UInt8](copying: bytes)
    }

    /// True while what a run has added is there and has not finished.
    private mutating func isUnfinished(
        _ run: SchedulerRunKey?,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> Bool {
        guard let run else { return false }
        if run.isFlow {
            return try open(FlowID(run.id), &transaction) && !openFlow!.record.status.isFinished
        }
        guard let record = try record(of: JobID(run.id), transaction) else { return false }
        return !record.state.isFinished && !record.marks.contains(.isRemoved)
    }

    // MARK: Owed runs

    /// Makes due what owes a run and waited for one that has finished in this batch.
    mutating func releaseOwed(_ transaction: inout WriteTransaction, _ result: BatchResult) throws(LMDBError) {
        guard mayOweRuns, !(result.finishedJobs.isEmpty && result.finishedFlows.isEmpty) else { return }
        guard try transaction.count(tables.schedulerRuns) > 0 else { return mayOweRuns = false }
        for job in result.finishedJobs { try releaseOwed(SchedulerRunKey(job), &transaction) }
        for flow in result.finishedFlows { try releaseOwed(SchedulerRunKey(flow), &transaction) }
    }

    private mutating func releaseOwed(
        _ run: SchedulerRunKey,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard let id = try scheduler(waitingFor: run, transaction) else { return }
        _ = try transaction.delete(run, in: tables.schedulerRuns)
        try setOwedDue(id, true, &transaction)
    }

    private func scheduler(
        waitingFor run: SchedulerRunKey,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> [UInt8]? {
        guard let bytes = try transaction.get(run, in: tables.schedulerRuns) else { return nil }
        return [UInt8](copying: bytes)
    }

    private mutating func wait(
        _ id: [UInt8],
        for run: SchedulerRunKey,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        mayOweRuns = true
        try transaction.put(id.rawSpan, for: run, in: tables.schedulerRuns)
    }

    private mutating func setOwedDue(
        _ id: [UInt8],
        _ isDue: Bool,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        nextRuns = nil
        if isDue {
            try putEmpty(SchedulerDueKey.owed(id), in: tables.schedulersDue, &transaction)
        } else {
            _ = try transaction.delete(SchedulerDueKey.owed(id), in: tables.schedulersDue)
        }
    }

    /// Takes the owed runs of the record as stored out of their index.
    private mutating func takeOwed(
        _ id: [UInt8],
        _ record: SchedulerRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard record.owed > 0 else { return }
        try setOwedDue(id, false, &transaction)
        if let last = record.lastRun { _ = try transaction.delete(last, in: tables.schedulerRuns) }
    }

    // MARK: Rows

    func scheduler(
        _ id: [UInt8],
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> SchedulerRecord? {
        guard let bytes = try transaction.get(SchedulerKey(id), in: tables.schedulers) else { return nil }
        return try decode { () throws(WireError) in try SchedulerRecord(bytes) }
    }

    /// Writes the record, and its entry among those that become due.
    mutating func put(
        _ record: SchedulerRecord,
        _ id: [UInt8],
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        nextRuns = nil
        if record.times.due != 0 {
            let key = SchedulerDueKey(record.clock, due: record.times.due, id: id)
            try putEmpty(key, in: tables.schedulersDue, &transaction)
        }
        scratch.removeAll()
        record.encode(into: &scratch)
        try transaction.put(scratch.span, for: SchedulerKey(id), in: tables.schedulers)
    }

    /// Takes the record as stored out of those that become due.
    private mutating func takeDue(
        _ id: [UInt8],
        _ record: SchedulerRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        nextRuns = nil
        let key = SchedulerDueKey(record.clock, due: record.times.due, id: id)
        if record.times.due != 0 { _ = try transaction.delete(key, in: tables.schedulersDue) }
    }

    /// When schedulers are due next; looked up only where that may have changed.
    mutating func findNextRuns(_ transaction: borrowing WriteTransaction) throws(LMDBError) -> NextRuns {
        if let nextRuns { return nextRuns }
        let next = try tables.nextRuns(transaction)
        nextRuns = next
        return next
    }
}

extension SchedulerRecord {
    /// The next occurrence as wall time; 0: there is none left.
    func next(elapsed: UInt64, wall: UInt64) -> UInt64 {
        guard times.due != 0, clock == .elapsed else { return times.due }
        return times.due > elapsed ? wall + (times.due - elapsed) : wall
    }
}

extension WireError {
    fileprivate static let tooManySchedulers = WireError(
        .invalidRequest,
        "\(PenstockWire.Limits.schedulersMax) schedulers are set, which is the most: remove one before another is made."
    )
}
