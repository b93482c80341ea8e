import LMDB
import PenstockWire

/// Carrying out what a change does to other jobs: at once, or, where that is much, slice by slice in later batches.
///
/// Effects are carried out first come, first served, so that a large effect comes
/// to the same as a small one. What does not fit the command's own transaction
/// becomes a *settlement*: rows of the table of pending effects. The flows that
/// it has reached are marked, so that nobody is shown half of it.
extension Engine {
    /// Carries out the effects of a command; what is too much for one transaction is left to ``carryOn(_:_:_:)``.
    mutating func carryOutEffects(
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard !effects.isEmpty else { return }
        while !effects.isExhausted, let effect = effects.popFirst() {
            if let rest = try perform(effect, &transaction, &result) { effects.putBack(rest) }
        }
        if !effects.isEmpty { try leaveToSettlement(&transaction, &result) }
    }

    /// So many jobs are about to be reached: what can't be one transaction does not begin with a long one.
    mutating func expect(_ count: UInt32) {
        if Int(count) > effectLimits.steps { effects.limit = min(effects.limit, effectLimits.sliceSteps) }
    }

    /// Begins a settlement with the effects that are left.
    private mutating func leaveToSettlement(
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        let id = meta.nextSettlement
        meta.nextSettlement += 1
        meta.openSettlements += 1
        effects.settlement = id
        openSettlement = (id, SettlementRecord(isMarking: effects.isMarking, reason: effects.reason))
        var marked: Set<FlowID> = []
        for flow in effects.reached where try mark(flow, &transaction) { marked.insert(flow) }
        // They are told to have finished when they have settled.
        if !marked.isEmpty {
            result.toldFlows -= result.finishedFlows[..<result.toldFlows].count { marked.contains($0) }
            result.finishedFlows.removeAll { marked.contains($0) }
        }
        for effect in effects.takeRest() { try putPending(effect, &transaction) }
        try closeSettlement(&transaction, &result)
        effects.settlement = 0
    }

    /// Carries out a slice of the pending effects.
    ///
    /// - Parameter limit: jobs and edges that it may reach.
    mutating func carryOn(
        _ limit: Int,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        effects.begin(limit: limit)
        while !effects.isExhausted, let (key, settlement, effect) = try firstPending(transaction) {
            try open(settlement: settlement, &transaction)
            _ = try transaction.delete(key, in: tables.pending)
            openSettlement!.record.effects -= 1
            effects.append(effect)
            let isAlone = try firstPending(transaction) == nil
            if let first = effects.popFirst(), let rest = try perform(first, &transaction, &result) {
                // It stays where it was.
                openSettlement!.record.effects += 1
                try put(rest, settlement: settlement, at: key, &transaction)
            }
            // Alone, its effects need not go by the table.
            while isAlone && !effects.isExhausted, let next = effects.popFirst() {
                if let rest = try perform(next, &transaction, &result) { effects.putBack(rest) }
            }
            for rest in effects.takeRest() { try putPending(rest, &transaction) }
            try closeSettlement(&transaction, &result)
        }
        effects.settlement = 0
    }

