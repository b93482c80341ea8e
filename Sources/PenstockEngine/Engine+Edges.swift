import LMDB
import PenstockWire

/// Edges: what the end of a dependency does to them, and through them to the jobs that depend.
extension Engine {
    /// Tells one dependent how its dependency ended.
    ///
    /// An edge that does not count (any more) only records it: the dependent has
    /// ended, has gone on without it, or had gone on before the dependency was retried.
    mutating func settle(
        _ key: EdgeKey,
        _ end: DependencyEnd,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard var edge = try edge(key, transaction), var record = try record(of: key.dependent, transaction),
            !record.marks.contains(.isRemoved)
        else { return }
        // It was told already: an add may come to the same edge in two ways.
        if edge.isHeld && end.isFailure { return }
        if end.isFailure { try note(record.flow, &transaction) }
        var isCancelled = false
        if !record.state.isFinished { isCancelled = try isBeingCancelled(record, &transaction) }
        var mayAct = counts(edge, key, record) && !record.state.isFinished && !isCancelled
        if mayAct, try isBeingRemoved(record, &transaction) { mayAct = false }
        let rule = EdgeRule(end, edge.condition, edge.policy)
        try unhold(&edge, key, &record, &transaction)
        switch rule.edge {
        case .becomes(let kind):
            resolve(&edge, key, &record, as: kind)
            try put(edge, at: key, &transaction)
        case .gone where end == .cancelled && !mayAct:
            // Both were cancelled as one set, in which no policy acts: a retry of both brings the edge back.
            resolve(&edge, key, &record, as: .ignored)
            try put(edge, at: key, &transaction)
        case .gone:
            count(edge, key, &record, by: -1)
            try removeEdge(edge, key, &transaction)
        case .held where mayAct:
            edge.isHeld = true
            try put(edge, at: key, &transaction)
            try hold(&record, by: 1, &transaction)
        case .held:
            // It holds nobody any more: what happened is recorded, and changes nothing.
            resolve(&edge, key, &record, as: .ignored)
            try put(edge, at: key, &transaction)
        }
        if isCancelled { return try cancelWithFlow(&record, of: key.dependent, &transaction, &result) }
        guard mayAct else { return try rewrite(record, of: key.dependent, &transaction) }
        switch rule.dependent {
        case .fails:
            return try fail(&record, of: key.dependent, because: edge.dependency, &transaction, &result)
        case .isSkipped:
            return try skip(&record, of: key.dependent, after: edge.dependency, &transaction, &result)
        case .goesOn: try detach(&record, of: key.dependent, &transaction)
        case .waitsForRest: break
        }
        try releaseIfFree(&record, of: key.dependent, &transaction, &result)
        try rewrite(record, of: key.dependent, &transaction)
    }

    /// Releases a job in waiting-children whose edges that count are all resolved; the caller writes the record.
    mutating func releaseIfFree(
        _ record: inout JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard record.state == .waitingChildren, record.dependencies.counting == 0 else { return }
        if try isBeingRemoved(record, &transaction) { return }
        if try isBeingCancelled(record, &transaction) {
            return try cancelWithFlow(&record, of: job, &transaction, &result)
        }
        try release(&record, of: job, &transaction, &result)
    }

