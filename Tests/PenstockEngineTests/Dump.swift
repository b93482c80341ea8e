import LMDB
import PenstockWire

@testable import PenstockEngine

/// Every table of a database, read into memory.
struct Dump {
    struct CustomID: Hashable {
        var queue: QueueID
        var id: [UInt8]
    }

    /// What is looked at of a payload row.
    struct Payload {
        var hasName = false
        var delay: UInt64 = 0
        var hasBackoff = false
        var customID: [UInt8] = []
        var deduplication: [UInt8] = []
    }

    var meta: MetaRecord?
    var queues = SortedRows<QueueID, QueueRecord>()
    var jobs = SortedRows<JobID, JobRecord>()
    var inlineBytes = SortedRows<JobID, Int>()
    var payloads = SortedRows<JobID, Payload>()
    var results = SortedRows<JobID, Int>()
    var ready: [(key: ReadyKey, job: JobID)] = []
    var delayed: [DelayedKey] = []
    /// Jobs by queue, state and time.
    var lists: [JobListKey] = []
    var settings: [QueueID: QueueSettings] = [:]
    /// Rows that count ready jobs by priority; and how many rows of the ready index there are.
    var priorities: [PriorityKey: UInt32] = [:]
    var readyRows: [PriorityKey: UInt32] = [:]
    var groups: [GroupKey: GroupRecord] = [:]
    var groupNames: [GroupKey: [UInt8]] = [:]
    var groupLimits: [GroupKey: UInt32] = [:]
    /// Jobs with a group, those of large adds that are not published included.
    var groupJobs: [GroupKey: UInt32] = [:]
    var edges: [(key: EdgeKey, record: EdgeRecord)] = []
    var dependents: [(key: DependentKey, position: UInt32)] = []
    var flows = SortedRows<FlowID, FlowRecord>()
    var flowNames: Set<FlowID> = []
    var sessions: [SessionID: SessionRecord] = [:]
    var outcomes: [OutcomeKey] = []
    var customIDs: [CustomID: JobID] = [:]
    var leases = SortedRows<JobID, LeaseRecord>()
    var laterJobs: [FlowJobKey] = []
    var childKeys: [(parent: JobID, key: [UInt8], job: JobID)] = []
    /// The job under which a child has a key, by the child.
    var keyHolders: [JobID: JobID] = [:]
    var pending: [(key: UInt64, settlement: UInt64, effect: Effect)] = []
    var settlements: [UInt64: SettlementRecord] = [:]
    var settling: [SettlingKey] = []
    var schedulers: [[UInt8]: SchedulerRecord] = [:]
    var schedulerTemplates: Set<[UInt8]> = []
    var schedulersDue: [SchedulerDueKey] = []
    var startLimits: [JobID: UInt64] = [:]
    var startLimitsDue: [DelayedKey] = []
    var attempts: [(key: EdgeKey, row: AttemptList.Row)] = []
    var reports: [JobID: ReportRecord] = [:]
    /// The lines of logs, and the bytes of each one's text.
    var logs: [(key: EdgeKey, bytes: Int)] = []
    var timed: [DelayedKey] = []
    var deduplications: [DeduplicationKey: DeduplicationRecord] = [:]
    var deduplicationsDue: [DeduplicationDueKey] = []
    var deduplicationsKept: Set<DeduplicationKey> = []
    var schedulerRuns: [(run: SchedulerRunKey, id: [UInt8])] = []

