import LMDB
package import PenstockWire

/// The counters that every batch moves, and what the database is. One row.
///
///     u32 checksum (0: none yet) | u32 format | u64 u64 database | u64 epoch | u64 nextJob | u64 nextFlow
///     u64 nextQueue | u64 rising | u64 falling | u64 elapsed | u64 wall | u64 nextSettlement | u64 nextPending
///     u64 openSettlements | u64 nextGroup
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
    /// Ids of settlements, and of the rows of their effects.
    var nextSettlement: UInt64 = 1
    var nextPending: UInt64 = 1
    /// Settlements that are not carried out yet.
    var openSettlements: UInt64 = 0
    /// The number of the next new group, if it is free: they fall, and after 1 begin at the top again.
    var nextGroup = UInt64(UInt32.max)

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
        writer.u64(nextSettlement)
        writer.u64(nextPending)
        writer.u64(openSettlements)
        writer.u64(nextGroup)
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
        nextSettlement = try reader.u64()
        nextPending = try reader.u64()
        openSettlements = try reader.u64()
        nextGroup = try reader.u64()
    }
}

/// A queue: its name, and how many jobs it has in each state.
///
///     u32 checksum (0: none yet) | u8 version | StateCounts | u32 mostUrgent | str8 name
struct QueueRecord: Sendable {
    static let version: UInt8 = 1

    var id: QueueID
    var name: String
    /// As stored: a lease that is not written counts as waiting.
    var counts = StateCounts()
    /// Ready jobs of priority 0. Those of any other are counted in a table.
    var mostUrgent: UInt32 = 0
    /// Changed since it was last written.
    var isDirty = false
    /// Not stored: a job of it could run, or did, after the last batch. Kept up while anybody listens.
    var wasBusy = false
    /// Not stored: some of its finished jobs may say themselves how long they are kept.
    var mayHaveRetentions = true

    init(id: QueueID, name: String) {
        self.id = id
        self.name = name
    }

    func encode(into writer: inout WireWriter) {
        writer.u32(0)
        writer.u8(QueueRecord.version)
        counts.encode(into: &writer)
        writer.u32(mostUrgent)
        writer.string8(name)
    }

    init(id: QueueID, _ bytes: RawSpan) throws(WireError) {
        var reader = WireReader(bytes)
        _ = try reader.u32()
        _ = try reader.u8()
        self.id = id
        counts = try StateCounts(from: &reader)
        mostUrgent = try reader.u32()
        name = try reader.string8("queue name")
        wasBusy = isBusy
    }
}

/// An edge from a dependent to one of its dependencies.
///
///     u64 dependency | u8 policy | u8 kind | u8 flags (1 held, 2 attached, 4 by hand) | u8 condition | u32 checksum (0: none yet)
struct EdgeRecord: Sendable {
    static let byteCount = 16

    var dependency: JobID
    /// Decided at the add: the edge's own, or the dependency's.
    var policy: FailurePolicy
    var kind: DependencyKind
    /// After which outcome the dependent runs.
    var condition: EdgeCondition
    /// The dependency failed for good, and `wait` holds the dependent.
    var isHeld = false
    /// It counts though it lies below the detached positions: its dependency was retried after the dependent went on.
    var isAttached = false
    /// Somebody resolved it, whatever becomes of the dependency.
    var isByHand = false

    init(
        dependency: JobID,
        policy: FailurePolicy,
        condition: EdgeCondition = .success,
        kind: DependencyKind = .unprocessed
    ) {
        self.dependency = dependency
        self.policy = policy
        self.condition = condition
        self.kind = kind
    }

    func encode(into writer: inout WireWriter) {
        writer.u64(dependency.rawValue)
        let flags: UInt64 = (isHeld ? 1 : 0) | (isAttached ? 2 : 0) | (isByHand ? 4 : 0)
        let choice = UInt64(policy.rawValue) | UInt64(kind.rawValue) << 8
        writer.u64(choice | flags << 16 | UInt64(condition.rawValue) << 24)
    }

    init(_ bytes: RawSpan) throws(WireError) {
        var reader = WireReader(bytes)
        dependency = JobID(try reader.u64())
        let rest = try reader.u64()
        guard let policy = FailurePolicy(rawValue: UInt8(truncatingIfNeeded: rest)),
            let kind = DependencyKind(rawValue: UInt8(truncatingIfNeeded: rest >> 8)),
            let condition = EdgeCondition(rawValue: UInt8(truncatingIfNeeded: rest >> 24))
        else { throw WireError(.internalError, "An edge holds a number that this server does not know.") }
        self.policy = policy
        self.kind = kind
        self.condition = condition
        isHeld = rest >> 16 & 1 != 0
        isAttached = rest >> 16 & 2 != 0
        isByHand = rest >> 16 & 4 != 0
    }
}

/// A flow: the jobs that were added with it, and how many are in each state.
///
///     u32 checksum (0: none yet) | u8 version | u8 flags | u16 0 | u64 createdAt | u64 finishedAt
///     u64 firstJob | u32 jobs | StateCounts | u32 heldEdges | u32 failedSinks | u32 later | u32 settling
struct FlowRecord: Sendable {
    static let version: UInt8 = 1

    struct Flags: OptionSet {
        let rawValue: UInt8
        /// It was cancelled as a whole; nothing of it has been retried since.
        static let isCancelled = Flags(rawValue: 1 << 0)
        /// Its cancellation is being carried out: none of its jobs is released any more.
        static let isCancelling = Flags(rawValue: 1 << 1)
        /// Its row in the table of metadata is there.
        static let hasMetadata = Flags(rawValue: 1 << 2)
        /// It is being removed: none of its jobs is released any more.
        static let isRemoving = Flags(rawValue: 1 << 6)
        /// It had failed when a sink that had failed was removed: its outcome stays.
        static let hasFailed = Flags(rawValue: 1 << 7)
    }

