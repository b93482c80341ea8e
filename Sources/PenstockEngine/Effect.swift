import PenstockWire

/// A walk that a change still has to make over other jobs, and how far it has come.
///
/// Walks are kept in a queue, in memory as long as a command's effects are few,
/// else in the table of pending effects: never in recursion.
///
///     u64 settlement | u8 kind | u8 0 | u16 0 | u32 left | u64 subject | u64 cursor | u64 detail | u64 bound
struct Effect: Equatable {
    enum Kind: UInt8 {
        /// Tells the dependents of a job how it ended. Subject: the job. Cursor: ``lastDependent``.
        case tell = 1
        /// Opens the edges to a job that was retried. Subject: the job. Cursor: ``lastDependent``. Detail: 1 where the
        /// job was retried with others of its part.
        case reopen = 2
        /// Cancels the dependencies of a job that nobody else needs. Subject: the job. Cursor: the next position.
        /// Detail: the job with which it began.
        case prune = 3
        /// Retries the dependencies of a job that were cancelled so. Subject: the job. Cursor: the next position.
        case restore = 4
        /// Cancels the jobs of a flow. Subject: the flow. Cursor: the next of its jobs.
        case cancelFlow = 5
        /// Retries the jobs of a flow. Subject: the flow. Cursor: the next of its jobs. Detail: flags of the retry.
        case retryFlow = 6
        /// Retries the jobs of a queue. Subject: state and queue. Cursor, detail: end and id of the job seen last.
        case retryQueue = 7
        /// The settlement is carried out: its flows are not settling any more. Subject: the settlement.
        case unmark = 8
        /// Makes the jobs of a large add ready. Subject: the first. Cursor: the next. Detail: behind the last.
        case publish = 9
        /// Deletes a large add that is not published. Subject: its first job. Cursor: the next.
        case dropStaged = 10
        /// Removes a job. Subject: the job. Cursor: the dependent seen last; left: 1 where one was seen. Detail: the flow
        /// that it was in, once it is out of it. Bound: 1 where that had not finished when this was decided.
        case remove = 12
        /// Removes the jobs of a flow. Subject: the flow. Cursor: the job of its first ones that was seen last.
        case removeFlow = 13
        /// Removes jobs of a queue. Subject: state and queue. Cursor, detail: the entry of the index seen last. Bound:
        /// what is too young, see ``Engine/CleanFlags``. Left: how many it may still take.
        case clean = 14
        /// Lets a retried job begin, when all edges that the retry opens are open. Subject: the job.
        case start = 15
        /// Makes the delayed jobs of a queue ready. Subject: the queue. Cursor, detail: when the one seen last was due,
        /// and its id. Bound: when the last one is due.
        case promoteQueue = 16
        /// Frees the deduplication ids of a queue that is obliterated. Subject: the queue. Cursor: the hash of the next id.
        /// Bound: jobs from this id on keep theirs.
        case forgetDeduplications = 17
        /// Forgets what was set of the groups of a queue. Subject: the queue.
        case forgetGroups = 18
    }

    static let byteCount = 48

    var kind: Kind
    var subject: UInt64
    var cursor: UInt64 = 0
    var detail: UInt64 = 0
    var bound: UInt64 = 0
    var left: UInt32 = 0

    init(_ kind: Kind, _ subject: UInt64, cursor: UInt64 = 0, detail: UInt64 = 0) {
        self.kind = kind
        self.subject = subject
        self.cursor = cursor
        self.detail = detail
    }

    init(_ kind: Kind, _ job: JobID) { self.init(kind, job.rawValue) }

    var job: JobID { JobID(subject) }

    /// Where the cursor is that of a walk over dependents: as ``Engine/nextDependent(of:_:after:_:)`` wants it.
    var lastDependent: JobID? {
        get { cursor == 0 ? nil : JobID(cursor - 1) }
        set { cursor = newValue.map { $0.rawValue + 1 } ?? 0 }
    }

