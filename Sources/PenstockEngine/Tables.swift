import LMDB
import PenstockWire

/// The tables of the database, and the type of each one's key. Keys are big-endian: their order has a meaning.
package struct Tables: Sendable {
    package static let names = [
        "meta", "queues", "jobs", "payloads", "results", "ready", "delayed", "jobLists", "edges", "dependents",
        "flows", "flowNames", "sessions", "outcomes", "customIDs", "leases", "laterJobs", "pending", "settlements",
        "settling", "flowsByName", "flowMetadata", "childKeys", "staged", "stagedAdds", "stagedItems",
        "stagedExisting", "stagedEdges", "schedulers", "schedulerTemplates", "schedulersDue", "schedulerRuns",
        "startLimits", "startLimitsDue", "attempts", "reports", "logs", "timed", "queueSettings", "priorities",
        "deduplications", "deduplicationsDue", "deduplicationsKept",
        "groups", "groupNames", "groupLimits",
    ]

    /// ``MetaRecord`` under the key 0.
    let meta: Table<UInt64>
    /// ``QueueRecord`` by queue id.
    let queues: Table<UInt64>
    /// ``JobRecord`` by job id: small, rewritten by every change of state.
    let jobs: Table<UInt64>
    /// ``PayloadRow`` by job id: written once.
    let payloads: Table<UInt64>
    /// Outcomes that are too large for the record, by job id.
    let results: Table<UInt64>
    /// The waiting jobs of every queue, in the order in which they are served; the value is the job id.
    let ready: Table<ReadyKey>
    /// Jobs that wait for a time; no value.
    let delayed: Table<DelayedKey>
    /// The jobs of every queue that are delayed, wait for children, or have ended, by state and time; no value.
    let jobLists: Table<JobListKey>
    /// ``EdgeRecord`` by dependent and position.
    let edges: Table<EdgeKey>
    /// The second and further dependents of a job; the value is the edge's position. The first is in its record.
    let dependents: Table<DependentKey>
    /// ``FlowRecord`` by flow id.
    let flows: Table<UInt64>
    /// The names of flows that have one, by flow id.
    let flowNames: Table<UInt64>
    /// ``SessionRecord`` by session id.
    let sessions: Table<SessionKey>
    /// APPLIED bodies that the client has not confirmed, by session and last number in them.
    let outcomes: Table<OutcomeKey>
    /// Job ids by queue and custom id.
    let customIDs: Table<CustomIDKey>
    /// ``LeaseRecord`` by job id: leases that are old enough to be kept over a restart.
    let leases: Table<UInt64>
    /// The jobs that were added to a flow when it ran; no value.
    let laterJobs: Table<FlowJobKey>
    /// ``Effect`` by number: what large effects still have to do, first come, first served.
    let pending: Table<UInt64>
    /// ``SettlementRecord`` by number.
    let settlements: Table<UInt64>
    /// The flows that a settlement has reached; no value.
    let settling: Table<SettlingKey>

    /// The flows that have a name, by name and id; no value.
    let flowsByName: Table<FlowNameKey>
    /// `u8 contentType | bytes` by flow id, of the flows that have metadata.
    let flowMetadata: Table<UInt64>
    /// Job ids by the job whose worker added them, and their key there.
    let childKeys: Table<ChildKey>

    /// ``StagedRecord`` by the first job of the add: large adds that are not published.
    let staged: Table<UInt64>
    /// The first job of each of them, by session and the client's number.
    let stagedAdds: Table<StagedAddKey>
    /// ``StagedItem`` by the add's first job and the item's number.
    let stagedItems: Table<EdgeKey>
    /// Jobs that nodes of such an add stand for, by the add's first job and the node's number.
    let stagedExisting: Table<EdgeKey>
    /// The edges of such an add to jobs outside: those do not know of them yet. No value.
    let stagedEdges: Table<EdgeKey>

    /// ``SchedulerRecord`` by id.
    let schedulers: Table<SchedulerKey>
    /// What each scheduler adds, as the end of an ADD's body.
    let schedulerTemplates: Table<SchedulerKey>
    /// The schedulers that have a next occurrence, or a run to make up for; no value.
    let schedulersDue: Table<SchedulerDueKey>
    /// Runs that have not finished, and the ids of the schedulers that then make up for a missed one.
    let schedulerRuns: Table<SchedulerRunKey>

    /// Elapsed time at which a job fails that nobody has started, by job id: of those with a bound that have been ready.
    let startLimits: Table<UInt64>
    /// The same in the order of their times; no value.
    let startLimitsDue: Table<DelayedKey>
    /// ``AttemptRecord`` by job and number, of the attempts that did not complete their job.
    let attempts: Table<EdgeKey>
    /// ``ReportRecord`` by job id: progress, and how far the log goes.
    let reports: Table<UInt64>
    /// `u64 time | text` by job and number: the lines of its log.
    let logs: Table<EdgeKey>
    /// The delayed jobs that wait for a wall time, by that; no value. They stand among the delayed ones, too.
    let timed: Table<DelayedKey>
    /// `u32 checksum (0: none yet) | u8 version | QueueSettings` by queue id, of the queues of which something was set.
    let queueSettings: Table<UInt64>
    /// How many ready jobs a queue has of a priority, but for priority 0: those are counted in the queue's row.
    let priorities: Table<PriorityKey>
    /// ``DeduplicationRecord`` by queue and deduplication id: who holds it.
    let deduplications: Table<DeduplicationKey>
    /// Those that are held for a time, by its end; no value.
    let deduplicationsDue: Table<DeduplicationDueKey>
    /// The adds that are kept until the job that holds their id has ended, each as the end of an ADD's body.
    let deduplicationsKept: Table<DeduplicationKey>
    /// ``GroupRecord`` by queue and group, of the groups that have jobs or of which something is set.
    let groups: Table<GroupKey>
    /// The numbers of these groups by queue and name.
    let groupNames: Table<GroupNameKey>
    /// `u32` jobs that may run at a time, of the groups that have a bound of their own; by group 0 that of the others.
    let groupLimits: Table<GroupKey>

    init(_ environment: Environment) {
        meta = environment.table("meta")
        queues = environment.table("queues")
        jobs = environment.table("jobs")
        payloads = environment.table("payloads")
        results = environment.table("results")
        ready = environment.table("ready")
        delayed = environment.table("delayed")
        jobLists = environment.table("jobLists")
        edges = environment.table("edges")
        dependents = environment.table("dependents")
        flows = environment.table("flows")
        flowNames = environment.table("flowNames")
        sessions = environment.table("sessions")
        outcomes = environment.table("outcomes")
        customIDs = environment.table("customIDs")
        leases = environment.table("leases")
        laterJobs = environment.table("laterJobs")
        pending = environment.table("pending")
        settlements = environment.table("settlements")
        settling = environment.table("settling")
        flowsByName = environment.table("flowsByName")
        flowMetadata = environment.table("flowMetadata")
        childKeys = environment.table("childKeys")
        staged = environment.table("staged")
        stagedAdds = environment.table("stagedAdds")
        stagedItems = environment.table("stagedItems")
        stagedExisting = environment.table("stagedExisting")
        stagedEdges = environment.table("stagedEdges")
        schedulers = environment.table("schedulers")
        schedulerTemplates = environment.table("schedulerTemplates")
        schedulersDue = environment.table("schedulersDue")
        schedulerRuns = environment.table("schedulerRuns")
        startLimits = environment.table("startLimits")
        startLimitsDue = environment.table("startLimitsDue")
        attempts = environment.table("attempts")
        reports = environment.table("reports")
        logs = environment.table("logs")
        timed = environment.table("timed")
        queueSettings = environment.table("queueSettings")
        priorities = environment.table("priorities")
        deduplications = environment.table("deduplications")
        deduplicationsDue = environment.table("deduplicationsDue")
        deduplicationsKept = environment.table("deduplicationsKept")
        groups = environment.table("groups")
        groupNames = environment.table("groupNames")
        groupLimits = environment.table("groupLimits")
    }
}

