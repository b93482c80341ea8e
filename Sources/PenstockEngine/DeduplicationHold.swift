import PenstockWire

/// A deduplication id of a queue while an add is planned: who holds it, node after node.
///
/// The nodes of an add come one after the other, as if each were an add of its
/// own; only what they come to together is written.
struct DeduplicationHold {
    /// A job that held the id before the add.
    struct Stored {
        var job: JobID
        /// It is delayed, and nobody depends on it.
        var canBeReplaced: Bool
        /// A worker holds it.
        var isActive: Bool
    }

    enum Holder {
        case nobody
        case stored(Stored)
        /// A new job of the add.
        case node(Int, isDelayed: Bool)
    }

    /// What becomes of a node.
    enum Verdict: Equatable {
        /// It is a new job, and holds the id; `insteadOf` is the node whose place it took.
        case holds(insteadOf: Int?)
        /// It stands for the job that holds the id.
        case deduplicated
        /// The same, and it is kept, as long as no later one is.
        case kept
    }

    /// Its queue's index in the message.
    let queue: UInt16
    let id: [UInt8]
    /// The row as it is stored; it may be over.
    let before: DeduplicationRecord?
    private(set) var holder: Holder
    /// Elapsed time up to which the id is held; 0: until its job has finished.
    private(set) var due: UInt64
    /// An add is kept.
    private(set) var hasKept: Bool
    /// The node that is kept.
    private(set) var keptNode: Int?
    /// The stored job that goes, because a node takes its place.
    private(set) var replacedJob: JobID?

    /// - Parameter stored: the job that holds the id; nil where nobody does any more.
    init(queue: UInt16, id: [UInt8], before: DeduplicationRecord?, stored: Stored?) {
        self.queue = queue
        self.id = id
        self.before = before
        holder = stored.map { .stored($0) } ?? .nobody
        due = stored == nil ? 0 : before?.due ?? 0
        hasKept = stored != nil && before?.hasKept == true
    }

    /// Decides what becomes of the next node.
    ///
    /// - Parameters:
    ///   - isDelayed: as a new job it would be.
    ///   - now: elapsed time.
    mutating func add(_ node: Int, _ terms: Deduplication, isDelayed: Bool, now: UInt64) -> Verdict {
        switch holder {
        case .nobody:
            due = terms.ttl > 0 ? now + terms.ttl : 0
            holder = .node(node, isDelayed: isDelayed)
            return .holds(insteadOf: nil)
        case .stored(let stored) where terms.replaces && stored.canBeReplaced:
            replacedJob = stored.job
            take(node, terms, isDelayed: isDelayed, now: now)
            return .holds(insteadOf: nil)
        case .node(let other, isDelayed: true) where terms.replaces:
            take(node, terms, isDelayed: isDelayed, now: now)
            return .holds(insteadOf: other)
        case .stored(let stored) where terms.keepsLastIfActive && (stored.isActive || hasKept):
            keptNode = node
            hasKept = true
            // What is kept waits for the end of the job: so does the id.
            due = 0
            return .kept
        case .stored, .node:
            if terms.extends && due > 0 { due = max(due, now + terms.ttl) }
            return .deduplicated
        }
    }

    /// The node takes the place of the delayed job that holds the id, and goes on with its time if it does not extend it.
    private mutating func take(_ node: Int, _ terms: Deduplication, isDelayed: Bool, now: UInt64) {
        if terms.ttl == 0 {
            due = 0
        } else if terms.extends || due == 0 {
            due = max(due, now + terms.ttl)
        }
        holder = .node(node, isDelayed: isDelayed)
        hasKept = false
        keptNode = nil
    }
}
