package import PenstockWire

/// The counters that every batch moves, and what the database is. One row.
///
///     u32 checksum (0: none yet) | u32 format | u64 u64 database | u64 epoch | u64 nextJob | u64 nextFlow
///     u64 nextQueue | u64 rising | u64 falling | u64 elapsed | u64 wall
struct MetaRecord: Sendable {
    /// The format of the whole database. A server refuses one that is newer than its own.
    static let format: UInt32 = 1

    var format = MetaRecord.format
    var database: SessionID
    /// Raised at every start, before anything is served.
    var epoch: UInt64 = 0
    var nextJob: UInt64 = 1
    var nextFlow: UInt64 = 1
    var nextQueue: UInt64 = 1
    /// The next place at the tail, and the next one before the head (for lifo jobs).
    var rising: UInt64 = 1 << 63
    var falling: UInt64 = 1 << 63 - 1
    /// The persisted clock at the last commit, and the wall clock then. Milliseconds.
    var elapsed: UInt64 = 0
    var wall: UInt64 = 0

    init(database: SessionID) { self.database = database }

    func encode(into writer: inout WireWriter) {
        writer.u32(0)
        writer.u32(format)
        writer.sessionID(database)
        writer.u64(epoch)
        writer.u64(nextJob)
        writer.u64(nextFlow)
        writer.u64(nextQueue)
        writer.u64(rising)
        writer.u64(falling)
        writer.u64(elapsed)
        writer.u64(wall)
    }

    init(_ bytes: RawSpan) throws(WireError) {
        var reader = WireReader(bytes)
        _ = try reader.u32()
        format = try reader.u32()
        database = try reader.sessionID()
        epoch = try reader.u64()
        nextJob = try reader.u64()
        nextFlow = try reader.u64()
        nextQueue = try reader.u64()
        rising = try reader.u64()
        falling = try reader.u64()
        elapsed = try reader.u64()
        wall = try reader.u64()
    }
}

/// A queue: its name, and how many jobs it has in each state.
///
///     u32 checksum (0: none yet) | u8 version | StateCounts | str8 name
struct QueueRecord: Sendable {
    static let version: UInt8 = 1

    var id: QueueID
    var name: String
    /// As stored: a lease that is not written counts as waiting.
    var counts = StateCounts()
    /// Changed since it was last written.
    var isDirty = false

    init(id: QueueID, name: String) {
        self.id = id
        self.name = name
    }

    func encode(into writer: inout WireWriter) {
        writer.u32(0)
        writer.u8(QueueRecord.version)
        counts.encode(into: &writer)
        writer.string8(name)
    }

    init(id: QueueID, _ bytes: RawSpan) throws(WireError) {
        var reader = WireReader(bytes)
        _ = try reader.u32()
        _ = try reader.u8()
        self.id = id
        counts = try StateCounts(from: &reader)
        name = try reader.string8("queue name")
    }
}

/// An edge from a dependent to one of its dependencies.
///
///     u64 dependency | u8 policy | u8 kind | u8 held | u8 0 | u32 checksum (0: none yet)
struct EdgeRecord: Sendable {
    static let byteCount = 16

    var dependency: JobID
    /// Decided at the add: the edge's own, or the dependency's.
    var policy: FailurePolicy
    var kind: DependencyKind
    /// The dependency failed for good, and `wait` holds the dependent.
    var isHeld = false

    init(dependency: JobID, policy: FailurePolicy, kind: DependencyKind = .unprocessed) {
        self.dependency = dependency
        self.policy = policy
        self.kind = kind
    }

    func encode(into writer: inout WireWriter) {
        writer.u64(dependency.rawValue)
        writer.u64(UInt64(policy.rawValue) | UInt64(kind.rawValue) << 8 | (isHeld ? 1 << 16 : 0))
    }

    init(_ bytes: RawSpan) throws(WireError) {
        var reader = WireReader(bytes)
        dependency = JobID(try reader.u64())
        let rest = try reader.u64()
        guard let policy = FailurePolicy(rawValue: UInt8(truncatingIfNeeded: rest)),
            let kind = DependencyKind(rawValue: UInt8(truncatingIfNeeded: rest >> 8))
        else { throw WireError(.internalError, "An edge holds a number that this server does not know.") }
        self.policy = policy
        self.kind = kind
        isHeld = rest >> 16 & 0xFF != 0
    }
}