    /// Carries the effect out.
    ///
    /// - Returns: what is left of it, where the steps did not suffice.
    private mutating func perform(
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Effect? {
        switch effect.kind {
        case .tell: try tell(effect, &transaction, &result)
        case .reopen: try reopen(effect, &transaction, &result)
        case .prune: try prune(effect, &transaction, &result)
        case .restore: try restore(effect, &transaction, &result)
        case .cancelFlow: try cancelFlow(effect, &transaction, &result)
        case .retryFlow: try retryFlow(effect, &transaction, &result)
        case .retryQueue: try retryQueue(effect, &transaction, &result)
        case .unmark: try unmark(effect, &transaction, &result)
        case .publish: try publish(effect, &transaction, &result)
        case .dropStaged: try dropStaged(effect, &transaction)
        case .remove: try remove(effect, &transaction, &result)
        case .removeFlow: try removeFlow(effect, &transaction, &result)
        case .clean: try clean(effect, &transaction, &result)
        case .promoteQueue: try promoteQueue(effect, &transaction, &result)
        case .forgetGroups: try forgetGroups(effect, &transaction, &result)
        case .start: try start(effect, &transaction, &result)
        case .forgetDeduplications: try forgetDeduplications(effect, &transaction)
        }
    }

    /// Tells the dependents of a job how it ended.
    private mutating func tell(
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Effect? {
        guard let record = try record(of: effect.job, transaction), record.state.isFinished else { return nil }
        let end = DependencyEnd(record)
        var last = effect.lastDependent
        while let key = try nextDependent(of: effect.job, record, after: last, transaction) {
            if effects.isExhausted {
                var rest = effect
                rest.lastDependent = last
                return rest
            }
            effects.steps += 1
            try settle(key, end, &transaction, &result)
            last = key.dependent == record.firstDependent ? JobID.none : key.dependent
        }
        return nil
    }

    // MARK: Settlements

    /// The effects have come to a job of the flow.
    mutating func note(_ flow: FlowID, _ transaction: inout WriteTransaction) throws(LMDBError) {
        effects.isMarking = true
        guard flow != .none, effects.reached.last != flow else { return }
        effects.reached.append(flow)
        guard effects.settlement != 0 else { return }
        openSettlement!.record.isMarking = true
        _ = try mark(flow, &transaction)
    }

    /// Marks the flow, unless the settlement marks none; false where the flow is not there any more.
    private mutating func mark(_ flow: FlowID, _ transaction: inout WriteTransaction) throws(LMDBError) -> Bool {
        guard openSettlement!.record.isMarking, try open(flow, &transaction) else { return false }
        let key = SettlingKey(settlement: openSettlement!.id, flow: flow)
        guard try transaction.get(key, in: tables.settling) == nil else { return true }
        openFlow!.record.settling += 1
        try putEmpty(key, in: tables.settling, &transaction)
        return true
    }

    /// Takes the marks of a settlement from its flows.
    private mutating func unmark(
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Effect? {
        while true {
            let from = SettlingKey(settlement: effect.subject, flow: .none)
            guard let key = try transaction.entry(atOrAfter: from, in: tables.settling)?.key,
                key.settlement == effect.subject
            else { break }
            if effects.isExhausted { return effect }
            effects.steps += 1
            _ = try transaction.delete(key, in: tables.settling)
            guard try open(key.flow, &transaction) else { continue }
            openFlow!.record.settling -= 1
            if openFlow!.record.settling == 0 && openFlow!.record.unfinished == 0 {
                result.finishedFlows.append(key.flow)
            }
        }
        return nil
    }

    private mutating func open(settlement id: UInt64, _ transaction: inout WriteTransaction) throws(LMDBError) {
        guard let bytes = try transaction.get(id, in: tables.settlements) else { throw LMDBError(.corrupted, in: .get) }
        openSettlement = (id, try decode { () throws(WireError) in try SettlementRecord(bytes) })
        effects.settlement = id
        effects.isMarking = openSettlement!.record.isMarking
        effects.reason = openSettlement!.record.reason
        effects.reached.removeAll(keepingCapacity: true)
    }

    /// Writes the settlement back; without any effect left, it comes to its end.
    private mutating func closeSettlement(
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        var (id, record) = openSettlement!
        if record.effects == 0 && record.isMarking {
            // Marks may be many: to take them back is the last effect.
            openSettlement!.record.isMarking = false
            try putPending(Effect(.unmark, id), &transaction)
            record = openSettlement!.record
        }
        openSettlement = nil
        if record.effects == 0 {
            meta.openSettlements -= 1
            result.hasSettled = true
            _ = try transaction.delete(id, in: tables.settlements)
        } else {
            scratch.removeAll()
            record.encode(into: &scratch)
            try transaction.put(scratch.span, for: id, in: tables.settlements)
        }
    }

    /// The pending starts have keys from here on.
    static let startsFrom: UInt64 = 1 << 63

    private mutating func putPending(_ effect: Effect, _ transaction: inout WriteTransaction) throws(LMDBError) {
        openSettlement!.record.effects += 1
        // Starts come last of all.
        let key = effect.kind == .start ? meta.nextPending | Engine.startsFrom : meta.nextPending
        try put(effect, settlement: openSettlement!.id, at: key, &transaction)
        meta.nextPending += 1
    }

    private mutating func put(
        _ effect: Effect,
        settlement: UInt64,
        at key: UInt64,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        scratch.removeAll()
        effect.encode(settlement: settlement, into: &scratch)
        try transaction.put(scratch.span, for: key, in: tables.pending)
    }

    private func firstPending(
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> (key: UInt64, settlement: UInt64, effect: Effect)? {
        guard let entry = try transaction.entry(atOrAfter: UInt64(0), in: tables.pending), let key = entry.key else {
            return nil
        }
        let value = entry.value
        let (settlement, effect) = try decode { () throws(WireError) in try Effect.decode(value) }
        return (key, settlement, effect)
    }
}
