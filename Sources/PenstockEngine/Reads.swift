package import LMDB
package import PenstockWire

/// A lease as reads have to see it: what the database does not know yet.
package struct LeaseOverlay: Sendable {
    package var job: JobID
    package var queue: QueueID
    package var group: GroupID
    package var flow: FlowID
    /// Wall time of the grant, in milliseconds.
    package var startedAt: UInt64

    package init(job: JobID, queue: QueueID, group: GroupID = .none, flow: FlowID, startedAt: UInt64) {
        self.job = job
        self.queue = queue
        self.group = group
        self.flow = flow
        self.startedAt = startedAt
    }
}

/// The leases that reads are corrected by: those that are held and not written.
package protocol LeaseLookup {
    func lease(of job: JobID) -> LeaseOverlay?
    /// Calls `body` with each lease of a job of the flow.
    func leases(in flow: FlowID, _ body: (LeaseOverlay) -> Void)
    /// Calls `body` with each lease of a job of the queue.
    func leases(in queue: QueueID, _ body: (LeaseOverlay) -> Void)
    /// Calls `body` with each lease.
    func forEach(_ body: (LeaseOverlay) -> Void)
    /// The name of the worker that holds the job, by a lease that is written or not; empty where it is not known.
    func worker(of job: JobID) -> String
}

extension LeaseLookup {
    package func worker(of job: JobID) -> String { "" }
}

/// No lease at all: for a database without a dispatcher.
package struct NoLeases: LeaseLookup {
    package init() {}
    package func lease(of job: JobID) -> LeaseOverlay? { nil }
    package func leases(in flow: FlowID, _ body: (LeaseOverlay) -> Void) {}
    package func leases(in queue: QueueID, _ body: (LeaseOverlay) -> Void) {}
    package func forEach(_ body: (LeaseOverlay) -> Void) {}
}

