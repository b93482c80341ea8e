package import LMDB
package import PenstockWire

/// The jobs of a queue that are in one state, in order.
extension Reads {
    /// A place in the list, as its cursor says: what is ordered by, and the job, or for waiting jobs the place.
    private typealias Place = JobListCursor

    package func jobs<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetJobs,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup,
        elapsed: UInt64
    ) throws(Failure) -> JobPage {
        let queue = try queueID(request.queue)
        let words = [UInt64(queue.rawValue), UInt64(request.state.rawValue), request.isBackwards ? 1 : 0]
        let cursor = PageCursor("this list of jobs", .getJobs, words)
        var last: Place?
        if let order = try cursor.open(request.cursor.order) {
            last = Place(order: order, job: request.cursor.job)
        } else if request.cursor != .start {
            throw cursor.refusal(request.cursor.job)
        }
        var list = JobList(limit: rowLimit(request.rows))
        try wrap { () throws(LMDBError) in
            switch request.state {
            case .waiting: try waiting(in: queue, after: last, request.isBackwards, snapshot, leases, &list)
            case .active: try active(in: queue, after: last, request.isBackwards, snapshot, leases, &list)
            default: try listed(in: queue, request.state, after: last, request.isBackwards, snapshot, &list)
            }
        }
        var page = JobPage(commit: snapshot.id, next: .start, rows: [])
        if let next = list.next { page.next = Place(order: cursor.seal(next.order), job: next.job) }
        page.rows = try wrap { () throws(LMDBError) in
            var rows: [JobPage.Row] = []
            for job in list.jobs {
                if let row = try row(of: job, snapshot, leases, elapsed: elapsed) { rows.append(row) }
            }
            return rows
        }
        return page
    }

    /// The jobs of a page that is being made.
    private struct JobList {
        let limit: Int
        var jobs: [JobID] = []
        private var last: Place?
        private var passed = 0
        /// Where the next page goes on: behind what was seen last.
        var next: Place?

        init(limit: Int) { self.limit = limit }

        /// Takes the next job, or passes it over; false where the page is full, and this job begins another one.
        mutating func take(_ job: JobID, at place: Place, isWanted: Bool = true) -> Bool {
            if jobs.count == limit || passed == Reads.scannedPerPageMax {
                next = last
                return false
            }
            if isWanted { jobs.append(job) } else { passed += 1 }
            last = place
            return true
        }
    }

    /// In the order in which they are served; in a queue with groups, one group after the other.
    private func waiting<Snapshot: Transaction & ~Copyable & ~Escapable>(
        in queue: QueueID,
        after last: Place?,
        _ isBackwards: Bool,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup,
        _ list: inout JobList
    ) throws(LMDBError) {
        var bound = ReadyKey(isBackwards ? QueueID(queue.rawValue + 1) : queue, .none, .first)
        if let last {
            bound = ReadyKey(queue, last)
            // Backwards the walk begins below the bound.
            if !isBackwards { bound.turn.place += bound.turn.place == .max ? 0 : 1 }
        }
        var found = list
        try walk(tables.ready, from: bound, isBackwards: isBackwards, snapshot) { (key, value) throws(LMDBError) in
            guard key.queue == queue else { return false }
            let job = try decode { () throws(WireError) in try JobID(value: value) }
            return found.take(job, at: key.cursor, isWanted: leases.lease(of: job) == nil)
        }
        list = found
    }

    /// By the time at which they are due or ended; those that wait for children in the order of their ids.
    private func listed<Snapshot: Transaction & ~Copyable & ~Escapable>(
        in queue: QueueID,
        _ state: JobState,
        after last: Place?,
        _ isBackwards: Bool,
        _ snapshot: borrowing Snapshot,
        _ list: inout JobList
    ) throws(LMDBError) {
        var bound = JobListKey(queue, state, time: isBackwards ? .max : 0, job: JobID(isBackwards ? .max : 0))
        if let last {
            // Backwards the walk begins below the bound. The cursor is the client's: any number may stand in it.
            let next = isBackwards || last.job == .max ? last.job : last.job + 1
            bound = JobListKey(queue, state, time: last.order, job: JobID(next))
        }
        var found = list
        try walk(tables.jobLists, from: bound, isBackwards: isBackwards, snapshot) { (key, _) throws(LMDBError) in
            guard key.queue == queue, key.state == state.rawValue else { return false }
            return found.take(key.job, at: Place(order: key.time, job: key.job.rawValue))
        }
        list = found
    }

    /// By the time at which their leases began: all of them are in memory.
    private func active<Snapshot: Transaction & ~Copyable & ~Escapable>(
        in queue: QueueID,
        after last: Place?,
        _ isBackwards: Bool,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup,
        _ list: inout JobList
    ) throws(LMDBError) {
        var places: [Place] = []
        leases.leases(in: queue) { places.append(Place(order: $0.startedAt, job: $0.job.rawValue)) }
        places.sort { ($0.order, $0.job) < ($1.order, $1.job) }
        for place in isBackwards ? places.reversed() : places {
            if let last {
                let isSeen =
                    isBackwards
                    ? (place.order, place.job) >= (last.order, last.job)
                    : (place.order, place.job) <= (last.order, last.job)
                if isSeen { continue }
            }
            let job = JobID(place.job)
            guard let bytes = try snapshot.get(job.rawValue, in: tables.jobs) else { continue }
            let state = try decode { () throws(WireError) in try JobRecord(bytes).state }
            // A lease whose end is in the snapshot, and was not told yet, is none any more.
            guard state == .waiting || state == .active else { continue }
            guard list.take(job, at: place) else { return }
        }
    }

    private func row<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of job: JobID,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup,
        elapsed: UInt64
    ) throws(LMDBError) -> JobPage.Row? {
        guard let bytes = try snapshot.get(job.rawValue, in: tables.jobs) else { return nil }
        let record = try decode { () throws(WireError) in try JobRecord(bytes) }
        var row = JobPage.Row()
        row.job = job
        row.flow = record.flow
        row.cause = record.cause
        row.priority = record.priority
        row.attempts = record.attempts
        row.attemptsMade = record.attemptsMade
        row.attemptsStarted = record.attemptsStarted
        row.createdAt = record.createdAt
        row.startedAt = record.startedAt
        row.finishedAt = record.finishedAt
        if record.state == .delayed { row.dueIn = record.due > elapsed ? record.due - elapsed : 0 }
        if record.state == .waiting, let lease = leases.lease(of: job) {
            row.attemptsStarted += 1
            row.startedAt = lease.startedAt
        }
        if let bytes = try snapshot.get(job.rawValue, in: tables.payloads) {
            try decode { () throws(WireError) in
                let payload = try PayloadRow(bytes, of: record)
                row.name = try bytes.string(payload.name, "job name")
                row.customID = try bytes.string(payload.customID, "custom id")
            }
        }
        return row
    }
}

