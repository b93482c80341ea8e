import LMDB
import PenstockWire

/// Commands about jobs, flows and queues that exist, from any client: cancel, retry, finish by hand, resolve an edge by
/// hand, remove, update, clear logs, promote, set a queue or a group, free a deduplication id.
extension Engine {
    /// Applies the command, or refuses it with nothing written.
    ///
    /// - Parameter isFull: no new data is taken; all else is, for it may make room.
    mutating func applyFlowCommand(
        _ command: Command,
        at index: UInt32,
        _ body: RawSpan,
        isFull: Bool,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        do throws(PlanError) {
            switch command.kind {
            case .cancel: try cancel(read(Cancel.self, body), &transaction, &result)
            case .retry:
                let request = try read(Retry.self, body)
                if isFull && request.data != nil { throw .refused(OutcomeGatherer.full) }
                try retry(request, &transaction, &result)
            case .finish: try finish(read(Finish.self, body), &transaction, &result)
            case .resolve: try resolve(read(Resolve.self, body), &transaction, &result)
            case .remove: try remove(read(Remove.self, body), &transaction, &result)
            case .clean: try clean(read(Clean.self, body), &transaction, &result)
            case .update:
                let request = try read(Update.self, body)
                if isFull && request.data != nil { throw .refused(OutcomeGatherer.full) }
                try update(request, &transaction, &result)
            case .clearLogs: try clearLogs(read(ClearLogs.self, body), &transaction)
            case .setQueue: try setQueue(read(SetQueue.self, body), &transaction, &result)
            case .setGroup: try setGroup(read(SetGroup.self, body), &transaction, &result)
            case .promoteJobs: try promote(read(Promote.self, body), &transaction, &result)
            case .removeDeduplication:
                try removeDeduplication(read(RemoveDeduplication.self, body), &transaction, &result)
            default: preconditionFailure("\(command.kind) is no command about a flow")
            }
        } catch {
            switch error {
            case .refused(let error): return outcomes.refuse(command, at: index, error)
            case .lmdb(let error): throw error
            }
        }
        try carryOutEffects(&transaction, &result)
        switch command.kind {
        case .finish, .resolve, .update, .clearLogs, .setQueue, .setGroup: outcomes.succeed(command, at: index)
        default: outcomes.succeed(command, at: index, count: effects.touched)
        }
    }

    func read<Message: WireMessage>(_ type: Message.Type, _ body: RawSpan) throws(PlanError) -> Message {
        try reading { () throws(WireError) in try Message(body: body) }
    }

    // MARK: Cancel