    var createdAt: UInt64 = 0
    var finishedAt: UInt64 = 0
    var flags: Flags = []
    /// The jobs that were added with it have the ids from here on: so many, those that were removed since included.
    var firstJob = JobID.none
    var jobs: UInt32 = 0
    var counts = StateCounts()
    /// Edges into its jobs that `wait` holds.
    var heldEdges: UInt32 = 0
    /// Sinks that failed or were cancelled; not those that were skipped.
    var failedSinks: UInt32 = 0
    /// Jobs that were added to it when it ran.
    var later: UInt32 = 0
    /// Large effects that are being carried out on its jobs.
    var settling: UInt32 = 0

    init() {}

    var unfinished: UInt32 { counts.total - counts.finished }
    /// Behind the last of the jobs that were added with it.
    var end: JobID { JobID(firstJob.rawValue + UInt64(jobs)) }

    /// The next of the jobs that were added with it; nil where there is none.
    func nextJob(after last: JobID) -> JobID? {
        let next = JobID(max(last.rawValue == .max ? last.rawValue : last.rawValue + 1, firstJob.rawValue))
        return next < end ? next : nil
    }

    /// The next job of the flow in the order of ids; those that were added later stand behind the others.
    func nextJob<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of flow: FlowID,
        after last: JobID,
        _ tables: Tables,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> JobID? {
        if let next = nextJob(after: last) { return next }
        guard later > 0 else { return nil }
        let key = try snapshot.entry(after: FlowJobKey(flow, last), in: tables.laterJobs)?.key
        return key?.flow == flow ? key?.job : nil
    }

    /// True for the ids that a job of the flow can have.
    func mayHave(_ job: JobID) -> Bool { job >= firstJob && (job <= end || later > 0) }

    func encode(into writer: inout WireWriter) {
        writer.u32(0)
        writer.u8(FlowRecord.version)
        writer.u8(flags.rawValue)
        writer.u16(0)
        writer.u64(createdAt)
        writer.u64(finishedAt)
        writer.jobID(firstJob)
        writer.u32(jobs)
        counts.encode(into: &writer)
        writer.u32(heldEdges)
        writer.u32(failedSinks)
        writer.u32(later)
        writer.u32(settling)
    }

    init(_ bytes: RawSpan) throws(WireError) {
        var reader = WireReader(bytes)
        _ = try reader.u32()
        flags = Flags(rawValue: UInt8(truncatingIfNeeded: try reader.u32() >> 8))
        createdAt = try reader.u64()
        finishedAt = try reader.u64()
        firstJob = try reader.jobID()
        jobs = try reader.u32()
        counts = try StateCounts(from: &reader)
        heldEdges = try reader.u32()
        failedSinks = try reader.u32()
        later = try reader.u32()
        settling = try reader.u32()
    }

    /// The state of the flow, from the states of its jobs.
    var status: FlowStatus {
        if settling > 0 { return .settling }
        if unfinished == 0 {
            let hasFailed = failedSinks > 0 || flags.contains(.hasFailed)
            return flags.contains(.isCancelled) ? .cancelled : hasFailed ? .failed : .completed
        }
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
///     u64 attemptEnd (elapsed; 0: at any time)
package struct LeaseRecord: Sendable {
    package var token: LeaseToken
    package var session: SessionID
    package var startedAt: UInt64
    package var duration: UInt64
    /// Its place in the server's table, which its worker echoes: the lease keeps it.
    package var slot: UInt32
    /// Elapsed time at which the attempt has to have ended; 0: at any time.
    package var attemptEnd: UInt64

    init(_ command: Command) {
        token = command.token
        session = command.session
        startedAt = command.startedAt
        duration = command.duration
        slot = command.slot
        attemptEnd = command.attemptEnd
    }

    func encode(into writer: inout WireWriter) {
        writer.u32(0)
        writer.token(token)
        writer.sessionID(session)
        writer.u64(startedAt)
        writer.u64(duration)
        writer.u32(slot)
        writer.u64(attemptEnd)
    }

    init(_ bytes: RawSpan) throws(WireError) {
        var reader = WireReader(bytes)
        _ = try reader.u32()
        token = try reader.token()
        session = try reader.sessionID()
        startedAt = try reader.u64()
        duration = try reader.u64()
        slot = try reader.u32()
        attemptEnd = try reader.u64()
    }
}

/// A large effect that is being carried out.
///
///     u32 checksum (0: none yet) | u32 marking | u64 effects | str16 reason
struct SettlementRecord: Sendable {
    /// The flows that it reaches are marked.
    var isMarking: Bool
    /// Pending effects that belong to it.
    var effects: UInt64 = 0
    /// The reason of a cancellation.
    var reason: String

    init(isMarking: Bool, reason: String) {
        self.isMarking = isMarking
        self.reason = reason
    }

    func encode(into writer: inout WireWriter) {
        writer.u32(0)
        writer.u32(isMarking ? 1 : 0)
        writer.u64(effects)
        writer.string16(reason)
    }

    init(_ bytes: RawSpan) throws(WireError) {
        var reader = WireReader(bytes)
        _ = try reader.u32()
        isMarking = try reader.u32() != 0
        effects = try reader.u64()
        reason = try reader.string16("reason")
    }
}