/// `u32 queue | u32 group (0: none) | u32 priority | u64 place`
struct ReadyKey: DecodableTableKey, Equatable {
    var queue: QueueID
    var group: GroupID
    var turn: Turn

    init(_ queue: QueueID, _ group: GroupID, _ turn: Turn) {
        self.queue = queue
        self.group = group
        self.turn = turn
    }

    init(_ record: JobRecord) { self.init(record.queue, record.group, record.turn) }

    func encode(into writer: inout KeyWriter) {
        writer.append(queue.rawValue)
        writer.append(group.rawValue)
        writer.append(turn.priority)
        writer.append(turn.place)
    }

    init?(from reader: inout KeyReader) {
        guard let queue = reader.readUInt32(), let group = reader.readUInt32(), let priority = reader.readUInt32(),
            let place = reader.readUInt64()
        else { return nil }
        self.queue = QueueID(queue)
        self.group = GroupID(group)
        turn = Turn(priority: priority, place: place)
    }
}

/// `u64 due (elapsed milliseconds) | u64 job`
struct DelayedKey: DecodableTableKey {
    var due: UInt64
    var job: JobID

    init(due: UInt64, job: JobID) {
        self.due = due
        self.job = job
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(due)
        writer.append(job.rawValue)
    }

    init?(from reader: inout KeyReader) {
        guard let due = reader.readUInt64(), let job = reader.readUInt64() else { return nil }
        self.due = due
        self.job = JobID(job)
    }
}