    init(_ environment: Environment, _ reader: SnapshotReader) throws {
        let tables = Tables(environment)
        let snapshot = try reader.begin()
        try walk(tables.meta, snapshot) { key, value in
            precondition(key == 0)
            meta = try MetaRecord(value)
        }
        try walk(tables.queues, snapshot) { key, value in
            let id = QueueID(UInt32(key))
            queues.append(id, try QueueRecord(id: id, value))
        }
        try walk(tables.jobs, snapshot) { key, value in
            let record = try JobRecord(value)
            jobs.append(JobID(key), record)
            if record.group != .none { groupJobs[GroupKey(record.queue, record.group), default: 0] += 1 }
            inlineBytes.append(JobID(key), value.byteCount - record.fixedBytes)
        }
        try walk(tables.payloads, snapshot) { key, value in
            guard let record = jobs[JobID(key)] else { return payloads.append(JobID(key), Payload()) }
            let row = try PayloadRow(value, of: record)
            let payload = Payload(
                hasName: !row.name.isEmpty,
                delay: row.delay,
                hasBackoff: row.backoff != .none,
                customID: value.array(row.customID),
                deduplication: Array((try row.deduplication?.id ?? "").utf8)
            )
            payloads.append(JobID(key), payload)
        }
        try walk(tables.results, snapshot) { results.append(JobID($0), $1.byteCount) }
        try walk(tables.ready, snapshot) { key, value in
            var reader = WireReader(value)
            ready.append((key, try reader.jobID()))
            readyRows[PriorityKey(key.queue, key.turn.priority), default: 0] += 1
        }
        try walk(tables.queueSettings, snapshot) { settings[QueueID(UInt32($0))] = try QueueSettings(row: $1) }
        try walk(tables.priorities, snapshot) { key, value in
            var reader = WireReader(value)
            priorities[key] = try reader.u32()
        }
        try walk(tables.groups, snapshot) { groups[$0] = try GroupRecord($1) }
        try walk(tables.groupLimits, snapshot) { groupLimits[$0] = try tables.number($1) }
        try readGroupNames(tables, snapshot)
        try walk(tables.delayed, snapshot) { key, _ in delayed.append(key) }
        try walk(tables.jobLists, snapshot) { key, _ in lists.append(key) }
        try walk(tables.edges, snapshot) { key, value in edges.append((key, try EdgeRecord(value))) }
        try walk(tables.dependents, snapshot) { key, value in
            var reader = WireReader(value)
            dependents.append((key, try reader.u32()))
        }
        try walk(tables.flows, snapshot) { flows.append(FlowID($0), try FlowRecord($1)) }
        try walk(tables.flowNames, snapshot) { key, _ in flowNames.insert(FlowID(key)) }
        try walk(tables.sessions, snapshot) { sessions[$0.session] = try SessionRecord($1) }
        try walk(tables.outcomes, snapshot) { key, _ in outcomes.append(key) }
        try walk(tables.leases, snapshot) { leases.append(JobID($0), try LeaseRecord($1)) }
        var staged: [StagedRecord] = []
        try walk(tables.staged, snapshot) { _, row in staged.append(try StagedRecord(row)) }
        try walk(tables.laterJobs, snapshot) { key, _ in laterJobs.append(key) }
        try readChildKeys(tables, snapshot)
        try walk(tables.pending, snapshot) { key, value in
            let (settlement, effect) = try Effect.decode(value)
            pending.append((key, settlement, effect))
        }
        try walk(tables.settlements, snapshot) { settlements[$0] = try SettlementRecord($1) }
        try walk(tables.settling, snapshot) { key, _ in settling.append(key) }
        try walk(tables.schedulers, snapshot) { schedulers[$0.id] = try SchedulerRecord($1) }
        try walk(tables.schedulerTemplates, snapshot) { key, _ in schedulerTemplates.insert(key.id) }
        try walk(tables.startLimits, snapshot) { key, value in
            var reader = WireReader(value)
            startLimits[JobID(key)] = try reader.u64()
        }
        try walk(tables.startLimitsDue, snapshot) { key, _ in startLimitsDue.append(key) }
        try walk(tables.attempts, snapshot) { attempts.append(($0, try AttemptRecord.row($0.position, $1))) }
        try walk(tables.reports, snapshot) { reports[JobID($0)] = try ReportRecord.decode($1).0 }
        try walk(tables.logs, snapshot) { logs.append(($0, $1.byteCount - Engine.logHeadBytes)) }
        try walk(tables.timed, snapshot) { key, _ in timed.append(key) }
        try walk(tables.deduplications, snapshot) { deduplications[$0] = try DeduplicationRecord($1) }
        try walk(tables.deduplicationsDue, snapshot) { key, _ in deduplicationsDue.append(key) }
        try walk(tables.deduplicationsKept, snapshot) { key, _ in deduplicationsKept.insert(key) }
        try walk(tables.schedulersDue, snapshot) { key, _ in schedulersDue.append(key) }
        try walk(tables.schedulerRuns, snapshot) { schedulerRuns.append(($0, [UInt8](copying: $1))) }
        var cursor = try snapshot.cursor(in: tables.customIDs)
        var entry = try cursor.first()
        while let found = entry {
            var key = KeyReader(found.keyBytes)
            let queue = QueueID(key.readUInt32()!)
            var value = WireReader(found.value)
            customIDs[CustomID(queue: queue, id: [UInt8](copying: key.readRest()))] = try value.jobID()
            entry = try cursor.next()
        }
        settleStaged(staged, pending.map(\.effect))
    }

