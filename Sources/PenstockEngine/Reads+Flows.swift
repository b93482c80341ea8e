package import LMDB
package import PenstockWire

/// Flows and queues.
extension Reads {
    package func flow<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ flow: FlowID,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup
    ) throws(Failure) -> FlowView {
        let record = try flowRecord(flow, snapshot)
        var view = FlowView()
        view.commit = snapshot.id
        view.id = flow
        view.status = record.status
        view.createdAt = record.createdAt
        view.finishedAt = record.finishedAt
        view.counts = record.counts
        var leased: [JobID] = []
        leases.leases(in: flow) { leased.append($0.job) }
        try correct(&view.counts, leased, snapshot)
        view.name = try wrap { () throws(LMDBError) in
            guard let bytes = try snapshot.get(flow.rawValue, in: tables.flowNames) else { return "" }
            return String(validating: bytes) ?? ""
        }
        return view
    }

    package func flowNodes<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetFlowNodes,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup
    ) throws(Failure) -> FlowNodePage {
        let flow = try flowRecord(request.flow, snapshot)
        let first = flow.firstJob.rawValue
        let end = first + UInt64(flow.jobs)
        let start = request.cursor == 0 ? first : request.cursor
        guard (first...end).contains(start) else {
            throw .refused(
                WireError(
                    .invalidCursor,
                    "The cursor \(request.cursor) was not given out for the nodes of flow \(request.flow)."
                )
            )
        }
        var page = FlowNodePage(commit: snapshot.id, next: 0, rows: [])
        let stop = min(end, start + UInt64(rowLimit(request.rows)))
        for job in start..<stop {
            let job = JobID(job)
            guard let record = try record(of: job, snapshot) else { continue }
            let lease = record.state == .waiting ? leases.lease(of: job) : nil
            page.rows.append(
                FlowNodePage.Row(
                    job: job,
                    queue: queueName(record.queue),
                    name: try wrap { () throws(LMDBError) in try name(of: job, record, snapshot) },
                    state: lease == nil ? record.state : .active,
                    cause: record.cause,
                    attemptsMade: record.attemptsMade,
                    startedAt: lease?.startedAt ?? record.startedAt,
                    finishedAt: record.finishedAt,
                    dependencies: record.dependencies.counts
                )
            )
        }
        page.next = stop < end ? stop : 0
        return page
    }

    package func flowEdges<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetFlowEdges,
        _ snapshot: borrowing Snapshot
    ) throws(Failure) -> FlowEdgePage {
        let flow = try flowRecord(request.flow, snapshot)
        let first = flow.firstJob
        let end = first.rawValue + UInt64(flow.jobs)
        let start = request.cursor == .start ? FlowEdgeCursor(job: first, position: 0) : request.cursor
        guard (first.rawValue...end).contains(start.job.rawValue), start.position <= UInt64(UInt32.max) else {
            throw .refused(
                WireError(.invalidCursor, "The cursor was not given out for the edges of flow \(request.flow).")
            )
        }
        let rowsMax = rowLimit(request.rows)
        return try wrap { () throws(LMDBError) in
            var page = FlowEdgePage(commit: snapshot.id, next: .start, rows: [])
            var cursor = try snapshot.cursor(in: tables.edges)
            var entry = try cursor.seek(to: EdgeKey(start.job, UInt32(start.position)))
            while let found = entry, let key = found.key, key.dependent.rawValue < end {
                if page.rows.count >= rowsMax {
                    page.next = FlowEdgeCursor(job: key.dependent, position: UInt64(key.position))
                    return page
                }
                let value = found.value
                let edge = try decode { () throws(WireError) in try EdgeRecord(value) }
                page.rows.append(
                    FlowEdgePage.Row(
                        dependent: key.dependent,
                        position: key.position,
                        dependency: edge.dependency,
                        kind: edge.kind,
                        policy: edge.policy
                    )
                )
                entry = try cursor.next()
            }
            return page
        }
    }

    package func queue<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ name: String,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup
    ) throws(Failure) -> QueueView {
        guard let id = queueIDs[name] else {
            throw .refused(
                WireError(.queueNotFound, "There is no queue \(Names.quoted(name)): no job was ever added to it.")
            )
        }
        let record = try wrap { () throws(LMDBError) -> QueueRecord? in
            guard let bytes = try snapshot.get(UInt64(id.rawValue), in: tables.queues) else { return nil }
            return try decode { () throws(WireError) in try QueueRecord(id: id, bytes) }
        }
        var view = QueueView(commit: snapshot.id, counts: record?.counts ?? StateCounts())
        var leased: [JobID] = []
        leases.leases(in: id) { leased.append($0.job) }
        try correct(&view.counts, leased, snapshot)
        return view
    }

    /// Counts the leased jobs that the snapshot still has as waiting as active.
    private func correct<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ counts: inout StateCounts,
        _ leased: [JobID],
        _ snapshot: borrowing Snapshot
    ) throws(Failure) {
        for job in leased {
            guard let record = try record(of: job, snapshot), record.state == .waiting else { continue }
            counts[.waiting] -= 1
            counts[.active] += 1
        }
    }

    private func flowRecord<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ flow: FlowID,
        _ snapshot: borrowing Snapshot
    ) throws(Failure) -> FlowRecord {
        let record = try wrap { () throws(LMDBError) -> FlowRecord? in
            guard let bytes = try snapshot.get(flow.rawValue, in: tables.flows) else { return nil }
            return try decode { () throws(WireError) in try FlowRecord(bytes) }
        }
        guard let record else { throw .refused(WireError(.flowNotFound, "There is no flow \(flow).")) }
        return record
    }
}