    func encode(settlement: UInt64, into writer: inout WireWriter) {
        writer.u64(settlement)
        writer.u64(UInt64(kind.rawValue) | UInt64(left) << 32)
        writer.u64(subject)
        writer.u64(cursor)
        writer.u64(detail)
        writer.u64(bound)
    }

    static func decode(_ bytes: RawSpan) throws(WireError) -> (settlement: UInt64, effect: Effect) {
        var reader = WireReader(bytes)
        let settlement = try reader.u64()
        let kind = try reader.stored(Kind.self)
        _ = try reader.range(3)
        let left = try reader.u32()
        let subject = try reader.u64()
        let cursor = try reader.u64()
        var effect = Effect(kind, subject, cursor: cursor, detail: try reader.u64())
        effect.bound = try reader.u64()
        effect.left = left
        return (settlement, effect)
    }
}

/// How much is done at once.
package struct EffectLimits: Sendable {
    /// Jobs and edges that one command's effects may reach in its own transaction; a few, once its batch has reached twice
    /// as many.
    package var steps: Int
    /// Jobs and edges that one slice may reach: so few that the commands of others in its batch hardly wait longer.
    package var sliceSteps: Int

    package static let stepsDefault = 20_000

    /// Slices are as much smaller than the one bound as is right for its default.
    package init(steps: Int = stepsDefault) {
        self.steps = steps
        sliceSteps = max(1, steps * 512 / EffectLimits.stepsDefault)
    }
}

/// The effects of the command that is being applied, or of the slice that is being carried out.
struct Effects {
    var queue: [Effect] = []
    /// The first that is not done.
    var head = 0
    /// Retried jobs begin when nothing else is left to do, in the order of `starts`.
    var starts: [Effect] = []
    var startsHead = 0
    /// Jobs and edges reached so far, and how many may be.
    var steps = 0
    var limit = 0
    /// The settlement that the work belongs to; 0 where it all still fits the command.
    var settlement: UInt64 = 0
    /// Flows that the effects came to, in case they become a settlement.
    var reached: [FlowID] = []
    /// The effects begin with a failure, a retry or a cancel: readers must not see half of them.
    var isMarking = false
    /// A flow is being removed, by this command: none of its jobs is released any more.
    var isRemovingFlow = false
    /// The command tells how many jobs it removes: what is cancelled by that does not count.
    var isCleaning = false
    /// Why jobs are cancelled; may be empty.
    var reason = ""
    /// Jobs that the command has cancelled, retried or removed so far.
    var touched: UInt32 = 0

    var isEmpty: Bool { head == queue.count && startsHead == starts.count }
    var isExhausted: Bool { steps >= limit }

    mutating func begin(limit: Int) {
        self.limit = limit
        isMarking = false
        // Most commands have none: thousands of them follow one another.
        if steps == 0 && touched == 0 && queue.isEmpty && starts.isEmpty && reached.isEmpty && !isRemovingFlow
            && !isCleaning && reason.isEmpty
        {
            return settlement = 0
        }
        removeAll()
        steps = 0
        settlement = 0
        reached.removeAll(keepingCapacity: true)
        isRemovingFlow = false
        isCleaning = false
        reason = ""
        touched = 0
    }

    mutating func append(_ effect: Effect) {
        if effect.kind == .start { starts.append(effect) } else { queue.append(effect) }
    }

    mutating func popFirst() -> Effect? {
        if head < queue.count {
            head += 1
            return queue[head - 1]
        }
        guard startsHead < starts.count else { return nil }
        startsHead += 1
        return starts[startsHead - 1]
    }

    /// Puts the rest of the effect that was taken last back to where it was; a start has no rest.
    mutating func putBack(_ effect: Effect) {
        head -= 1
        queue[head] = effect
    }

    /// Takes all that are not done.
    mutating func takeRest() -> [Effect] {
        defer { removeAll() }
        return Array(queue[head...] + starts[startsHead...])
    }

    private mutating func removeAll() {
        queue.removeAll(keepingCapacity: true)
        head = 0
        starts.removeAll(keepingCapacity: true)
        startsHead = 0
    }
}
