import PenstockWire

/// What changes of a job, in as few bytes as that takes; everything else is in its ``PayloadRow``.
///
/// Layout, little-endian; version 1. To change it: give the new layout the next
/// version, read both, and keep a file of the old one among the tests' fixtures.
///
///      0 u32 checksum (0: none yet)    34 u16 attemptsMade        56 u64 startedAt
///      4 u8  version                   36 u32 attemptsStarted     64 u64 finishedAt
///      5 u8  state                     40 u16 stalledCount        72 u64 due, a token, a wait, or an end
///      6 u8  cause                     42 u16 maxStalledCount     80 u64 first dependent
///      7 u8  flags                     44 u8  onFailure           88 u32 its edge's position
///      8 u32 queue                     45 u8  kind of outcome     92 u32 dependents
///     12 u24 priority, u8 high marks   46 u8  content type        96 u32 bytes of the outcome
///     16 u64 place (0: none drawn)     47 u8  low marks           100 dependency block, where flagged,
///     24 u64 flow                      48 u64 createdAt              u32 group, where marked, the outcome, where inline,
///     32 u16 attempts                                                and zeros up to ``outcomeRoom`` bytes
struct JobRecord: Sendable {
    /// Results and failures of up to this many bytes stay in the record.
    static let inlineOutcomeBytesMax = 64
    /// Bytes kept free for it from the add on: pages are filled to their end by the adds, and every one of them
    /// would split when its jobs complete with a small result.
    static let outcomeRoom = 28
    static let version: UInt8 = 1

    struct Flags: OptionSet {
        let rawValue: UInt8
        /// It has, or had, dependencies: the dependency block is there.
        static let hasDependencies = Flags(rawValue: 1 << 0)
        /// The payload row holds a delay.
        static let hasDelay = Flags(rawValue: 1 << 1)
        /// The payload row holds a backoff.
        static let hasBackoff = Flags(rawValue: 1 << 2)
        static let lifo = Flags(rawValue: 1 << 3)
        /// No job of its flow depends on it: its failure is the flow's.
        static let isSink = Flags(rawValue: 1 << 4)
        /// It failed once: its next place is at the tail, lifo or not.
        static let isRetry = Flags(rawValue: 1 << 5)
        /// The payload row holds a custom id.
        static let hasCustomID = Flags(rawValue: 1 << 6)
        /// The payload row says how long the job is kept when it has finished.
        static let hasRetention = Flags(rawValue: 1 << 7)
    }

    /// What few jobs have.
    struct Marks: OptionSet {
        let rawValue: UInt16
        /// Cancelled, because it was to run after a failure that did not come.
        static let isSkipped = Marks(rawValue: 1 << 0)
        /// If a dependency fails it, those of its other dependencies that only it needs are cancelled.
        static let cancelsSiblings = Marks(rawValue: 1 << 1)
        /// Cancelled with the jobs that needed it, or the top of such a part: it is retried with them.
        static let isPruned = Marks(rawValue: 1 << 2)
        /// Removed, and kept for the edges that name its result: nobody else sees it.
        static let isRemoved = Marks(rawValue: 1 << 3)
        /// Added to its flow when that ran: its id is not among the flow's first ones.
        static let isAddedLater = Marks(rawValue: 1 << 4)
        /// It has rows among the child keys: names of dependencies that were added at run time, or the job under which
        /// it has such a name itself.
        static let hasChildKeys = Marks(rawValue: 1 << 5)
        /// When it has finished, a scheduler goes on with it.
        static let repeats = Marks(rawValue: 1 << 6)
        /// The payload row holds options that few jobs have.
        static let hasExtras = Marks(rawValue: 1 << 7)
        /// Lines were written to its log, though all may have gone since.
        static let hasLogs = Marks(rawValue: 1 << 8)
        /// There are rows of its attempts.
        static let hasAttempts = Marks(rawValue: 1 << 9)
        /// It was added with a deduplication id, and may hold it.
        static let hasDeduplication = Marks(rawValue: 1 << 10)
        /// It has a group, whose number and name are kept.
        static let hasGroup = Marks(rawValue: 1 << 11)
        /// Its time to start is bounded, and nobody has started it.
        static let hasTTL = Marks(rawValue: 1 << 12)
        /// Its worker has reported progress.
        static let hasProgress = Marks(rawValue: 1 << 13)
        /// It is not ready before a wall time.
        static let isTimed = Marks(rawValue: 1 << 14)
    }

    /// What the outcome's bytes are.
    enum OutcomeKind: UInt8 {
        case none = 0
        /// A result, of ``JobRecord/contentType``.
        case result = 1
        /// `str16 message | bytes32 details`
        case failure = 2
    }

