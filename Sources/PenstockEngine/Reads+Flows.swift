package import LMDB
package import PenstockWire

/// Flows.
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
        view.name = try wrap { () throws(LMDBError) in try flowName(flow, snapshot) }
        if record.flags.contains(.hasMetadata) {
            view.metadata = try wrap { () throws(LMDBError) in try metadata(of: flow, snapshot) }
        }
        return view
    }

    private func metadata<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of flow: FlowID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> Payload {
        guard let bytes = try snapshot.get(flow.rawValue, in: tables.flowMetadata) else { return .none }
        return try decode { () throws(WireError) in
            var reader = WireReader(bytes)
            let contentType = ContentType(rawValue: try reader.u8())
            return Payload(contentType, bytes.array(try reader.range(reader.remaining)))
        }
    }

    /// True where there is such a flow.
    package func contains<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ flow: FlowID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> Bool {
        do throws(Failure) {
            _ = try flowRecord(flow, snapshot)
            return true
        } catch {
            switch error {
            case .refused: return false
            case .lmdb(let error): throw error
            }
        }
    }

    /// True while a large effect is being carried out on the flow; false where there is no such flow.
    package func isSettling<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ flow: FlowID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> Bool {
        guard flow != .none, let bytes = try snapshot.get(flow.rawValue, in: tables.flows) else { return false }
        return try decode { () throws(WireError) in try FlowRecord(bytes).settling > 0 }
    }

    /// True while a large effect is being carried out on the flow of the job.
    package func isSettling<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ job: JobID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> Bool {
        guard let bytes = try snapshot.get(job.rawValue, in: tables.jobs) else { return false }
        return try isSettling(try decode { () throws(WireError) in try JobRecord(bytes).flow }, snapshot)
    }

    package func flowNodes<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetFlowNodes,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup
    ) throws(Failure) -> FlowNodePage {
        let flow = try flowRecord(request.flow, snapshot)
        let cursor = PageCursor("the nodes of flow \(request.flow)", .getFlowNodes, [request.flow.rawValue])
        let start = try cursor.open(request.cursor) ?? flow.firstJob.rawValue
        guard flow.mayHave(JobID(start)) else { throw cursor.refusal(request.cursor) }
        var page = FlowNodePage(commit: snapshot.id, next: 0, rows: [])
        let rowsMax = rowLimit(request.rows)
        var last = JobID(start - 1)
        var scanned = 0
        while let job = try wrap({ () throws(LMDBError) in
            try flow.nextJob(of: request.flow, after: last, tables, snapshot)
        }) {
            if page.rows.count >= rowsMax || scanned >= Reads.scannedPerPageMax {
                page.next = cursor.seal(job.rawValue)
                return page
            }
            scanned += 1
            last = job
            guard let record = try record(of: job, snapshot), !record.marks.contains(.isRemoved) else { continue }
            page.rows.append(try wrap { () throws(LMDBError) in try flowNode(job, record, snapshot, leases) })
        }
        return page
    }

    private func flowNode<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ job: JobID,
        _ record: JobRecord,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup
    ) throws(LMDBError) -> FlowNodePage.Row {
        let lease = record.state == .waiting ? leases.lease(of: job) : nil
        return FlowNodePage.Row(
            job: job,
            queue: try queueName(record.queue, snapshot),
            name: try name(of: job, record, snapshot),
            state: lease == nil ? record.state : .active,
            cause: record.cause,
            attemptsMade: record.attemptsMade,
            startedAt: lease?.startedAt ?? record.startedAt,
            finishedAt: record.finishedAt,
            dependencies: record.dependencies.counts
        )
    }

    package func flowEdges<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetFlowEdges,
        _ snapshot: borrowing Snapshot
    ) throws(Failure) -> FlowEdgePage {
        let flow = try flowRecord(request.flow, snapshot)
        let cursor = PageCursor("the edges of flow \(request.flow)", .getFlowEdges, [request.flow.rawValue])
        let job = JobID(try cursor.open(request.cursor.job.rawValue) ?? flow.firstJob.rawValue)
        guard flow.mayHave(job), request.cursor.position <= UInt64(UInt32.max) else {
            throw cursor.refusal(request.cursor.job.rawValue)
        }
        var page = try wrap { () throws(LMDBError) in
            try flowEdgePage(request, flow, from: EdgeKey(job, UInt32(request.cursor.position)), snapshot)
        }
        if page.next != .start { page.next.job = JobID(cursor.seal(page.next.job.rawValue)) }
        return page
    }

    private func flowEdgePage<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetFlowEdges,
        _ flow: FlowRecord,
        from start: EdgeKey,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> FlowEdgePage {
        var page = FlowEdgePage(commit: snapshot.id, next: .start, rows: [])
        let rowsMax = rowLimit(request.rows)
        var from = start
        let end = flow.end
        if from.dependent < end {
            guard try appendEdges(from, before: end, rowsMax, &page, snapshot) else { return page }
            from = EdgeKey(end, 0)
        }
        while flow.later > 0 {
            let after = FlowJobKey(request.flow, JobID(from.dependent.rawValue - 1))
            guard let key = try snapshot.entry(after: after, in: tables.laterJobs)?.key, key.flow == request.flow
            else { break }
            if key.job != from.dependent { from = EdgeKey(key.job, 0) }
            let next = JobID(key.job.rawValue + 1)
            guard try appendEdges(from, before: next, rowsMax, &page, snapshot) else { return page }
            from = EdgeKey(next, 0)
        }
        return page
    }

    /// Appends the edges of the jobs up to an id.
    ///
    /// - Returns: false where the page is full; it has its cursor then.
    private func appendEdges<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ from: EdgeKey,
        before end: JobID,
        _ rowsMax: Int,
        _ page: inout FlowEdgePage,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> Bool {
        var cursor = try snapshot.cursor(in: tables.edges)
        var entry = try cursor.seek(to: from)
        while let found = entry, let key = found.key, key.dependent < end {
            if page.rows.count >= rowsMax {
                page.next = FlowEdgeCursor(job: key.dependent, position: UInt64(key.position))
                return false
            }
            let value = found.value
            let edge = try decode { () throws(WireError) in try EdgeRecord(value) }
            page.rows.append(
                FlowEdgePage.Row(
                    dependent: key.dependent,
                    position: key.position,
                    dependency: edge.dependency,
                    kind: edge.kind,
                    policy: edge.policy,
                    condition: edge.condition
                )
            )
            entry = try cursor.next()
        }
        return true
    }

    /// Counts the leased jobs that the snapshot still has as waiting as active.
    func correct<Snapshot: Transaction & ~Copyable & ~Escapable>(
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

    func flowRecord<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ flow: FlowID,
        _ snapshot: borrowing Snapshot
    ) throws(Failure) -> FlowRecord {
        let record = try wrap { () throws(LMDBError) -> FlowRecord? in
            guard let bytes = try snapshot.get(flow.rawValue, in: tables.flows),
                try !isStaged({ $0.contains(flow) }, snapshot)
            else { return nil }
            return try decode { () throws(WireError) in try FlowRecord(bytes) }
        }
        guard let record else { throw .refused(WireError(.flowNotFound, "There is no flow \(flow).")) }
        return record
    }
}