    /// True where a cancellation of its flow is being carried out: whatever would let a job go on cancels it, as the
    /// walk over the flow may have been there before.
    mutating func isBeingCancelled(
        _ record: JobRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> Bool {
        guard meta.openSettlements > 0, record.flow != .none, try open(record.flow, &transaction) else { return false }
        return openFlow!.record.flags.contains(.isCancelling)
    }

    /// True where its flow is being removed, which will come to the job: nothing else moves it.
    mutating func isBeingRemoved(
        _ record: JobRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> Bool {
        guard meta.openSettlements > 0 || effects.isRemovingFlow, record.flow != .none,
            try open(record.flow, &transaction)
        else { return false }
        return openFlow!.record.flags.contains(.isRemoving)
    }

    // MARK: Counting

    /// True where the dependent waits for the edge.
    func counts(_ edge: EdgeRecord, _ key: EdgeKey, _ record: JobRecord) -> Bool {
        edge.kind == .unprocessed && (edge.isAttached || key.position >= record.dependencies.detachedBelow)
    }

    /// Adds the edge to the counters of its dependent, or takes it out of them.
    func count(_ edge: EdgeRecord, _ key: EdgeKey, _ record: inout JobRecord, by change: Int) {
        func move(_ counter: inout UInt32) { counter = UInt32(Int(counter) + change) }
        if counts(edge, key, record) { move(&record.dependencies.counting) }
        switch edge.kind {
        case .unprocessed:
            move(&record.dependencies.unprocessed)
            if edge.isAttached { move(&record.dependencies.attached) }
        case .processed: move(&record.dependencies.processed)
        case .ignored: move(&record.dependencies.ignored)
        case .failed:
            move(&record.dependencies.failed)
            if change > 0 { record.dependencies.failedFrom = min(record.dependencies.failedFrom, key.position) }
        }
    }

    /// Gives the edge a kind, and the counters of its dependent what follows from that.
    func resolve(_ edge: inout EdgeRecord, _ key: EdgeKey, _ record: inout JobRecord, as kind: DependencyKind) {
        count(edge, key, &record, by: -1)
        edge.kind = kind
        edge.isAttached = false
        edge.isByHand = false
        count(edge, key, &record, by: 1)
    }

    /// Lets go of all edges that are unprocessed: what becomes of them is recorded, and changes nothing.
    mutating func detach(
        _ record: inout JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        try hold(&record, by: -Int(record.dependencies.held), &transaction)
        var position: UInt32 = 0
        while record.dependencies.attached > 0, let (key, found) = try nextEdge(of: job, from: position, transaction) {
            position = key.position + 1
            guard found.isAttached else { continue }
            var edge = found
            edge.isAttached = false
            record.dependencies.attached -= 1
            try put(edge, at: key, &transaction)
        }
        record.dependencies.detachedBelow = record.dependencies.positions
        record.dependencies.counting = 0
    }

    /// Waits again for every edge that is unprocessed, those that were let go of included; the caller writes the record.
    mutating func attach(
        _ record: inout JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        var position: UInt32 = 0
        var held = 0
        while position < record.dependencies.detachedBelow,
            let (key, found) = try nextEdge(of: job, from: position, transaction),
            key.position < record.dependencies.detachedBelow
        {
            position = key.position + 1
            guard found.kind == .unprocessed, found.isAttached || found.isHeld else { continue }
            var edge = found
            if !found.isAttached {
                // What had been held when the job went on holds it again, unless it has been retried since.
                edge.isHeld = try self.record(of: found.dependency, transaction)?.state.isFinished ?? false
                held += edge.isHeld ? 1 : 0
            }
            edge.isAttached = false
            try put(edge, at: key, &transaction)
        }
        record.dependencies.detachedBelow = 0
        record.dependencies.attached = 0
        record.dependencies.counting = record.dependencies.unprocessed
        try hold(&record, by: held, &transaction)
    }

    /// Counts edges that `wait` holds; the flow of a job that waits for its children counts them, too.
    mutating func hold(
        _ record: inout JobRecord,
        by change: Int,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard change != 0 else { return }
        record.dependencies.held = UInt32(Int(record.dependencies.held) + change)
        guard record.state == .waitingChildren, record.flow != .none, try open(record.flow, &transaction) else {
            return
        }
        openFlow!.record.heldEdges = UInt32(Int(openFlow!.record.heldEdges) + change)
    }

    /// The edge is held no more; the caller writes it.
    mutating func unhold(
        _ edge: inout EdgeRecord,
        _ key: EdgeKey,
        _ record: inout JobRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard edge.isHeld else { return }
        edge.isHeld = false
        if counts(edge, key, record) { try hold(&record, by: -1, &transaction) }
    }

    // MARK: Walks

    /// Takes an edge away, from both sides; the caller has counted it out.
    ///
    /// A job that was removed goes for good with the last edge that names it.
    ///
    /// - Parameter flow: the dependent is removed from it: if it was the last one there, the dependency is a sink now.
    mutating func removeEdge(
        _ edge: EdgeRecord,
        _ key: EdgeKey,
        makesSinksOf flow: FlowID = .none,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        _ = try transaction.delete(key, in: tables.edges)
        guard var dependency = try record(of: edge.dependency, transaction) else { return }
        dependency.dependents -= 1
        if dependency.firstDependent == key.dependent {
            dependency.firstDependent = .none
        } else {
            _ = try transaction.delete(DependentKey(edge.dependency, key.dependent), in: tables.dependents)
        }
        if dependency.dependents == 0 && dependency.marks.contains(.isRemoved) {
            return try purge(dependency, of: edge.dependency, &transaction)
        }
        if flow != .none && dependency.flow == flow { try becomeSink(&dependency, edge.dependency, &transaction) }
        try rewrite(dependency, of: edge.dependency, &transaction)
    }

    /// Nobody in its flow depends on the job any more: how it ends is how its flow ends.
    private mutating func becomeSink(
        _ record: inout JobRecord,
        _ job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard !record.flags.contains(.isSink), try !hasDependentInFlow(job, record, transaction),
            try open(record.flow, &transaction)
        else { return }
        record.flags.insert(.isSink)
        if record.fails(its: record.state) { openFlow!.record.failedSinks += 1 }
    }

    /// Dependents that are looked at to find one of the same flow; a job with more of others is taken to have one.
    private static let sinkStepsMax = 1_000

    private mutating func hasDependentInFlow(
        _ job: JobID,
        _ record: JobRecord,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Bool {
        var last: JobID?
        var steps = 0
        while let key = try nextDependent(of: job, record, after: last, transaction) {
            (last, steps) = (key.dependent, steps + 1)
            if steps > Engine.sinkStepsMax { return true }
            if try self.record(of: key.dependent, transaction)?.flow == record.flow { return true }
        }
        return false
    }

    /// The edge of a job to its next dependent: the one in the record first, then the others in the order of their ids.
    ///
    /// - Parameter last: the dependent that came last; nil to begin, none where it was the one in the record, which may
    ///   not stand there any more when the walk goes on.
    mutating func nextDependent(
        of job: JobID,
        _ record: JobRecord,
        after last: JobID?,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> EdgeKey? {
        if last == nil && record.firstDependent != .none {
            return EdgeKey(record.firstDependent, record.firstDependentPosition)
        }
        guard record.dependents > 1 || record.firstDependent == .none else { return nil }
        let from = last == nil || last == record.firstDependent ? JobID.none : last!
        guard let entry = try transaction.entry(after: DependentKey(job, from), in: tables.dependents),
            let key = entry.key, key.dependency == job
        else { return nil }
        let value = entry.value
        let position = try decode { () throws(WireError) in
            var reader = WireReader(value)
            return try reader.u32()
        }
        return EdgeKey(key.dependent, position)
    }

    /// The first edge of a job at the position or behind it.
    func nextEdge(
        of job: JobID,
        from position: UInt32,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> (key: EdgeKey, record: EdgeRecord)? {
        guard let entry = try transaction.entry(atOrAfter: EdgeKey(job, position), in: tables.edges),
            let key = entry.key, key.dependent == job
        else { return nil }
        let value = entry.value
        return (key, try decode { () throws(WireError) in try EdgeRecord(value) })
    }
}