    func edges(of dependent: JobID) -> ArraySlice<(key: EdgeKey, record: EdgeRecord)> {
        let first = edges.partitioningIndex { $0.key.dependent >= dependent }
        return edges[first...].prefix { $0.key.dependent == dependent }
    }

    private mutating func readGroupNames<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ tables: Tables,
        _ snapshot: borrowing Snapshot
    ) throws {
        var cursor = try snapshot.cursor(in: tables.groupNames)
        var entry = try cursor.first()
        while let found = entry {
            var key = KeyReader(found.keyBytes)
            let queue = QueueID(key.readUInt32()!)
            groupNames[GroupKey(queue, GroupID(try tables.number(found.value)))] = [UInt8](copying: key.readRest())
            entry = try cursor.next()
        }
    }

    private mutating func readChildKeys<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ tables: Tables,
        _ snapshot: borrowing Snapshot
    ) throws {
        var cursor = try snapshot.cursor(in: tables.childKeys)
        var entry = try cursor.first()
        while let found = entry {
            var key = KeyReader(found.keyBytes)
            let parent = JobID(key.readUInt64()!)
            var value = WireReader(found.value)
            let name = [UInt8](copying: key.readRest())
            let job = try value.jobID()
            if name.isEmpty { keyHolders[parent] = job } else { childKeys.append((parent, name, job)) }
            entry = try cursor.next()
        }
    }
}

private func walk<Key: DecodableTableKey, Snapshot: Transaction & ~Copyable & ~Escapable>(
    _ table: Table<Key>,
    _ snapshot: borrowing Snapshot,
    _ body: (Key, RawSpan) throws -> Void
) throws {
    var cursor = try snapshot.cursor(in: table)
    var entry = try cursor.first()
    while let found = entry {
        try body(found.key!, found.value)
        entry = try cursor.next()
    }
}

/// The bytes of every table, in order: two databases that hold the same have the same.
func bytes(of environment: Environment, _ reader: SnapshotReader) throws -> [String: [[UInt8]]] {
    var tables: [String: [[UInt8]]] = [:]
    let snapshot = try reader.begin()
    for name in Tables.names {
        var rows: [[UInt8]] = []
        var cursor = try snapshot.cursor(in: environment.table(name, keyedBy: BytesKey.self))
        var entry = try cursor.first()
        while let found = entry {
            rows.append([UInt8](copying: found.keyBytes))
            rows.append([UInt8](copying: found.value))
            entry = try cursor.next()
        }
        tables[name] = rows
    }
    return tables
}

extension Dump {
    /// Where the memory of the engine differs from what is stored.
    func differences(from engine: borrowing Engine) -> [String] {
        var problems: [String] = []
        var stored = WireWriter()
        meta?.encode(into: &stored)
        var held = WireWriter()
        engine.meta.encode(into: &held)
        if stored.bytes != held.bytes { problems.append("the engine's counters differ from the stored ones") }
        if engine.queues.count != queues.count { problems.append("the engine knows other queues than are stored") }
        for queue in engine.queues {
            if queue.isDirty { problems.append("queue \(queue.name) is dirty after its batch") }
            if queues[queue.id]?.counts != queue.counts || queues[queue.id]?.name != queue.name {
                problems.append("queue \(queue.name) differs from the stored one")
            }
            if engine.queueIDs[queue.name] != queue.id { problems.append("queue \(queue.name) has another id") }
        }
        if engine.openFlow != nil { problems.append("a flow was not written") }
        if !engine.effects.isEmpty { problems.append("an effect was neither carried out nor stored") }
        if engine.openSettlement != nil { problems.append("a settlement was not written") }
        if engine.settings != settings { problems.append("the engine knows other settings than are stored") }
        if !engine.readyChanges.isEmpty { problems.append("a count of ready jobs was not written") }
        if !engine.groupChanges.isEmpty { problems.append("a count of the jobs of a group was not written") }
        if !engine.dirtyQueues.isEmpty { problems.append("a queue was not written") }
        return problems
    }
}
