package import LMDB
package import PenstockWire

/// Finding flows: by name, status and time of their add.
extension Reads {
    /// Flows looked at for one page: a page may end early, with a cursor to go on from.
    static let flowsPerPageMax = 10_000

    package func flows<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: ListFlows,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup
    ) throws(Failure) -> FlowPage {
        let rowsMax = rowLimit(request.rows)
        var leased: [FlowID: [JobID]] = [:]
        leases.forEach { leased[$0.flow, default: []].append($0.job) }
        var page = FlowPage(commit: snapshot.id, next: 0, rows: [])
        let cursor = PageCursor("this list of flows", .listFlows, request.words)
        var walk = FlowWalk(request, from: try cursor.open(request.cursor))
        var scanned = 0
        while let flow = try wrap({ () throws(LMDBError) in try walk.next(tables, snapshot) }) {
            if page.rows.count >= rowsMax || scanned >= Reads.flowsPerPageMax {
                page.next = cursor.seal(flow.rawValue)
                return page
            }
            scanned += 1
            if try wrap({ () throws(LMDBError) in try isStaged({ $0.contains(flow) }, snapshot) }) { continue }
            let record = try flowRecord(flow, snapshot)
            guard request.wants(record) else { continue }
            var counts = record.counts
            try correct(&counts, leased[flow] ?? [], snapshot)
            page.rows.append(
                FlowPage.Row(
                    id: flow,
                    name: try wrap { () throws(LMDBError) in try flowName(flow, snapshot) },
                    status: record.status,
                    createdAt: record.createdAt,
                    finishedAt: record.finishedAt,
                    counts: counts
                )
            )
        }
        return page
    }

    func flowName<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ flow: FlowID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> String {
        guard let bytes = try snapshot.get(flow.rawValue, in: tables.flowNames) else { return "" }
        return String(validating: bytes) ?? ""
    }
}

extension ListFlows {
    /// What tells this list from others.
    fileprivate var words: [UInt64] {
        let choice = UInt64(status?.rawValue ?? ListFlows.anyStatus) << 1 | (oldestFirst ? 1 : 0)
        return [choice, createdFrom, createdTo] + name.utf8.map { UInt64($0) }
    }

    /// True for a flow that is to be listed; of its name the walk sees only those.
    func wants(_ record: FlowRecord) -> Bool {
        (status == nil || status == record.status) && record.createdAt >= createdFrom
            && (createdTo == 0 || record.createdAt < createdTo)
    }
}

/// The flows in the order of their ids, up or down: all of them, or those of one name.
private struct FlowWalk {
    let name: [UInt8]
    let isRising: Bool
    /// The next flow to look for.
    var from: FlowID?

    init(_ request: ListFlows, from start: UInt64?) {
        name = Array(request.name.utf8)
        isRising = request.oldestFirst
        from = FlowID(start ?? (isRising ? 0 : .max))
    }

    mutating func next<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ tables: Tables,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> FlowID? {
        guard let from else { return nil }
        let found = name.isEmpty ? try nextOfAll(from, tables, snapshot) : try nextNamed(from, tables, snapshot)
        if let found {
            let isLast = !isRising && found.rawValue == 0
            self.from = isLast ? nil : FlowID(isRising ? found.rawValue + 1 : found.rawValue - 1)
        }
        return found
    }

    private func nextOfAll<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ from: FlowID,
        _ tables: Tables,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> FlowID? {
        var cursor = try snapshot.cursor(in: tables.flows)
        let above = try cursor.seek(to: from.rawValue)?.key
        if isRising || above == from.rawValue { return above.map { FlowID($0) } }
        return try (above == nil ? cursor.last() : cursor.previous())?.key.map { FlowID($0) }
    }

    private func nextNamed<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ from: FlowID,
        _ tables: Tables,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> FlowID? {
        var cursor = try snapshot.cursor(in: tables.flowsByName)
        let key = FlowNameKey(name.rawSpan, from)
        if let entry = try cursor.seek(to: key) {
            let keyBytes = entry.keyBytes
            if let flow = FlowNameKey.flow(of: keyBytes, named: name), isRising || flow == from { return flow }
            if isRising { return nil }
            guard let below = try cursor.previous() else { return nil }
            let bytes = below.keyBytes
            return FlowNameKey.flow(of: bytes, named: name)
        }
        if isRising { return nil }
        guard let last = try cursor.last() else { return nil }
        let bytes = last.keyBytes
        return FlowNameKey.flow(of: bytes, named: name)
    }
}