/// `u32 queue | u8 state | u64 time | u64 job`
///
/// The time is when a delayed job is due, or when a finished one ended, both in elapsed milliseconds: no step of the wall
/// clock makes an older job a newer one. Jobs that wait for children have none: they stand in the order of their adds.
struct JobListKey: DecodableTableKey, Equatable {
    var queue: QueueID
    var state: UInt8
    var time: UInt64
    var job: JobID

    init(_ record: JobRecord, _ job: JobID) {
        self.init(record.queue, record.state, time: record.state == .waitingChildren ? 0 : record.due, job: job)
    }

    init(_ queue: QueueID, _ state: JobState, time: UInt64, job: JobID) {
        self.queue = queue
        self.state = state.rawValue
        self.time = time
        self.job = job
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(queue.rawValue)
        writer.append(state)
        writer.append(time)
        writer.append(job.rawValue)
    }

    init?(from reader: inout KeyReader) {
        guard let queue = reader.readUInt32(), let state = reader.readUInt8(), let time = reader.readUInt64(),
            let job = reader.readUInt64()
        else { return nil }
        self.queue = QueueID(queue)
        self.state = state
        self.time = time
        self.job = JobID(job)
    }
}

/// `u32 queue | u32 priority`
struct PriorityKey: DecodableTableKey, Hashable {
    var queue: QueueID
    var priority: UInt32

    init(_ queue: QueueID, _ priority: UInt32) {
        self.queue = queue
        self.priority = priority
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(queue.rawValue)
        writer.append(priority)
    }

    init?(from reader: inout KeyReader) {
        guard let queue = reader.readUInt32(), let priority = reader.readUInt32() else { return nil }
        self.queue = QueueID(queue)
        self.priority = priority
    }
}

/// `u64 dependent | u32 position`
struct EdgeKey: DecodableTableKey {
    var dependent: JobID
    var position: UInt32

    init(_ dependent: JobID, _ position: UInt32) {
        self.dependent = dependent
        self.position = position
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(dependent.rawValue)
        writer.append(position)
    }

    init?(from reader: inout KeyReader) {
        guard let dependent = reader.readUInt64(), let position = reader.readUInt32() else { return nil }
        self.dependent = JobID(dependent)
        self.position = position
    }
}

/// `u64 dependency | u64 dependent`
struct DependentKey: DecodableTableKey {
    var dependency: JobID
    var dependent: JobID

    init(_ dependency: JobID, _ dependent: JobID) {
        self.dependency = dependency
        self.dependent = dependent
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(dependency.rawValue)
        writer.append(dependent.rawValue)
    }

    init?(from reader: inout KeyReader) {
        guard let dependency = reader.readUInt64(), let dependent = reader.readUInt64() else { return nil }
        self.dependency = JobID(dependency)
        self.dependent = JobID(dependent)
    }
}

/// `u64 u64 session`
struct SessionKey: DecodableTableKey {
    var session: SessionID

