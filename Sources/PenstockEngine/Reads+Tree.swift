package import LMDB
package import PenstockWire

/// A job and what lies below it.
extension Reads {
    /// Walks from the job downwards, each job before its dependencies; a list in place of recursion.
    package func tree<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetTree,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup
    ) throws(Failure) -> FlowTree {
        guard let root = try record(of: request.job, snapshot), !root.marks.contains(.isRemoved) else {
            throw notFound(request.job)
        }
        let depthMax = request.depth == 0 ? PenstockWire.Limits.treeDepthMax : Int(request.depth)
        let widthMax = rowLimit(UInt32(request.width))
        var tree = FlowTree(commit: snapshot.id, isWhole: true, rows: [])
        var listed: Set<JobID> = []
        var open = [Visit(job: request.job)]
        while let visit = open.popLast() {
            guard tree.rows.count < PenstockWire.Limits.pageRowsMax else {
                tree.cut(visit.parent)
                continue
            }
            guard let record = try record(of: visit.job, snapshot) else { continue }
            let index = UInt32(tree.rows.count)
            var row = try wrap { () throws(LMDBError) in try treeRow(visit, record, snapshot, leases) }
            row.isListedAbove = !listed.insert(visit.job).inserted
            tree.rows.append(row)
            guard !row.isListedAbove, row.dependencies > 0 else { continue }
            guard visit.depth < min(depthMax, PenstockWire.Limits.treeDepthMax) else {
                tree.cut(index)
                continue
            }
            let children = try wrap { () throws(LMDBError) in
                let room = PenstockWire.Limits.pageRowsMax - tree.rows.count
                return try visits(below: visit, at: index, limit: min(widthMax, room), snapshot)
            }
            if children.count < Int(row.dependencies) { tree.cut(index) }
            open.append(contentsOf: children.reversed())
        }
        return tree
    }

    /// A job that is still to be listed.
    private struct Visit {
        var job: JobID
        var parent: UInt32?
        var edge = FlowTree.Edge()
        var depth = 0
    }

    private func visits<Snapshot: Transaction & ~Copyable & ~Escapable>(
        below visit: Visit,
        at index: UInt32,
        limit: Int,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> [Visit] {
        var found: [Visit] = []
        var cursor = try snapshot.cursor(in: tables.edges)
        var entry = try cursor.seek(to: EdgeKey(visit.job, 0))
        while let next = entry, let key = next.key, key.dependent == visit.job, found.count < limit {
            let value = next.value
            let edge = try decode { () throws(WireError) in try EdgeRecord(value) }
            found.append(
                Visit(
                    job: edge.dependency,
                    parent: index,
                    edge: FlowTree.Edge(
                        position: key.position,
                        kind: edge.kind,
                        policy: edge.policy,
                        condition: edge.condition
                    ),
                    depth: visit.depth + 1
                )
            )
            entry = try cursor.next()
        }
        return found
    }

    private func treeRow<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ visit: Visit,
        _ record: JobRecord,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup
    ) throws(LMDBError) -> FlowTree.Row {
        let counts = record.dependencies.counts
        let isLeased = record.state == .waiting && leases.lease(of: visit.job) != nil
        return FlowTree.Row(
            job: visit.job,
            parent: visit.parent,
            edge: visit.edge,
            queue: try queueName(record.queue, snapshot),
            name: try name(of: visit.job, record, snapshot),
            state: isLeased ? .active : record.state,
            cause: record.cause,
            dependencies: counts.unprocessed + counts.processed + counts.ignored + counts.failed
        )
    }
}

extension FlowTree {
    /// Not all of what lies below the row is listed.
    fileprivate mutating func cut(_ row: UInt32?) {
        isWhole = false
        if let row { rows[Int(row)].isCut = true }
    }
}
