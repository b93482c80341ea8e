package import LMDB
package import PenstockWire

/// Edges, from either side.
extension Reads {
    /// Edges looked at for one page: a page may end early, with a cursor to go on from.
    static let scannedPerPageMax = 100_000

    package func dependencyTotals<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of job: JobID,
        _ snapshot: borrowing Snapshot
    ) throws(Failure) -> DependencyTotals {
        let record = try present(job, snapshot)
        return DependencyTotals(commit: snapshot.id, counts: record.dependencies.counts)
    }

    /// The pages asked for; together they hold at most the bytes of one page, and one row above them, so that the
    /// answer fits a frame.
    package func dependencies<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetDependencies,
        _ snapshot: borrowing Snapshot
    ) throws(Failure) -> DependencyPages {
        let record = try present(request.job, snapshot)
        var answer = DependencyPages(commit: snapshot.id, pages: [])
        var bytesLeft = PenstockWire.Limits.pageBytesMax
        for var page in request.pages {
            let words = [request.job.rawValue, UInt64(page.kind.rawValue)]
            let cursor = PageCursor("the \(page.kind) dependencies of job \(request.job)", .getDependencies, words)
            let place = try cursor.open(page.cursor) ?? 0
            guard place <= UInt64(record.dependencies.positions) else { throw cursor.refusal(page.cursor) }
            page.cursor = place
            var (rows, next) = try wrap { () throws(LMDBError) in
                try dependencyPage(of: request.job, page, &bytesLeft, snapshot)
            }
            if let next { rows.next = cursor.seal(UInt64(next)) }
            answer.pages.append(rows)
        }
        return answer
    }

    /// One page, and the position to go on from.
    ///
    /// A page that comes when no bytes are left is empty, and goes on from its first row.
    private func dependencyPage<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of job: JobID,
        _ page: GetDependencies.Page,
        _ bytesLeft: inout Int,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> (DependencyPages.Page, next: UInt32?) {
        let rowsMax = rowLimit(page.rows)
        var answer = DependencyPages.Page(kind: page.kind, next: 0, rows: [])
        var cursor = try snapshot.cursor(in: tables.edges)
        var entry = try cursor.seek(to: EdgeKey(job, UInt32(page.cursor)))
        var scanned = 0
        while let found = entry, let key = found.key, key.dependent == job {
            let value = found.value
            let edge = try decode { () throws(WireError) in try EdgeRecord(value) }
            let isFull = answer.rows.count >= rowsMax || bytesLeft <= 0
            if scanned >= Reads.scannedPerPageMax || isFull && (!answer.rows.isEmpty || edge.kind == page.kind) {
                return (answer, key.position)
            }
            scanned += 1
            if edge.kind == page.kind {
                let row = try dependencyRow(key.position, edge, snapshot)
                bytesLeft -= row.byteCount
                answer.rows.append(row)
            }
            entry = try cursor.next()
        }
        return (answer, nil)
    }

    private func dependencyRow<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ position: UInt32,
        _ edge: EdgeRecord,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> DependencyPages.Row {
        var row = DependencyPages.Row(
            position: position,
            job: edge.dependency,
            policy: edge.policy,
            condition: edge.condition,
            queue: "",
            name: "",
            outcome: .none
        )
        guard let bytes = try snapshot.get(edge.dependency.rawValue, in: tables.jobs) else { return row }
        let record = try decode { () throws(WireError) in try JobRecord(bytes) }
        row.queue = try queueName(record.queue, snapshot)
        row.name = try name(of: edge.dependency, record, snapshot)
        guard edge.kind != .unprocessed else { return row }
        let outcome = try outcome(of: edge.dependency, record, snapshot)
        switch (edge.kind, outcome) {
        case (.processed, .result), (.ignored, .failure), (.failed, .failure): row.outcome = outcome
        // The edge was decided by hand: how the dependency ended has nothing to say about it.
        default: break
        }
        return row
    }

    package func dependents<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetDependents,
        _ snapshot: borrowing Snapshot
    ) throws(Failure) -> DependentPage {
        let record = try present(request.job, snapshot)
        let cursor = PageCursor("the dependents of job \(request.job)", .getDependents, [request.job.rawValue])
        var request = request
        request.cursor = try cursor.open(request.cursor) ?? 0
        var page = try wrap { () throws(LMDBError) in try dependentPage(request, record, snapshot) }
        if page.next != 0 { page.next = cursor.seal(page.next) }
        return page
    }

    /// Ordered by id: the one that stands in the record is merged in where it belongs.
    private func dependentPage<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetDependents,
        _ record: JobRecord,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> DependentPage {
        let rowsMax = rowLimit(request.rows)
        var answer = DependentPage(commit: snapshot.id, next: 0, rows: [])
        var inline = record.firstDependent.rawValue >= request.cursor ? record.firstDependent : .none
        var cursor = try snapshot.cursor(in: tables.dependents)
        var entry = try cursor.seek(to: DependentKey(request.job, JobID(request.cursor)))
        while true {
            var next = JobID.none
            if let key = entry?.key, key.dependency == request.job { next = key.dependent }
            let takesInline = inline != .none && (next == .none || inline < next)
            let dependent = takesInline ? inline : next
            guard dependent != .none else { return answer }
            guard answer.rows.count < rowsMax else {
                answer.next = dependent.rawValue
                return answer
            }
            answer.rows.append(try dependentRow(dependent, snapshot))
            if takesInline { inline = .none } else { entry = try cursor.next() }
        }
    }

    private func dependentRow<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ job: JobID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> DependentPage.Row {
        guard let bytes = try snapshot.get(job.rawValue, in: tables.jobs) else {
            return DependentPage.Row(job: job, queue: "", name: "")
        }
        let record = try decode { () throws(WireError) in try JobRecord(bytes) }
        return DependentPage.Row(
            job: job,
            queue: try queueName(record.queue, snapshot),
            name: try name(of: job, record, snapshot)
        )
    }

    /// Rows of a page of which so many were asked for; 0: as many as there may be.
    package func rowLimit(_ asked: UInt32) -> Int {
        asked == 0 ? PenstockWire.Limits.pageRowsMax : min(Int(asked), PenstockWire.Limits.pageRowsMax)
    }
}

extension DependencyPages.Row {
    /// Bytes on the wire, at most.
    var byteCount: Int {
        let rest = 32 + queue.utf8.count + name.utf8.count
        return switch outcome {
        case .none: rest
        case .result(_, let bytes): rest + bytes.count
        case .failure(let message, let details): rest + message.utf8.count + details.count
        }
    }
}