    init(_ session: SessionID) { self.session = session }

    func encode(into writer: inout KeyWriter) {
        writer.append(session.high)
        writer.append(session.low)
    }

    init?(from reader: inout KeyReader) {
        guard let high = reader.readUInt64(), let low = reader.readUInt64() else { return nil }
        session = SessionID(high: high, low: low)
    }
}

/// `u64 u64 session | u64 last number`
struct OutcomeKey: DecodableTableKey {
    var session: SessionID
    var sequence: UInt64

    init(_ session: SessionID, _ sequence: UInt64) {
        self.session = session
        self.sequence = sequence
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(session.high)
        writer.append(session.low)
        writer.append(sequence)
    }

    init?(from reader: inout KeyReader) {
        guard let high = reader.readUInt64(), let low = reader.readUInt64(), let sequence = reader.readUInt64()
        else { return nil }
        session = SessionID(high: high, low: low)
        self.sequence = sequence
    }
}

/// `u32 queue | custom id`
struct CustomIDKey: TableKey, ~Escapable {
    let queue: QueueID
    let id: RawSpan

    @_lifetime(copy id)
    init(_ queue: QueueID, _ id: RawSpan) {
        self.queue = queue
        self.id = id
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(queue.rawValue)
        writer.append(id)
    }
}

/// `u64 job whose worker added the child | the child's key`; with the child first and no key, the row leads back.
struct ChildKey: TableKey, ~Escapable {
    let parent: JobID
    let key: RawSpan

    @_lifetime(copy key)
    init(_ parent: JobID, _ key: RawSpan) {
        self.parent = parent
        self.key = key
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(parent.rawValue)
        writer.append(key)
    }
}

/// `u64 flow | u64 job`
struct FlowJobKey: DecodableTableKey {
    var flow: FlowID
    var job: JobID

    init(_ flow: FlowID, _ job: JobID) {
        self.flow = flow
        self.job = job
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(flow.rawValue)
        writer.append(job.rawValue)
    }

    init?(from reader: inout KeyReader) {
        guard let flow = reader.readUInt64(), let job = reader.readUInt64() else { return nil }
        self.flow = FlowID(flow)
        self.job = JobID(job)
    }
}

/// `u64 settlement | u64 flow`
struct SettlingKey: DecodableTableKey {
    var settlement: UInt64
    var flow: FlowID

    init(settlement: UInt64, flow: FlowID) {
        self.settlement = settlement
        self.flow = flow
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(settlement)
        writer.append(flow.rawValue)
    }

    init?(from reader: inout KeyReader) {
        guard let settlement = reader.readUInt64(), let flow = reader.readUInt64() else { return nil }
        self.settlement = settlement
        self.flow = FlowID(flow)
    }
}

/// `u8 count | name | u64 flow`
struct FlowNameKey: TableKey, ~Escapable {
    let name: RawSpan
    let flow: FlowID

    @_lifetime(copy name)
    init(_ name: RawSpan, _ flow: FlowID) {
        self.name = name
        self.flow = flow
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(UInt8(truncatingIfNeeded: name.byteCount))
        writer.append(name)
        writer.append(flow.rawValue)
    }

    /// The flow of a stored key; nil where its name is another.
    static func flow(of key: RawSpan, named name: [UInt8]) -> FlowID? {
        guard key.byteCount == name.count + 9 else { return nil }
        let stored = key.extracting(1..<1 + name.count)
        guard stored.isEqual(to: name.rawSpan) else { return nil }
        var reader = KeyReader(key.extracting(1 + name.count..<key.byteCount))
        return reader.readUInt64().map { FlowID($0) }
    }
}

/// `u64 u64 session | u32 the client's number of the add`
struct StagedAddKey: DecodableTableKey {
    var session: SessionID
    var add: UInt32

    init(session: SessionID, add: UInt32) {
        self.session = session
        self.add = add
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(session.high)
        writer.append(session.low)
        writer.append(add)
    }

    init?(from reader: inout KeyReader) {
        guard let high = reader.readUInt64(), let low = reader.readUInt64(), let add = reader.readUInt32() else {
            return nil
        }
        session = SessionID(high: high, low: low)
        self.add = add
    }
}
