import LMDB
import PenstockWire

/// What the worker of a job adds to it: children, and their keys.
extension Engine {
    // MARK: Planning

    /// The job that has the node's key under the held job; nil where it has none, or that job is gone.
    mutating func storedChild(
        _ index: Int,
        _ body: RawSpan,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) -> JobID? {
        let key = plan.nodes[index].fields.childKey
        guard let held = plan.held, !key.isEmpty else { return nil }
        plan.keyNodes.append(index)
        do throws(LMDBError) {
            let key = ChildKey(held.job, body.extracting(key))
            guard let bytes = try transaction.get(key, in: tables.childKeys) else { return nil }
            let job = try decode { () throws(WireError) in try JobID(value: bytes) }
            guard let record = try record(of: job, transaction), !record.marks.contains(.isRemoved) else { return nil }
            return job
        } catch {
            throw .lmdb(error)
        }
    }

    mutating func findChildKeysTwice(_ body: RawSpan) throws(PlanError) {
        guard plan.keyNodes.count > 1 else { return }
        let nodes = plan.nodes
        plan.keyNodes.sort { a, b in
            body.extracting(nodes[a].fields.childKey).compare(to: body.extracting(nodes[b].fields.childKey)) < 0
        }
        for place in plan.keyNodes.indices.dropFirst() {
            let (a, b) = (plan.keyNodes[place - 1], plan.keyNodes[place])
            let key = body.extracting(nodes[a].fields.childKey)
            guard key.compare(to: body.extracting(nodes[b].fields.childKey)) == 0 else { continue }
            throw .refused(
                WireError(
                    .duplicateCustomID,
                    "\(describe(max(a, b), body)) has the child's key of another node of the same add."
                )
            )
        }
    }

    /// Plans the edges from the held job, which stands behind the nodes, to the sinks of its children.
    mutating func planChildren(_ body: RawSpan, _ transaction: borrowing WriteTransaction) throws(PlanError) {
        guard var held = plan.held, plan.items.contains(where: { $0.child != nil }) else { return }
        let holder = plan.nodes.count
        let firstEdge = plan.edges.count
        plan.nodes.append(AddPlan.Node(stored: held.job))
        plan.holder = holder
        for index in 0..<holder {
            let node = plan.nodes[index]
            guard let child = plan.items[node.item].child, !node.isNamedInItem else { continue }
            guard node.job != held.job else {
                throw .refused(WireError(.selfReference, "\(describe(index, body)) is the held job itself."))
            }
            plan.edges.append(
                AddPlan.Edge(
                    node: holder,
                    dependency: node.job,
                    dependencyNode: index,
                    policy: child.policy,
                    condition: child.condition
                )
            )
            if held.flow != .none && !plan.items[node.item].isFlow { plan.nodes[index].hasDependentInFlow = true }
        }
        try findDependenciesTwice(holder, plan.edges[firstEdge...], body)
        guard try planning({ () throws(LMDBError) in try keepNewEdges(of: held.job, from: firstEdge, transaction) })
        else { return }
        for place in firstEdge..<plan.edges.count {
            plan.edges[place].hungPosition = held.position
            held.position += 1
        }
        plan.held = held
    }

    // MARK: Writing

    /// Makes the children dependencies of the held job, which goes on running: its lease is written before that.
    mutating func hangChildren(
        _ command: Command,
        _ body: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard let held = plan.held, let holder = plan.holder else { return }
        let firstEdge = plan.edges.firstIndex { $0.node == holder } ?? plan.edges.count
        let edges = firstEdge..<plan.edges.count
        if !edges.isEmpty { try writeLease(command, &transaction, &result) }
        guard var record = try record(of: held.job, transaction) else { throw LMDBError(.corrupted, in: .get) }
        if !edges.isEmpty { record.flags.insert(.hasDependencies) }
        if !plan.keyNodes.isEmpty { record.marks.insert(.hasChildKeys) }
        record.dependencies.positions += UInt32(edges.count)
        record.dependencies.unprocessed += UInt32(edges.count)
        record.dependencies.counting += UInt32(edges.count)
        try rewrite(record, of: held.job, &transaction)
        try writeEdges(edges, of: held.job, joining: held.flow, &transaction)
        for index in plan.keyNodes {
            scratch.removeAll()
            scratch.jobID(plan.nodes[index].job)
            let key = ChildKey(held.job, body.extracting(plan.nodes[index].fields.childKey))
            try transaction.put(scratch.span, for: key, in: tables.childKeys)
            if plan.nodes[index].isExisting { continue }
            scratch.removeAll()
            scratch.jobID(held.job)
            try transaction.put(scratch.span, for: ChildKey(plan.nodes[index].job, RawSpan()), in: tables.childKeys)
        }
    }

    /// True for a child whose key a later attempt of an unfinished job may name.
    ///
    /// Its edges do not tell: its dependents in the add may have finished, or its edge be gone.
    mutating func isNamedByUnfinished(
        _ job: JobID,
        _ record: JobRecord,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Bool {
        guard record.marks.contains(.hasChildKeys),
            let bytes = try transaction.get(ChildKey(job, RawSpan()), in: tables.childKeys)
        else { return false }
        let holder = try decode { () throws(WireError) in try JobID(value: bytes) }
        guard let holding = try self.record(of: holder, transaction) else { return false }
        return !holding.marks.contains(.isRemoved) && !holding.state.isFinished
    }

    /// Deletes the keys of a job's children, and the row of its own: when the job is removed, for a job that is marked
    /// `hasChildKeys`.
    mutating func deleteChildKeys(of job: JobID, _ transaction: inout WriteTransaction) throws(LMDBError) {
        while let key = try firstChildKey(of: job, transaction) {
            _ = try transaction.delete(ChildKey(job, key.rawSpan), in: tables.childKeys)
        }
    }

    private func firstChildKey(
        of job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> [UInt8]? {
        let from = ChildKey(job, RawSpan())
        guard let entry = try transaction.entry(atOrAfter: from, in: tables.childKeys) else { return nil }
        var key = KeyReader(entry.keyBytes)
        return key.readUInt64() == job.rawValue ? [UInt8](copying: key.readRest()) : nil
    }
}
