package import LMDB
package import PenstockWire

/// Queues: what is in them, and what is set of them.
extension Reads {
    package func queue<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ name: String,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup,
        elapsed: UInt64
    ) throws(Failure) -> QueueView {
        let queue = try queueID(name)
        let leased = leased(in: queue, leases)
        let record = try wrap { () throws(LMDBError) in try queueRecord(queue, snapshot) }
        var view = QueueView(commit: snapshot.id, counts: record?.counts ?? StateCounts())
        try correct(&view.counts, leased, snapshot)
        view.settings = try wrap { () throws(LMDBError) in try settings(of: queue, snapshot) }
        if view.counts[.waiting] > 0 {
            let since = try wrap { () throws(LMDBError) in try oldestReady(of: queue, Set(leased), snapshot) }
            view.oldestReady = since.map { elapsed > $0 ? elapsed - $0 : 0 }
        }
        return view
    }

    /// The queue of a name that somebody has used.
    func queueID(_ name: String) throws(Failure) -> QueueID {
        guard let queue = queueIDs[name] else {
            throw .refused(
                WireError(
                    .queueNotFound,
                    "There is no queue \(Names.quoted(name)): nothing was added to it or set of it, and no worker asked for its jobs."
                )
            )
        }
        return queue
    }

    private func leased(in queue: QueueID, _ leases: some LeaseLookup) -> [JobID] {
        var leased: [JobID] = []
        leases.leases(in: queue) { leased.append($0.job) }
        return leased
    }

    private func queueRecord<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ queue: QueueID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> QueueRecord? {
        guard let bytes = try snapshot.get(UInt64(queue.rawValue), in: tables.queues) else { return nil }
        return try decode { () throws(WireError) in try QueueRecord(id: queue, bytes) }
    }

    private func settings<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of queue: QueueID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> QueueSettings {
        guard let bytes = try snapshot.get(UInt64(queue.rawValue), in: tables.queueSettings) else { return .standard }
        return try decode { () throws(WireError) in try QueueSettings(row: bytes) }
    }

    // MARK: The oldest

    /// Runs of jobs with one group and one priority in which the oldest is looked for.
    private static let runsLookedAtMax = 1000

    /// Since when the job is ready that has been so for longest, of those that are first of their group and priority, and
    /// of the lifo jobs of each run the one that is last; nil where none is free.
    ///
    /// It begins with the oldest groups and the least urgent jobs: there, the wait is longest.
    private func oldestReady<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of queue: QueueID,
        _ leased: Set<JobID>,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> UInt64? {
        var oldest = UInt64.max
        var bound = ReadyKey(QueueID(queue.rawValue + 1), .none, .first)
        for _ in 0..<Reads.runsLookedAtMax {
            guard let last = try lastReady(before: bound, snapshot), last.queue == queue else { break }
            // Places of lifo jobs fall from the middle, those of others rise from it.
            let middle = ReadyKey(queue, last.group, Turn(priority: last.turn.priority, place: 1 << 63))
            for isBackwards in [false, true] {
                if let since = try readySince(middle, isBackwards: isBackwards, leased, snapshot) {
                    oldest = min(oldest, since)
                }
            }
            bound = ReadyKey(queue, last.group, Turn(priority: last.turn.priority, place: 0))
        }
        return oldest == .max ? nil : oldest
    }

    private func lastReady<Snapshot: Transaction & ~Copyable & ~Escapable>(
        before bound: ReadyKey,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> ReadyKey? {
        var cursor = try snapshot.cursor(in: tables.ready)
        let beyond = try cursor.seek(to: bound)
        return try (beyond == nil ? cursor.last() : cursor.previous())?.key
    }

    /// Since when the first job at or above the bound is ready, or the last below it, that has no lease.
    private func readySince<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ bound: ReadyKey,
        isBackwards: Bool,
        _ leased: Set<JobID>,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> UInt64? {
        var since: UInt64?
        try walk(tables.ready, from: bound, isBackwards: isBackwards, snapshot) { (key, value) throws(LMDBError) in
            guard key.queue == bound.queue, key.group == bound.group, key.turn.priority == bound.turn.priority else {
                return false
            }
            let job = try decode { () throws(WireError) in try JobID(value: value) }
            if leased.contains(job) { return true }
            guard let bytes = try snapshot.get(job.rawValue, in: tables.jobs) else { return false }
            since = try decode { () throws(WireError) in try JobRecord(bytes).due }
            return false
        }
        return since
    }

    /// Goes through a table from a key on: upwards beginning with it, backwards beginning below it.
    ///
    /// - Parameter body: gets each entry; returns false to end the walk.
    func walk<Key: DecodableTableKey, Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ table: Table<Key>,
        from bound: Key,
        isBackwards: Bool,
        _ snapshot: borrowing Snapshot,
        _ body: (Key, RawSpan) throws(LMDBError) -> Bool
    ) throws(LMDBError) {
        var cursor = try snapshot.cursor(in: table)
        var entry = try cursor.seek(to: bound)
        if isBackwards { entry = entry == nil ? try cursor.last() : try cursor.previous() }
        while let found = entry, let key = found.key {
            guard try body(key, found.value) else { return }
            entry = isBackwards ? try cursor.previous() : try cursor.next()
        }
    }

    // MARK: Priorities

    package func priorities<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetPriorities,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup
    ) throws(Failure) -> PriorityPage {
        let queue = try queueID(request.queue)
        let cursor = PageCursor("the priorities of this queue", .getPriorities, [UInt64(queue.rawValue)])
        let start = UInt32(clamping: try cursor.open(request.cursor) ?? 0)
        var leased: [UInt32: UInt32] = [:]
        for job in self.leased(in: queue, leases) {
            if let record = try record(of: job, snapshot), record.state == .waiting {
                leased[record.priority, default: 0] += 1
            }
        }
        var page = PriorityPage(commit: snapshot.id, next: 0, rows: [])
        func append(_ priority: UInt32, _ ready: UInt32) {
            let waiting = ready - min(ready, leased[priority] ?? 0)
            if waiting > 0 { page.rows.append(PriorityPage.Row(priority: priority, waiting: waiting)) }
        }
        let rowsMax = rowLimit(request.rows)
        try wrap { () throws(LMDBError) in
            if start == 0, let record = try queueRecord(queue, snapshot) { append(0, record.mostUrgent) }
            let bound = PriorityKey(queue, start)
            try walk(tables.priorities, from: bound, isBackwards: false, snapshot) { (key, value) throws(LMDBError) in
                guard key.queue == queue else { return false }
                if page.rows.count == rowsMax {
                    page.next = cursor.seal(UInt64(key.priority))
                    return false
                }
                append(
                    key.priority,
                    try decode { () throws(WireError) in
                        var reader = WireReader(value)
                        return try reader.u32()
                    }
                )
                return true
            }
        }
        return page
    }

    // MARK: All queues

    package func queues<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: ListQueues,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup
    ) throws(Failure) -> QueuePage {
        let cursor = PageCursor("the list of queues", .listQueues, [])
        let start = try cursor.open(request.cursor) ?? 0
        var leased: [QueueID: [JobID]] = [:]
        leases.forEach { leased[$0.queue, default: []].append($0.job) }
        let rowsMax = rowLimit(request.rows)
        var page = QueuePage(commit: snapshot.id, next: 0, rows: [])
        var ids: [QueueID] = []
        try wrap { () throws(LMDBError) in
            try walk(tables.queues, from: start, isBackwards: false, snapshot) { (key, value) throws(LMDBError) in
                if page.rows.count == rowsMax {
                    page.next = cursor.seal(key)
                    return false
                }
                let id = QueueID(UInt32(truncatingIfNeeded: key))
                let record = try decode { () throws(WireError) in try QueueRecord(id: id, value) }
                let isPaused = try settings(of: id, snapshot).isPaused
                page.rows.append(QueuePage.Row(name: record.name, counts: record.counts, isPaused: isPaused))
                ids.append(id)
                return true
            }
        }
        for (index, id) in ids.enumerated() { try correct(&page.rows[index].counts, leased[id] ?? [], snapshot) }
        return page
    }
}

extension JobID {
    /// A row's value that is the id of a job.
    init(value: RawSpan) throws(WireError) {
        var reader = WireReader(value)
        self = try reader.jobID()
    }
}
