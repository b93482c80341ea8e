import LMDB
import PenstockWire

/// Deduplication in adds: deciding, while a plan is made, which of its nodes are new jobs, and writing who holds an id.
extension Engine {
    // MARK: Planning

    /// True where the node stands for the job that holds its deduplication id; else it is a new job, and holds it.
    mutating func isDeduplicated(
        _ index: Int,
        _ body: RawSpan,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) -> Bool {
        let fields = plan.nodes[index].fields
        let read = try reading { () throws(WireError) in try body.deduplication(fields.deduplication) }
        guard let terms = read else { return false }
        let place = try hold(of: fields, Array(terms.id.utf8), body, transaction)
        plan.nodes[index].hold = place
        let isDelayed = fields.options.delay > 0 || fields.options.at > meta.wall
        switch plan.holds[place].add(index, terms, isDelayed: isDelayed, now: meta.elapsed) {
        case .holds(let other):
            if let other {
                plan.items[plan.nodes[other].item].newNodes -= 1
                plan.nodes[other].reason = .replaced
                plan.hasReplacedNodes = true
            }
            return false
        case .deduplicated: plan.nodes[index].reason = .deduplicated
        case .kept: plan.nodes[index].reason = .kept
        }
        return true
    }

    /// Index of the hold of the id in the node's queue.
    private mutating func hold(
        of fields: NodeFields,
        _ id: [UInt8],
        _ body: RawSpan,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) -> Int {
        // By the queue's name: it may be new, and it may be named twice. No name has a NUL.
        let known = body.array(plan.queueNames[Int(fields.queue)]) + [0] + id
        if let place = plan.holdPlaces[known] { return place }
        let queue = plan.queues[Int(fields.queue)]
        let hold = try planning { () throws(LMDBError) in
            let before = queue == QueueID(0) ? nil : try deduplication(DeduplicationKey(queue, id), transaction)
            var stored: DeduplicationHold.Stored?
            if let before, before.isHeld(elapsed: meta.elapsed) { stored = try holder(before.job, transaction) }
            return DeduplicationHold(queue: fields.queue, id: id, before: before, stored: stored)
        }
        plan.holds.append(hold)
        plan.holdPlaces[known] = plan.holds.count - 1
        return plan.holds.count - 1
    }

