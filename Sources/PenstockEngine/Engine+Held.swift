import LMDB
import PenstockWire

/// Commands of the worker that holds a job: it adds to the job, completes it and adds what follows, or puts it off.
///
/// Adding leaves the lease as it is. Whether the other two end it is known here
/// only: until then the dispatcher keeps the slot, and the result tells it that
/// the slot is free, or that the lease goes on.
extension Engine {
    mutating func applyHeld(
        _ command: Command,
        at index: UInt32,
        _ body: RawSpan,
        _ arena: RawSpan,
        mayAdd: Bool,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        var hasEnded = true
        if let record = try leased(command, transaction) {
            do throws(PlanError) {
                if command.kind == .move {
                    hasEnded = try move(command, record, at: index, body, arena, &transaction, &result)
                } else if mayAdd {
                    hasEnded = try add(command, record, at: index, body, arena, &transaction, &result)
                } else {
                    outcomes.refuse(command, at: index, .full)
                    hasEnded = false
                }
            } catch {
                switch error {
                case .refused(let error):
                    outcomes.refuse(command, at: index, error)
                    hasEnded = false
                case .lmdb(let error): throw error
                }
            }
        } else {
            outcomes.refuse(command, at: index, .fenced)
        }
        guard command.kind != .addHeld else { return }
        if hasEnded {
            leaseSet.end(command.slot, of: command.job)
            result.freedSlots.append(command.slot)
        } else {
            result.keptSlots.append(command.slot)
        }
    }

    // MARK: Adding

    /// Adds, and completes the job where the command says so.
    ///
    /// A job that waits for what it added before can't complete: its attempt fails, as with any other completion.
    ///
    /// - Returns: true where the lease has ended.
    private mutating func add(
        _ command: Command,
        _ stored: JobRecord,
        at index: UInt32,
        _ body: RawSpan,
        _ arena: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(PlanError) -> Bool {
        let head = try reading { () throws(WireError) in try HeldAdd.Head(body) }
        let completes = command.kind == .addCompleting
        if completes && stored.dependencies.counting > 0 {
            try planning { () throws(LMDBError) in
                var record = stored
                try failUnresolved(&record, command, arena, &transaction, &result)
                try carryOutEffects(&transaction, &result)
            }
            outcomes.refuse(command, at: index, .unresolvedDependencies)
            return true
        }
        let items = body.extracting(head.tail)
        let held = AddPlan.Held(
            job: command.job,
            flow: stored.flow,
            position: stored.dependencies.positions,
            context: head.action.context
        )
        try makePlan(items, heldBy: held, transaction)
        try planning { () throws(LMDBError) in
            try writePlan(items, &transaction, &result)
            try hangChildren(command, items, &transaction, &result)
            try hangEdges(&transaction, &result)
            if completes {
                // Before any effect of what was added: none of them can come to a job that has ended.
                var completion = command
                completion.contentType = head.contentType
                try complete(completion, body.extracting(head.result), &transaction, &result)
            }
            try settleFinished(&transaction, &result)
        }
        answer(command, at: index)
        return completes
    }

    private mutating func complete(
        _ command: Command,
        _ outcome: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        // What was added may depend on it: the record has learned of that.
        guard var record = try record(of: command.job, transaction) else { throw LMDBError(.corrupted, in: .get) }
        try complete(&record, command, outcome, &transaction, &result)
    }

    // MARK: Moving

    /// Puts the job off. Its attempt has started and does not count as made; it comes back at its place.
    ///
    /// Moved to waiting-children, it waits for every unprocessed edge, those that `continue` had let go of included;
    /// where there is none, the lease goes on. Moved to delayed while an edge counts, it waits for its dependencies
    /// first, and its delay begins at the release. Moved back because a rate was reached, it comes back at once, and its
    /// queue rests.
    ///
    /// - Returns: true where the lease has ended.
    private mutating func move(
        _ command: Command,
        _ stored: JobRecord,
        at index: UInt32,
        _ body: RawSpan,
        _ arena: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(PlanError) -> Bool {
        let request = try reading { () throws(WireError) in try Move.Head(body) }
        let moves = request.to != .waitingChildren || stored.dependencies.unprocessed > 0
        try planning { () throws(LMDBError) in
            if request.hasData {
                let data = Payload(request.contentType, body.array(request.data))
                try replaceData(of: command.job, stored, data, &transaction)
            }
            guard moves else { return }
            var record = stored
            try leaveIndex(record, of: command.job, &transaction)
            try endLease(&record, command, &transaction)
            try keepAttempt(
                &record,
                of: command.job,
                .moved,
                worker: arena.extracting(command.worker),
                finishedAt: meta.wall,
                &transaction
            )
            if request.to == .waitingChildren { try attach(&record, of: command.job, &transaction) }
            let wait = request.to == .delayed ? request.delay : 0
            try returnOrFail(&record, of: command.job, after: wait, &transaction, &result)
            if request.to == .rateLimited { result.limitedQueues.append((record.queue, request.delay)) }
        }
        outcomes.succeed(command, at: index, hasMoved: moves)
        return moves
    }
}
