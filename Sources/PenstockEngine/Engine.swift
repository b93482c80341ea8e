package import LMDB
package import PenstockWire

/// What the durable commands mean: a state machine over the tables of a database.
///
///     (state, batch) -> (state, outcomes and effects)
///
/// One batch is one write transaction. The engine reads no clock and draws no
/// random number (both come with the batch), so the same batches give the same
/// database. A command is validated before its first write: it is applied whole,
/// or refused whole and costs its neighbours nothing.
///
/// One thread owns an engine: the writer. What it keeps in memory is what every
/// batch needs (counters, queues) and scratch space that is used again.
package struct Engine: ~Copyable {
    package let environment: Environment
    let tables: Tables

    /// As of the last commit, and while a batch is applied, as of its last command.
    var meta: MetaRecord
    /// By id, from 1 on: `queues[id - 1]`.
    var queues: [QueueRecord] = []
    var queueIDs: [String: QueueID] = [:]
    /// The queue that an add named last; id 0 for none.
    var lastQueue: (name: [UInt8], id: QueueID) = ([], QueueID(0))
    /// Queues whose row is to be written at the end of the batch.
    var dirtyQueues: [QueueID] = []
    /// The settings of the queues of which something was set.
    package internal(set) var settings: [QueueID: QueueSettings] = [:]
    /// How many ready jobs more there are of a priority than the database knows; none of priority 0.
    var readyChanges: [PriorityKey: Int32] = [:]
    /// How many jobs more there are in groups than the database knows.
    var groupChanges: [GroupKey: GroupChange] = [:]
    /// The live leases as of the hand-over of the batch: the job at each slot.
    var leaseSet = LeaseSet()

    /// Jobs that were withdrawn by commits that the dispatcher may not know of.
    var withdrawals = Withdrawals()

    /// The flow that was last touched, not yet written: neighbours in a batch often share one.
    var openFlow: OpenFlow?
    /// What the command that is being applied still does to other jobs.
    var effects = Effects()
    package var effectLimits = EffectLimits()
    /// Jobs and edges that the batch's commands have reached so far.
    var stepsOfBatch = 0
    /// The settlement whose effects are being carried out, not yet written.
    var openSettlement: (id: UInt64, record: SettlementRecord)?
    var outcomes = OutcomeGatherer()
    /// What somebody listens to.
    var interest = EventInterest()
    /// The ids that large adds have set aside, in order: nobody sees those jobs and flows yet.
    var stagedRanges: [StagedRange] = []
    /// The large add of which a part is being applied.
    var staging: StagedRecord?
    /// The nodes of one large add that stand for stored jobs, in order; `add` is its first job.
    var stagedExisting: (add: JobID, nodes: [(node: UInt32, job: JobID)]) = (.none, [])
    /// Nil where they have to be looked up.
    var nextRuns: NextRuns?
    /// Elapsed time; nil where it has to be looked up.
    var nextDeduplicationEnd: UInt64?
    /// False: no scheduler owes a run.
    var mayOweRuns = true
    var plan = AddPlan()
    /// A record on its way to a table.
    var scratch = WireWriter(capacity: 256)
    var random = SplitMix64(seed: 0)
    /// The last session that was looked at for its age.
    var expiryCursor = SessionID(high: 0, low: 0)

    /// How long finished jobs are kept. The owner sets it at the start.
    package var retentionRules = RetentionRules()
    var retentionWalk = RetentionWalk()

    /// True: adds are refused as `full`, everything else is taken. The owner sets it between two batches.
    package var isOverQuota = false

    struct OpenFlow {
        var id: FlowID
        var record: FlowRecord
    }

    /// Opens the engine over an environment that was opened with ``Tables/names``, and raises the epoch.
    ///
    /// - Parameters:
    ///   - wall: wall time in milliseconds: elapsed time goes on by what has passed, at most seven days.
    ///   - database: the id of the database, if it has to be made.
    /// - Throws: `EngineError.newerFormat`; nothing was changed then.
    package init(_ environment: Environment, wall: UInt64, database: SessionID) throws(EngineError) {
        self.environment = environment
        tables = Tables(environment)
        meta = MetaRecord(database: database)
        try start(wall: wall)
    }

    package var epoch: UInt64 { meta.epoch }
    package var database: SessionID { meta.database }
    package var elapsed: UInt64 { meta.elapsed }
    /// True where large effects are still to be carried out, by `carryOn` commands.
    package var isSettling: Bool { meta.openSettlements > 0 }

    /// The most that elapsed time goes on over a stop: seven days.
    static let stoppedMillisecondsMax: UInt64 = 7 * 86_400_000

    private mutating func start(wall: UInt64) throws(EngineError) {
        let environment = environment
        do throws(LMDBError) {
            var transaction = try environment.beginWrite()
            var stored: MetaRecord?
            if let bytes = try transaction.get(0, in: tables.meta) {
                stored = try decode { () throws(WireError) in try MetaRecord(bytes) }
            }
            if let stored { meta = stored }
            guard meta.format <= MetaRecord.format else {
                throw LMDBError(.versionMismatch, in: .get)
            }
            if stored != nil && wall > meta.wall {
                let stopped = min(wall - meta.wall, Engine.stoppedMillisecondsMax)
                meta.elapsed += stopped
                try postponeAttemptEnds(by: stopped, &transaction)
            }
            meta.wall = wall
            meta.epoch += 1
            try put(meta, in: &transaction)
            try transaction.commit()
        } catch {
            if error.code == .versionMismatch { throw .newerFormat(found: meta.format, known: MetaRecord.format) }
            if error.code == .corrupted { throw .damaged("the row of its counters can't be read") }
            throw .lmdb(error)
        }
        try loadQueues()
        try loadStaged()
    }

    /// What was left of the time of an attempt when the server stopped is left now.
    private mutating func postponeAttemptEnds(
        by milliseconds: UInt64,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        var last: UInt64 = 0
        while let (job, stored) = try lease(after: last, transaction) {
            last = job
            guard stored.attemptEnd > 0 else { continue }
            var lease = stored
            lease.attemptEnd += milliseconds
            scratch.removeAll()
            lease.encode(into: &scratch)
            try transaction.put(scratch.span, for: job, in: tables.leases)
        }
    }

    private func lease(
        after job: UInt64,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> (job: UInt64, lease: LeaseRecord)? {
        guard let entry = try transaction.entry(after: job, in: tables.leases), let job = entry.key else { return nil }
        let value = entry.value
        return (job, try decode { () throws(WireError) in try LeaseRecord(value) })
    }

    /// Applies the batch in one transaction and makes it durable.
    ///
    /// - Throws: `EngineError.full`: nothing was committed; call again with
    ///   `refusingAdds`. Anything else: the outcome is not known, answer nobody and
    ///   end the process.
    package mutating func apply(
        _ batch: borrowing Batch,
        refusingAdds: Bool = false,
        into result: inout BatchResult
    ) throws(EngineError) {
        result.removeAll()
        outcomes.removeAll()
        let before = meta
        let cursorBefore = expiryCursor
        leaseSet.begin()
        let walkBefore = retentionWalk
        let interestBefore = interest
        withdrawals.settle(batch.settled)
        let withdrawalsBefore = withdrawals.count
        random = SplitMix64(seed: batch.seed)
        do throws(EngineError) {
            try commit(batch, refusingAdds: refusingAdds, into: &result)
        } catch {
            // Nothing of the batch is in the database, so nothing may be in memory.
            meta = before
            expiryCursor = cursorBefore
            retentionWalk = walkBefore
            interest = interestBefore
            withdrawals.truncate(to: withdrawalsBefore)
            leaseSet.undo()
            openFlow = nil
            openSettlement = nil
            staging = nil
            nextRuns = nil
            nextDeduplicationEnd = nil
            mayOweRuns = true
            dirtyQueues.removeAll()
            readyChanges.removeAll()
            groupChanges.removeAll()
            result.removeAll()
            if case .lmdb(let error) = error {
                guard case .full = environment.classify(error) else { throw .lmdb(error) }
                try loadQueues()
                try loadStaged()
                throw .full
            }
            throw error
        }
    }

    private mutating func commit(
        _ batch: borrowing Batch,
        refusingAdds: Bool,
        into result: inout BatchResult
    ) throws(EngineError) {
        let environment = environment
        do throws(LMDBError) {
            var transaction = try environment.beginWrite()
            result.commit = transaction.id
            meta.elapsed = max(meta.elapsed, batch.elapsed)
            meta.wall = batch.wall
            // The set of the hand-over; to apply the changes again, as after `full`, changes nothing.
            leaseSet.apply(batch.slotChanges)
            for index in batch.commands.indices {
                try apply(batch, at: index, refusingAdds: refusingAdds, &transaction, &result)
                if interest.isOn { try tellFinishedFlows(&transaction, &result) }
            }
            try retainBesides(batch.commands.count, &transaction, &result)
            try releaseOwed(&transaction, result)
            try flushFlow(&transaction)
            try writeDirtyQueues(&transaction, &result)
            try writeOutcomes(&transaction, into: &result)
            try put(meta, in: &transaction)
            result.nextDue = try nextDue(transaction)
            result.nextTimed = try nextTimed(transaction)?.due ?? .max
            result.nextStartLimit = try nextStartLimit(transaction)?.due ?? .max
            result.nextDeduplicationEnd = try findNextDeduplicationEnd(transaction)
            result.nextRuns = try findNextRuns(transaction)
            result.isSettling = meta.openSettlements > 0
            result.commandCount = batch.commands.count
            try transaction.commit()
        } catch {
            throw .lmdb(error)
        }
    }

    private mutating func apply(
        _ batch: borrowing Batch,
        at index: Int,
        refusingAdds: Bool,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        let command = batch.commands[index]
        let place = UInt32(index)
        // Many commands of one batch may each have large effects: beyond a bound they become settlements sooner.
        stepsOfBatch = index == 0 ? 0 : stepsOfBatch + effects.steps
        effects.begin(limit: stepsOfBatch < 2 * effectLimits.steps ? effectLimits.steps : effectLimits.sliceSteps)
        switch command.kind {
        case .complete, .fail:
            let status = try finishAttempt(command, batch.arena.span, &transaction, &result)
            if status == .ok {
                outcomes.succeed(command, at: place)
            } else {
                outcomes.refuse(command, at: place, status)
            }
            result.freedSlots.append(command.slot)
        case .addHeld, .addCompleting, .move:
            let body = batch.arena.span.extracting(command.body)
            let mayAdd = !refusingAdds && !isOverQuota
            try applyHeld(command, at: place, body, batch.arena.span, mayAdd: mayAdd, &transaction, &result)
        case .add:
            if refusingAdds || isOverQuota {
                outcomes.refuse(command, at: place, .full)
            } else {
                try add(command, at: place, batch.arena.span.extracting(command.body), &transaction, &result)
            }
        case .report:
            let body = batch.arena.span.extracting(command.body)
            try report(command, at: place, body, isFull: refusingAdds || isOverQuota, &transaction, &result)
        case .cancel, .retry, .finish, .resolve, .remove, .clean, .update, .clearLogs, .setQueue, .promoteJobs,
            .removeDeduplication, .setGroup:
            let body = batch.arena.span.extracting(command.body)
            let isFull = refusingAdds || isOverQuota
            try applyFlowCommand(command, at: place, body, isFull: isFull, &transaction, &result)
        case .stage:
            let body = batch.arena.span.extracting(command.body)
            try stage(command, at: place, body, isFull: refusingAdds || isOverQuota, &transaction, &result)
        case .setScheduler:
            let body = batch.arena.span.extracting(command.body)
            try setScheduler(command, at: place, body, isFull: refusingAdds || isOverQuota, &transaction)
        case .removeScheduler:
            try removeScheduler(command, at: place, batch.arena.span.extracting(command.body), &transaction)
        case .runScheduler:
            let body = batch.arena.span.extracting(command.body)
            try runScheduler(body, isFull: refusingAdds || isOverQuota, &transaction, &result)
        case .refuse:
            let message = try? batch.arena.span.string(command.body, "message")
            outcomes.refuse(command, at: place, WireError(command.status, message ?? ""))
        case .openSession:
            try openSession(command, &transaction, &result)
        case .endSession:
            try endSession(command, &transaction, &result)
        case .confirm:
            try confirm(command, &transaction)
        case .makeQueue:
            if let name = String(validating: batch.arena.span.extracting(command.body)) { _ = makeQueue(name, &result) }
        case .writeLease:
            try writeLease(command, &transaction, &result)
        case .returnLease:
            try returnLease(command, batch.arena.span, isStall: false, &transaction, &result)
            result.freedSlots.append(command.slot)
        case .stall:
            try returnLease(command, batch.arena.span, isStall: true, &transaction, &result)
            result.freedSlots.append(command.slot)
        case .timeOut:
            try timeOut(command, batch.arena.span, &transaction, &result)
            result.freedSlots.append(command.slot)
        case .expire:
            try expire(&transaction, &result)
            try sweepDeduplications(&transaction)
        case .promote:
            try promote(&transaction, &result)
            try promoteTimed(&transaction, &result)
        case .expireSessions:
            try expireSessions(&transaction, &result)
        case .carryOn:
            result.hasCarriedOn = true
            try carryOn(effectLimits.sliceSteps, &transaction, &result)
        case .retain:
            result.hasRetained = true
            try retain(effectLimits.sliceSteps, &transaction, &result)
        case .listen:
            try listen(batch.arena.span.extracting(command.body), isOn: true, &result)
        case .unlisten:
            try listen(batch.arena.span.extracting(command.body), isOn: false, &result)
        }
    }
}

/// Why the engine could not do its work.
package enum EngineError: Error, Sendable, CustomStringConvertible {
    case lmdb(LMDBError)
    /// There is no room; nothing of the batch was committed.
    case full
    case newerFormat(found: UInt32, known: UInt32)
    /// A row that this server wrote can't be read.
    case damaged(String)

    package var description: String {
        switch self {
        case .lmdb(let error): "the database answered: \(error)"
        case .full: "the database has no room"
        case .newerFormat(let found, let known):
            "the database has format \(found), and this server knows formats up to \(known): use a newer server"
        case .damaged(let what): "the database is damaged: \(what)"
        }
    }
}

/// A small generator of numbers that look random: the same seed gives the same ones.
///
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