/// A flow: the jobs that were added with it, and how many are in each state.
///
///     u32 checksum (0: none yet) | u8 version | u8 0 | u16 0 | u64 createdAt | u64 finishedAt
///     u64 firstJob | u32 jobs | StateCounts | u32 heldEdges | u32 failedSinks
struct FlowRecord: Sendable {
    static let version: UInt8 = 1

    var createdAt: UInt64 = 0
    var finishedAt: UInt64 = 0
    /// Its jobs have the ids from here on, without a gap.
    var firstJob = JobID.none
    var jobs: UInt32 = 0
    var counts = StateCounts()
    /// Edges into its jobs that `wait` holds.
    var heldEdges: UInt32 = 0
    /// Sinks that failed or were cancelled.
    var failedSinks: UInt32 = 0

    init() {}

    var unfinished: UInt32 { jobs - counts.finished }

    func encode(into writer: inout WireWriter) {
        writer.u32(0)
        writer.u8(FlowRecord.version)
        writer.u8(0)
        writer.u16(0)
        writer.u64(createdAt)
        writer.u64(finishedAt)
        writer.jobID(firstJob)
        writer.u32(jobs)
        counts.encode(into: &writer)
        writer.u32(heldEdges)
        writer.u32(failedSinks)
    }

    init(_ bytes: RawSpan) throws(WireError) {
        var reader = WireReader(bytes)
        _ = try reader.u32()
        _ = try reader.u32()
        createdAt = try reader.u64()
        finishedAt = try reader.u64()
        firstJob = try reader.jobID()
        jobs = try reader.u32()
        counts = try StateCounts(from: &reader)
        heldEdges = try reader.u32()
        failedSinks = try reader.u32()
    }

    /// The state of the flow, from the states of its jobs.
    var status: FlowStatus {
        if unfinished == 0 { return failedSinks > 0 ? .failed : .completed }
        let moving = counts[.waiting] + counts[.delayed] + counts[.active]
        return moving == 0 && heldEdges > 0 ? .blocked : .running
    }
}

/// A session: how far its commands were applied.
///
///     u32 checksum (0: none yet) | u64 applied | u64 confirmed | u64 lastSeen (elapsed milliseconds)
struct SessionRecord: Sendable {
    /// The last number applied when this row was written; a later outcome row knows better.
    var applied: UInt64 = 0
    var confirmed: UInt64 = 0
    var lastSeen: UInt64 = 0

    init() {}

    func encode(into writer: inout WireWriter) {
        writer.u32(0)
        writer.u64(applied)
        writer.u64(confirmed)
        writer.u64(lastSeen)
    }

    init(_ bytes: RawSpan) throws(WireError) {
        var reader = WireReader(bytes)
        _ = try reader.u32()
        applied = try reader.u64()
        confirmed = try reader.u64()
        lastSeen = try reader.u64()
    }
}

/// A lease that is kept over a restart.
///
///     u32 checksum (0: none yet) | u64 token | u64 u64 session | u64 startedAt | u64 duration | u32 slot
package struct LeaseRecord: Sendable {
    package var token: LeaseToken
    package var session: SessionID
    package var startedAt: UInt64
    package var duration: UInt64
    /// Its place in the server's table, which its worker echoes: the lease keeps it.
    package var slot: UInt32

    init(token: LeaseToken, session: SessionID, startedAt: UInt64, duration: UInt64, slot: UInt32) {
        self.token = token
        self.session = session
        self.startedAt = startedAt
        self.duration = duration
        self.slot = slot
    }

    func encode(into writer: inout WireWriter) {
        writer.u32(0)
        writer.token(token)
        writer.sessionID(session)
        writer.u64(startedAt)
        writer.u64(duration)
        writer.u32(slot)
    }

    init(_ bytes: RawSpan) throws(WireError) {
        var reader = WireReader(bytes)
        _ = try reader.u32()
        token = try reader.token()
        session = try reader.sessionID()
        startedAt = try reader.u64()
        duration = try reader.u64()
        slot = try reader.u32()
    }
}