    var state = JobState.waiting
    var cause = FailureCause.none
    var flags: Flags = []
    var marks: Marks = []
    var queue = QueueID(0)
    var priority: UInt32 = 0
    var place: UInt64 = 0
    var flow = FlowID.none
    var attempts: UInt16 = 1
    var attemptsMade: UInt16 = 0
    var attemptsStarted: UInt32 = 0
    var stalledCount: UInt16 = 0
    var maxStalledCount: UInt16 = 1
    var onFailure = FailurePolicy.failParent
    var outcome = OutcomeKind.none
    var contentType = ContentType.none
    /// Wall times in milliseconds since 1970; 0 where it has not happened.
    var createdAt: UInt64 = 0
    var startedAt: UInt64 = 0
    var finishedAt: UInt64 = 0
    /// While waiting: since when (elapsed time). While delayed: when it is due (elapsed time). While active: the written
    /// lease's token. In waiting-children: how long it is to wait once it is released. Finished: when that was (elapsed
    /// time).
    var due: UInt64 = 0
    var firstDependent = JobID.none
    var firstDependentPosition: UInt32 = 0
    /// All dependents, the first included.
    var dependents: UInt32 = 0
    /// Bytes of the outcome, here if at most ``inlineOutcomeBytesMax``, else in the results table.
    var outcomeBytes: UInt32 = 0
    /// Present where `flags` has `hasDependencies`.
    var dependencies = DependencyBlock()
    /// Present where `marks` has `hasGroup`.
    var group = GroupID.none

    var turn: Turn { Turn(priority: priority, place: place) }
    var hasInlineOutcome: Bool { outcome != .none && Int(outcomeBytes) <= JobRecord.inlineOutcomeBytesMax }
    /// Bytes of the outcome that stand in the row, behind ``fixedBytes``.
    var inlineBytes: Int { hasInlineOutcome ? Int(outcomeBytes) : 0 }
    var fixedBytes: Int {
        100 + (flags.contains(.hasDependencies) ? DependencyBlock.byteCount : 0) + (marks.contains(.hasGroup) ? 4 : 0)
    }

    init() {}

    /// In whole words: each call of the codec has its price, and this is the hottest row.
    func encode(into writer: inout WireWriter) {
        writer.u64(
            UInt64(JobRecord.version) << 32 | UInt64(state.rawValue) << 40 | UInt64(cause.rawValue) << 48
                | UInt64(flags.rawValue) << 56
        )
        writer.u64(UInt64(queue.rawValue) | UInt64(priority) << 32 | UInt64(marks.rawValue >> 8) << 56)
        writer.u64(place)
        writer.u64(flow.rawValue)
        writer.u64(UInt64(attempts) | UInt64(attemptsMade) << 16 | UInt64(attemptsStarted) << 32)
        writer.u64(
            UInt64(stalledCount) | UInt64(maxStalledCount) << 16 | UInt64(onFailure.rawValue) << 32
                | UInt64(outcome.rawValue) << 40 | UInt64(contentType.rawValue) << 48 | UInt64(marks.rawValue & 0xFF)
                << 56
        )
        writer.u64(createdAt)
        writer.u64(startedAt)
        writer.u64(finishedAt)
        writer.u64(due)
        writer.u64(firstDependent.rawValue)
        writer.u64(UInt64(firstDependentPosition) | UInt64(dependents) << 32)
        writer.u32(outcomeBytes)
        if flags.contains(.hasDependencies) { dependencies.encode(into: &writer) }
        if marks.contains(.hasGroup) { writer.u32(group.rawValue) }
    }

    /// Call it behind the record and its inline outcome: fills the room that is left.
    func encodeRoom(into writer: inout WireWriter) {
        var left = JobRecord.outcomeRoom - inlineBytes
        while left >= 8 {
            writer.u64(0)
            left -= 8
        }
        while left > 0 {
            writer.u8(0)
            left -= 1
        }
    }