    private mutating func holder(
        _ job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> DeduplicationHold.Stored {
        guard let record = try record(of: job, transaction), !record.marks.contains(.isRemoved) else {
            return DeduplicationHold.Stored(job: job, canBeReplaced: false, isActive: false)
        }
        return DeduplicationHold.Stored(
            job: job,
            canBeReplaced: record.state == .delayed && record.dependents == 0,
            isActive: isLeased(job, record)
        )
    }

    /// Gives the nodes that stand for another job its id, when it is known which nodes are new.
    ///
    /// - Parameter first: the id of the first new job.
    mutating func giveHolders(from first: UInt64) {
        if plan.hasReplacedNodes {
            var next = first
            for index in plan.nodes.indices {
                if plan.nodes[index].reason == .replaced { plan.nodes[index].isExisting = true }
                if plan.nodes[index].isExisting { continue }
                plan.nodes[index].job = JobID(next)
                next += 1
            }
        }
        for index in plan.nodes.indices where plan.nodes[index].isExisting && plan.nodes[index].hold >= 0 {
            let hold = plan.holds[plan.nodes[index].hold]
            if plan.nodes[index].reason == .kept && hold.keptNode != index { plan.nodes[index].reason = .deduplicated }
            switch hold.holder {
            case .nobody: preconditionFailure("a node stands for a job that holds no id")
            case .stored(let stored): plan.nodes[index].job = stored.job
            case .node(let node, _): plan.nodes[index].job = plan.nodes[node].job
            }
        }
    }

    /// Refuses an edge from or to a job that another node of the add takes the place of.
    mutating func checkReplaced(_ body: RawSpan) throws(PlanError) {
        let replaced = Set(plan.holds.compactMap(\.replacedJob))
        guard !replaced.isEmpty else { return }
        for edge in plan.edges {
            let dependent = plan.nodes[edge.node].job
            guard replaced.contains(edge.dependency) || replaced.contains(dependent) else { continue }
            let job = replaced.contains(dependent) ? dependent : edge.dependency
            throw .refused(
                WireError(
                    .unknownDependency,
                    "\(describe(edge.node, body)) has a dependency from or to job \(job), which another node of the add replaces."
                )
            )
        }
    }

    // MARK: Writing

    /// Writes what the plan's nodes come to for the ids that they name; its queues are known.
    ///
    /// From here on nothing of it is refused any more: those of the nodes that have a hold and stand for another job
    /// are deduplicated, each for its reason.
    mutating func writeHolds(
        _ body: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        for hold in plan.holds {
            let key = DeduplicationKey(plan.queues[Int(hold.queue)], hold.id)
            try write(hold, key, body, &transaction)
            guard let replaced = hold.replacedJob, let record = try record(of: replaced, transaction) else { continue }
            let removal = try removal(of: replaced, record, &transaction)
            if let rest = try remove(removal, &transaction, &result) { effects.append(rest) }
        }
    }

    /// Tells of the jobs that nodes of the add stand for, for the sake of their deduplication ids.
    mutating func tellDeduplicated(
        _ transaction: borrowing WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard interest.isOn else { return }
        for node in plan.nodes where node.hold >= 0 && node.isExisting {
            guard let record = try record(of: node.job, transaction) else { continue }
            let id = plan.holds[node.hold].id
            try tell(.deduplicated, node.job, record, data: id.rawSpan, transaction, &result)
        }
    }

    private mutating func write(
        _ hold: DeduplicationHold,
        _ key: DeduplicationKey,
        _ body: RawSpan,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        let job: JobID
        switch hold.holder {
        case .nobody: return
        case .stored(let stored): job = stored.job
        case .node(let node, _): job = plan.nodes[node].job
        }
        if let node = hold.keptNode {
            let tail = try keptTail(of: plan.nodes[node].fields, key.queue, body)
            try transaction.put(tail.span, for: key, in: tables.deduplicationsKept)
        } else if hold.before?.hasKept == true && !hold.hasKept {
            _ = try transaction.delete(key, in: tables.deduplicationsKept)
        }
        let record = DeduplicationRecord(job: job, due: hold.due, hasKept: hold.hasKept)
        try put(record, key, insteadOf: hold.before, &transaction)
    }

    /// The node as the end of an ADD's body, with what its queue's defaults have given it.
    private func keptTail(
        of fields: NodeFields,
        _ queue: QueueID,
        _ body: RawSpan
    ) throws(LMDBError) -> WireWriter {
        var node = try decode { () throws(WireError) in try AddNode(fields, in: body) }
        node.queue = 0
        node.explicit = .all
        let name = queues[Int(queue.rawValue) - 1].name
        var writer = WireWriter(capacity: 256 + node.data.count)
        AddTail(queues: [name], items: [AddItem(kind: .job, nodes: [node])]).encode(into: &writer)
        return writer
    }

    // MARK: Rows

    func deduplication(
        _ key: DeduplicationKey,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> DeduplicationRecord? {
        guard let row = try transaction.get(key, in: tables.deduplications) else { return nil }
        return try decode { () throws(WireError) in try DeduplicationRecord(row) }
    }

    /// - Parameter old: the row as it is stored.
    mutating func put(
        _ record: DeduplicationRecord,
        _ key: DeduplicationKey,
        insteadOf old: DeduplicationRecord?,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard record != old else { return }
        if let old, old.due != record.due { try deleteDue(key, old, &transaction) }
        if record.due != 0 && record.due != old?.due {
            nextDeduplicationEnd = nil
            try putEmpty(DeduplicationDueKey(due: record.due, key), in: tables.deduplicationsDue, &transaction)
        }
        scratch.removeAll()
        record.encode(into: &scratch)
        try transaction.put(scratch.span, for: key, in: tables.deduplications)
    }

    /// Deletes the row, and with it what is kept.
    mutating func delete(
        _ key: DeduplicationKey,
        _ record: DeduplicationRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        try deleteDue(key, record, &transaction)
        if record.hasKept { _ = try transaction.delete(key, in: tables.deduplicationsKept) }
        _ = try transaction.delete(key, in: tables.deduplications)
    }

    private mutating func deleteDue(
        _ key: DeduplicationKey,
        _ record: DeduplicationRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard record.due != 0 else { return }
        nextDeduplicationEnd = nil
        _ = try transaction.delete(DeduplicationDueKey(due: record.due, key), in: tables.deduplicationsDue)
    }
}