/// A waiting job's place in a list, in the 48 and 64 bits that a cursor has for it.
///
///     order   u21 priority | u27 low bits of the group
///     job     u5 high bits of the group | u59 place, counted from where 2^58 lifo jobs would have brought it
extension ReadyKey {
    private static let groupBits: UInt64 = 27
    private static let placeBits: UInt64 = 59
    private static let firstPlace: UInt64 = 1 << 63 - 1 << 58

    var cursor: JobListCursor {
        let group = UInt64(self.group.rawValue)
        let low = group & (1 << ReadyKey.groupBits - 1)
        return JobListCursor(
            order: UInt64(turn.priority) << ReadyKey.groupBits | low,
            job: (group >> ReadyKey.groupBits) << ReadyKey.placeBits | (turn.place &- ReadyKey.firstPlace)
        )
    }

    init(_ queue: QueueID, _ cursor: JobListCursor) {
        let low = cursor.order & (1 << ReadyKey.groupBits - 1)
        let high = cursor.job >> ReadyKey.placeBits
        self.queue = queue
        group = GroupID(UInt32(high << ReadyKey.groupBits | low))
        turn = Turn(
            priority: UInt32(truncatingIfNeeded: cursor.order >> ReadyKey.groupBits),
            place: (cursor.job & (1 << ReadyKey.placeBits - 1)) &+ ReadyKey.firstPlace
        )
    }
}