    init(_ bytes: RawSpan) throws(WireError) {
        var reader = WireReader(bytes)
        let head = try reader.u64()
        let version = UInt8(truncatingIfNeeded: head >> 32)
        guard version == JobRecord.version else {
            throw WireError(.internalError, "A job record of version \(version), which this server does not know.")
        }
        let index = try reader.u64()
        place = try reader.u64()
        flow = FlowID(try reader.u64())
        let counters = try reader.u64()
        let rules = try reader.u64()
        guard let state = JobState(rawValue: UInt8(truncatingIfNeeded: head >> 40)),
            let cause = FailureCause(rawValue: UInt8(truncatingIfNeeded: head >> 48)),
            let onFailure = FailurePolicy(rawValue: UInt8(truncatingIfNeeded: rules >> 32)),
            let outcome = OutcomeKind(rawValue: UInt8(truncatingIfNeeded: rules >> 40))
        else { throw WireError(.internalError, "A job record holds a number that this server does not know.") }
        self.state = state
        self.cause = cause
        self.onFailure = onFailure
        self.outcome = outcome
        flags = Flags(rawValue: UInt8(truncatingIfNeeded: head >> 56))
        queue = QueueID(UInt32(truncatingIfNeeded: index))
        priority = UInt32(truncatingIfNeeded: index >> 32) & 0x00FF_FFFF
        attempts = UInt16(truncatingIfNeeded: counters)
        attemptsMade = UInt16(truncatingIfNeeded: counters >> 16)
        attemptsStarted = UInt32(truncatingIfNeeded: counters >> 32)
        stalledCount = UInt16(truncatingIfNeeded: rules)
        maxStalledCount = UInt16(truncatingIfNeeded: rules >> 16)
        contentType = ContentType(rawValue: UInt8(truncatingIfNeeded: rules >> 48))
        marks = Marks(rawValue: UInt16(truncatingIfNeeded: rules >> 56 | (index >> 56) << 8))
        createdAt = try reader.u64()
        startedAt = try reader.u64()
        finishedAt = try reader.u64()
        due = try reader.u64()
        firstDependent = JobID(try reader.u64())
        let reverse = try reader.u64()
        firstDependentPosition = UInt32(truncatingIfNeeded: reverse)
        dependents = UInt32(truncatingIfNeeded: reverse >> 32)
        outcomeBytes = try reader.u32()
        if flags.contains(.hasDependencies) { dependencies = try DependencyBlock(from: &reader) }
        if marks.contains(.hasGroup) { group = GroupID(try reader.u32()) }
    }
}

/// The part of a job's record that only a job with dependencies has.
///
///     u32 counting | u32 unprocessed | u32 processed | u32 ignored | u32 failed
///     u32 positions | u32 detachedBelow | u64 failedDependency | u32 held | u32 failedFrom | u32 attached
struct DependencyBlock: Sendable {
    static let byteCount = 48

    /// Edges that count: unprocessed and not detached. The job is released when there are none.
    var counting: UInt32 = 0
    var unprocessed: UInt32 = 0
    var processed: UInt32 = 0
    var ignored: UInt32 = 0
    var failed: UInt32 = 0
    /// Positions given to edges so far, those of removed edges included.
    var positions: UInt32 = 0
    /// Unprocessed edges at positions below this one are detached: `continue` released the job before them.
    var detachedBelow: UInt32 = 0
    /// The dependency whose failure failed this job; once that is retried, the first of those left.
    var failedDependency = JobID.none
    /// Edges that count and that `wait` holds: its flow counts them, too, while it is in waiting-children.
    var held: UInt32 = 0
    /// No edge at a position below this one is failed, but for those to jobs that were removed: the search for the next
    /// failed one begins here.
    var failedFrom: UInt32 = 0
    /// Edges that count though they lie below `detachedBelow`.
    var attached: UInt32 = 0

    init() {}

    func encode(into writer: inout WireWriter) {
        writer.u64(UInt64(counting) | UInt64(unprocessed) << 32)
        writer.u64(UInt64(processed) | UInt64(ignored) << 32)
        writer.u64(UInt64(failed) | UInt64(positions) << 32)
        writer.u32(detachedBelow)
        writer.u64(failedDependency.rawValue)
        writer.u32(held)
        writer.u32(failedFrom)
        writer.u32(attached)
    }

    init(from reader: inout WireReader) throws(WireError) {
        var pair = try reader.u64()
        (counting, unprocessed) = (UInt32(truncatingIfNeeded: pair), UInt32(truncatingIfNeeded: pair >> 32))
        pair = try reader.u64()
        (processed, ignored) = (UInt32(truncatingIfNeeded: pair), UInt32(truncatingIfNeeded: pair >> 32))
        pair = try reader.u64()
        (failed, positions) = (UInt32(truncatingIfNeeded: pair), UInt32(truncatingIfNeeded: pair >> 32))
        detachedBelow = try reader.u32()
        failedDependency = JobID(try reader.u64())
        held = try reader.u32()
        failedFrom = try reader.u32()
        attached = try reader.u32()
    }

    var counts: DependencyCounts {
        DependencyCounts(unprocessed: unprocessed, processed: processed, ignored: ignored, failed: failed)
    }
}