/// What readers ask: answered from one snapshot, corrected by the leases in memory.
///
/// A leased job is active for every reader, whether its lease is written or not.
package struct Reads {
    package enum Failure: Error {
        case refused(WireError)
        case lmdb(LMDBError)
    }

    let tables: Tables
    /// Names of queues by id; kept up with ``learn(_:_:)``.
    package private(set) var queueNames: [String] = []
    package private(set) var queueIDs: [String: QueueID] = [:]

    package init(_ engine: borrowing Engine) {
        tables = engine.tables
        for queue in engine.queues { learn(queue.id, queue.name) }
    }

    /// Remembers a queue's name. Ids come in order.
    package mutating func learn(_ id: QueueID, _ name: String) {
        while queueNames.count < Int(id.rawValue) { queueNames.append("") }
        queueNames[Int(id.rawValue) - 1] = name
        queueIDs[name] = id
    }

    /// Reads the names of queues that a batch has made.
    package mutating func learn<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ ids: [QueueID],
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) {
        for id in ids {
            guard let bytes = try snapshot.get(UInt64(id.rawValue), in: tables.queues) else { continue }
            let record = try decode { () throws(WireError) in try QueueRecord(id: id, bytes) }
            learn(id, record.name)
        }
    }

    /// The name of a queue; of one that a commit has just made, and that nobody has told of yet, from the snapshot.
    func queueName<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ id: QueueID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> String {
        if Int(id.rawValue) <= queueNames.count { return queueNames[Int(id.rawValue) - 1] }
        guard let bytes = try snapshot.get(UInt64(id.rawValue), in: tables.queues) else { return "" }
        return try decode { () throws(WireError) in try QueueRecord(id: id, bytes).name }
    }

    // MARK: One job

    package func job<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ reference: JobReference,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup,
        elapsed: UInt64
    ) throws(Failure) -> JobView {
        let id = try find(reference, snapshot)
        let record = try present(id, snapshot)
        return try wrap { () throws(LMDBError) in
            try view(id, record, snapshot, leases, elapsed: elapsed)
        }
    }

    private func view<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ id: JobID,
        _ record: JobRecord,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup,
        elapsed: UInt64
    ) throws(LMDBError) -> JobView {
        var view = JobView()
        view.commit = snapshot.id
        view.id = id
        view.queue = try queueName(record.queue, snapshot)
        view.flow = record.flow
        view.state = record.state
        view.cause = record.cause
        view.options.priority = record.priority
        view.options.attempts = record.attempts
        view.options.maxStalledCount = record.maxStalledCount
        view.options.onFailure = record.onFailure
        view.options.lifo = record.flags.contains(.lifo)
        view.options.cancelSiblings = record.marks.contains(.cancelsSiblings)
        view.isSkipped = record.marks.contains(.isSkipped)
        view.attemptsMade = record.attemptsMade
        view.attemptsStarted = record.attemptsStarted
        view.stalledCount = UInt32(record.stalledCount)
        view.createdAt = record.createdAt
        view.startedAt = record.startedAt
        view.finishedAt = record.finishedAt
        if record.state == .delayed { view.dueIn = record.due > elapsed ? record.due - elapsed : 0 }
        view.dependencies = record.dependencies.counts
        view.dependents = record.dependents
        view.failedDependency = record.dependencies.failedDependency
        if record.state == .waiting, let lease = leases.lease(of: id) {
            view.state = .active
            view.attemptsStarted += 1
            view.startedAt = lease.startedAt
        }
        if let bytes = try snapshot.get(id.rawValue, in: tables.payloads) {
            try decode { () throws(WireError) in
                let payload = try PayloadRow(bytes, of: record)
                view.name = try bytes.string(payload.name, "job name")
                view.customID = try bytes.string(payload.customID, "custom id")
                view.contentType = payload.contentType
                view.options.delay = payload.delay
                view.options.backoff = payload.backoff
                view.options.keepCompleted = payload.keepCompleted
                view.options.keepFailed = payload.keepFailed
                view.options.repeatEvery = payload.repeatEvery
                try payload.readRare(into: &view.options)
                view.headers = try payload.headers
                view.deduplication = try payload.deduplication
                view.group = try payload.group
                view.data = bytes.array(payload.data)
            }
        }
        view.outcome = try outcome(of: id, record, snapshot)
        if record.marks.contains(.hasProgress) { view.progress = try progress(of: id, snapshot) }
        return view
    }

    /// The state of a job as readers see it; nil where there is no such job.
    package func state<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of job: JobID,
        _ snapshot: borrowing Snapshot,
        _ leases: some LeaseLookup
    ) throws(Failure) -> JobState? {
        guard let record = try record(of: job, snapshot), !record.marks.contains(.isRemoved) else { return nil }
        return record.state == .waiting && leases.lease(of: job) != nil ? .active : record.state
    }

    /// What a worker is told whose job was taken from it.
    package func whyRevoked<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ job: JobID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> (Revoked.Reason, String) {
        guard let bytes = try snapshot.get(job.rawValue, in: tables.jobs) else { return (.withdrawn, "") }
        let record = try decode { () throws(WireError) in try JobRecord(bytes) }
        let reason: Revoked.Reason = record.state == .cancelled ? .cancelled : .withdrawn
        guard record.state.isFinished, case .failure(let message, _) = try outcome(of: job, record, snapshot) else {
            return (reason, "")
        }
        return (reason, message)
    }

    package func find<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ reference: JobReference,
        _ snapshot: borrowing Snapshot
    ) throws(Failure) -> JobID {
        switch reference {
        case .id(let id): return id
        case .custom(let queue, let custom):
            guard let queueID = queueIDs[queue] else {
                throw .refused(WireError(.jobNotFound, "There is no queue \(Names.quoted(queue))."))
            }
            guard custom.utf8.count <= PenstockWire.Limits.customIDBytesMax else {
                throw .refused(
                    WireError(
                        .invalidCustomID,
                        "A custom id of \(custom.utf8.count) bytes; \(PenstockWire.Limits.customIDBytesMax) are allowed."
                    )
                )
            }
            let text = Array(custom.utf8)
            let id = try wrap { () throws(LMDBError) -> JobID? in
                guard let bytes = try snapshot.get(CustomIDKey(queueID, text.rawSpan), in: tables.customIDs) else {
                    return nil
                }
                return try decode { () throws(WireError) in try JobID(value: bytes) }
            }
            guard let id else {
                throw .refused(
                    WireError(
                        .jobNotFound,
                        "Queue \(Names.quoted(queue)) has no job with the custom id \(Names.quoted(custom))."
                    )
                )
            }
            return id
        }
    }

    /// The record of a job that has not been removed.
    func present<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ job: JobID,
        _ snapshot: borrowing Snapshot
    ) throws(Failure) -> JobRecord {
        guard let record = try record(of: job, snapshot), !record.marks.contains(.isRemoved) else {
            throw notFound(job)
        }
        return record
    }

    /// The record of a job, though it may be a removed one that is kept for its dependents.
    func record<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of job: JobID,
        _ snapshot: borrowing Snapshot
    ) throws(Failure) -> JobRecord? {
        try wrap { () throws(LMDBError) in
            guard let bytes = try snapshot.get(job.rawValue, in: tables.jobs),
                try !isStaged({ $0.contains(job) }, snapshot)
            else { return nil }
            return try decode { () throws(WireError) in try JobRecord(bytes) }
        }
    }

    /// True where a large add that is not published is as asked for: nobody sees its jobs and flows.
    func isStaged<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ isWanted: (StagedRange) -> Bool,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> Bool {
        guard try snapshot.count(tables.staged) > 0 else { return false }
        var cursor = try snapshot.cursor(in: tables.staged)
        var entry = try cursor.first()
        while let found = entry {
            let value = found.value
            if isWanted(try decode { () throws(WireError) in try StagedRange(row: value) }) { return true }
            entry = try cursor.next()
        }
        return false
    }

    func outcome<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of job: JobID,
        _ record: JobRecord,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> JobOutcome {
        guard record.outcome != .none else { return .none }
        let count = Int(record.outcomeBytes)
        let bytes: [UInt8]
        if record.hasInlineOutcome {
            guard let row = try snapshot.get(job.rawValue, in: tables.jobs) else { return .none }
            bytes = [UInt8](copying: row.extracting(record.fixedBytes..<record.fixedBytes + count))
        } else {
            guard let row = try snapshot.get(job.rawValue, in: tables.results) else { return .none }
            bytes = [UInt8](copying: row)
        }
        if record.outcome == .result { return .result(record.contentType, bytes) }
        return try decode { () throws(WireError) in try JobOutcome(storedFailure: bytes) }
    }

    func name<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of job: JobID,
        _ record: JobRecord,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> String {
        guard let bytes = try snapshot.get(job.rawValue, in: tables.payloads) else { return "" }
        return try decode { () throws(WireError) in
            let payload = try PayloadRow(bytes, of: record)
            return try bytes.string(payload.name, "job name")
        }
    }

    func notFound(_ job: JobID) -> Failure { .refused(WireError(.jobNotFound, "There is no job \(job).")) }

    func wrap<Value>(_ body: () throws(LMDBError) -> Value) throws(Failure) -> Value {
        do throws(LMDBError) {
            return try body()
        } catch {
            throw .lmdb(error)
        }
    }
}

extension JobOutcome {
    /// A failure as the database holds it: `str16 message | bytes32 details`.
    init(storedFailure bytes: [UInt8]) throws(WireError) {
        var reader = WireReader(bytes.rawSpan)
        let message = try reader.string16("failure message")
        self = .failure(message: message, details: try reader.array32())
    }
}