    private mutating func cancel(
        _ request: Cancel,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(PlanError) {
        effects.reason = request.reason
        switch request.target {
        case .job(let job), .tree(let job):
            var record = try present(job, &transaction)
            guard !record.state.isFinished else { return }
            if case .tree = request.target {
                record.marks.insert(.isPruned)
                if record.flags.contains(.hasDependencies) {
                    effects.append(Effect(.prune, job.rawValue, detail: job.rawValue))
                }
            }
            try planning { () throws(LMDBError) in
                try cancel(&record, of: job, reason("It was cancelled"), &transaction, &result)
            }
        case .flow(let flow):
            try checkSettled(flow, &transaction)
            guard openFlow!.record.unfinished > 0 else { return }
            openFlow!.record.flags.formUnion([.isCancelled, .isCancelling])
            expect(openFlow!.record.unfinished)
            // It is marked even where the whole walk is left to later batches.
            try planning { () throws(LMDBError) in try note(flow, &transaction) }
            effects.append(Effect(.cancelFlow, flow.rawValue))
        }
    }

    // MARK: Retry

    private mutating func retry(
        _ request: Retry,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(PlanError) {
        let flags: RetryFlags = request.keepsCounters ? .keepsCounters : []
        switch request.target {
        case .job(let job):
            var record = try present(job, &transaction)
            try checkRetry(job, record, request.reruns, &transaction)
            try planning { () throws(LMDBError) in
                if let data = request.data { try replaceData(of: job, record, data, &transaction) }
                try retry(&record, of: job, flags, &transaction, &result)
            }
        case .flow(let flow):
            try checkSettled(flow, &transaction)
            expect(openFlow!.record.counts.finished)
            try planning { () throws(LMDBError) in try note(flow, &transaction) }
            effects.append(Effect(.retryFlow, flow.rawValue, detail: flags.rawValue))
        case .queue(let name):
            guard let queue = queueIDs[name] else {
                throw .refused(WireError(.queueNotFound, "There is no queue \(Names.quoted(name))."))
            }
            // Its jobs may be of any flow.
            guard meta.openSettlements == 0 else {
                throw .refused(
                    WireError(.settling, "A large effect is being carried out: try again when it has settled.")
                )
            }
            effects.append(Effect(retry: queue, in: .failed, flags))
            effects.append(Effect(retry: queue, in: .cancelled, flags))
        }
    }

    private mutating func checkRetry(
        _ job: JobID,
        _ record: JobRecord,
        _ reruns: Bool,
        _ transaction: inout WriteTransaction
    ) throws(PlanError) {
        guard record.state.isFinished, record.state != .completed || reruns else {
            throw .refused(
                WireError(
                    .notRetryable,
                    "Job \(job) is \(record.state); failed and cancelled jobs can be retried, completed ones as a rerun."
                )
            )
        }
        guard record.state == .completed else { return }
        var last: JobID?
        var steps = 0
        while let key = try planning({ () throws(LMDBError) -> EdgeKey? in
            try nextDependent(of: job, record, after: last, transaction)
        }) {
            last = key.dependent
            steps += 1
            guard steps <= effectLimits.steps else {
                throw .refused(
                    WireError(
                        .effectTooLarge,
                        "More than \(effectLimits.steps) jobs depend on job \(job): too many to rerun it."
                    )
                )
            }
            let dependent = try planning { () throws(LMDBError) -> JobRecord? in
                try self.record(of: key.dependent, transaction)
            }
            guard let dependent, dependent.attemptsStarted > 0 || leaseSet.contains(key.dependent) else { continue }
            throw .refused(
                WireError(
                    .dependentStarted,
                    "Job \(key.dependent) depends on job \(job) and has started: a completed job can be rerun only before that."
                )
            )
        }
    }

    // MARK: By hand

    private mutating func finish(
        _ request: Finish,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(PlanError) {
        var record = try present(request.job, &transaction)
        guard !record.state.isFinished else {
            throw .refused(
                WireError(.alreadyFinished, "Job \(request.job) is \(record.state): it can't be finished again.")
            )
        }
        try planning { () throws(LMDBError) in
            try takeAway(&record, of: request.job, &transaction, &result)
            switch request.ending {
            case .complete(let payload):
                record.cause = .none
                record.contentType = payload.contentType
                let kind: JobRecord.OutcomeKind = payload.contentType == .none ? .none : .result
                let bytes = payload.bytes
                try finish(&record, of: request.job, as: .completed, kind, bytes.rawSpan, &transaction, &result)
            case .fail(let message, let details):
                record.cause = .error
                try note(record.flow, &transaction)
                var text = WireWriter(capacity: 64 + message.utf8.count + details.count)
                text.string16(message)
                text.bytes32(details)
                try finish(&record, of: request.job, as: .failed, .failure, text.span, &transaction, &result)
            }
        }
    }

    private mutating func resolve(
        _ request: Resolve,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(PlanError) {
        var record = try present(request.dependent, &transaction)
        let stored = try planning { () throws(LMDBError) -> (key: EdgeKey, record: EdgeRecord)? in
            try self.edge(from: request.dependent, to: request.dependency, transaction)
        }
        guard let stored else {
            throw .refused(
                WireError(.edgeNotFound, "Job \(request.dependent) does not depend on job \(request.dependency).")
            )
        }
        let key = stored.key
        var edge = stored.record
        guard edge.kind == .unprocessed || edge.kind == .failed else {
            throw .refused(
                WireError(
                    .alreadyFinished,
                    "The dependency of job \(request.dependent) on job \(request.dependency) is \(edge.kind) already."
                )
            )
        }
        try planning { () throws(LMDBError) in
            try unhold(&edge, key, &record, &transaction)
            switch request.to {
            case .processed, .ignored:
                resolve(&edge, key, &record, as: request.to == .processed ? .processed : .ignored)
                edge.isByHand = true
                try put(edge, at: key, &transaction)
            case .removed:
                count(edge, key, &record, by: -1)
                try removeEdge(edge, key, &transaction)
            }
            if record.state == .failed && record.cause == .dependency {
                try reviveIfFree(&record, request.dependency, key, &transaction, &result)
            }
            try releaseIfFree(&record, of: request.dependent, &transaction, &result)
            try rewrite(record, of: request.dependent, &transaction)
        }
    }

    // MARK: What a command is about

    /// The record of a job that has not been removed, and of whose flow no large effect is being carried out.
    mutating func present(_ job: JobID, _ transaction: inout WriteTransaction) throws(PlanError) -> JobRecord {
        let record = try planning { () throws(LMDBError) -> JobRecord? in try self.record(of: job, transaction) }
        guard let record, !record.marks.contains(.isRemoved), !isStaged(job) else {
            throw .refused(WireError(.jobNotFound, "There is no job \(job)."))
        }
        if record.flow != .none && meta.openSettlements > 0 { try checkSettled(record.flow, &transaction) }
        return record
    }

    /// Opens a flow that no large effect is being carried out on.
    mutating func checkSettled(_ flow: FlowID, _ transaction: inout WriteTransaction) throws(PlanError) {
        guard !isStaged(flow), try planning({ () throws(LMDBError) in try open(flow, &transaction) }) else {
            throw .refused(WireError(.flowNotFound, "There is no flow \(flow)."))
        }
        guard openFlow!.record.settling == 0 else {
            throw .refused(
                WireError(
                    .settling,
                    "A large effect is being carried out on flow \(flow): try again when it has settled."
                )
            )
        }
    }

    /// The edge between two jobs.
    mutating func edge(
        from dependent: JobID,
        to dependency: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> (key: EdgeKey, record: EdgeRecord)? {
        guard let position = try position(of: dependent, under: dependency, transaction) else { return nil }
        let key = EdgeKey(dependent, position)
        return try edge(key, transaction).map { (key, $0) }
    }

    /// The position of the edge among those of its dependent; nil where the jobs have none.
    mutating func position(
        of dependent: JobID,
        under dependency: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> UInt32? {
        guard let record = try record(of: dependency, transaction), record.dependents > 0 else { return nil }
        if record.firstDependent == dependent { return record.firstDependentPosition }
        guard let bytes = try transaction.get(DependentKey(dependency, dependent), in: tables.dependents) else {
            return nil
        }
        return try decode { () throws(WireError) in
            var reader = WireReader(bytes)
            return try reader.u32()
        }
    }
}

/// What can't be read of a command is refused.
func reading<Value>(_ body: () throws(WireError) -> Value) throws(PlanError) -> Value {
    do throws(WireError) {
        return try body()
    } catch {
        throw .refused(error)
    }
}

/// A failure of the database, in the midst of what may be refused.
func planning<Value>(_ body: () throws(LMDBError) -> Value) throws(PlanError) -> Value {
    do throws(LMDBError) {
        return try body()
    } catch {
        throw .lmdb(error)
    }
}
