import PenstockWire

@testable import PenstockEngine

/// What the commands mean, in plain objects and without a thought for speed: the engine has to agree.
///
/// Every command is a method that changes the objects at once and whole. What
/// follows for other jobs stands in a queue of effects, first come, first served.
final class Model {
    final class Job {
        let id: JobID
        let queue: String
        var group: String?
        let flow: FlowID
        var options: NodeOptions
        let headers: Headers
        var state = JobState.waiting
        var cause = FailureCause.none
        var made = 0
        var started = 0
        var stalled = 0
        var due: UInt64 = 0
        /// Where the due may lie, after a backoff with jitter.
        var dueSpread: UInt64 = 0
        var place: Place?
        /// It failed, or was retried: it draws its places at the tail.
        var hasFailed = false
        var isLeaseWritten = false
        /// Cancelled, as it was to run after a failure that did not come.
        var isSkipped = false
        /// Cancelled with the jobs that needed it, or the top of such a part.
        var isPruned = false
        var edges: [Edge] = []
        var positions: UInt32 = 0
        var dependents: [Edge] = []
        /// The first dependent is told first; the others in the order of their ids.
        var first: Edge?
        var hasDependentInFlow = false
        var failedDependency = JobID.none
        var data: [UInt8] = []
        /// Its result, once it has completed.
        var result = JobOutcome.none
        var createdAt: UInt64 = 0
        var finishedAt: UInt64 = 0
        var finishedAtElapsed: UInt64 = 0
        /// The children that its worker added, by their keys.
        var keys: [String: Job] = [:]
        /// The job under which it was added with a key.
        var keyHolder = JobID.none
        /// Since when it is ready, in elapsed time.
        var readySince: UInt64 = 0
        /// Elapsed time by which it has to be started, from when it is ready the first time until it is started.
        var startBy: UInt64?
        /// The wall time for which it is delayed.
        var waitsUntil: UInt64?
        /// The attempts that have ended, but for the one that completed it.
        var attempts: [Attempt] = []
        var log = Log()
        /// What its worker reported last.
        var progress = Payload.none
        /// How long it is delayed once it waits for nothing any more, where it was put off before.
        var waitAtRelease: (time: UInt64, spread: UInt64) = (0, 0)

        init(_ id: JobID, _ queue: String, _ flow: FlowID, _ options: NodeOptions, _ headers: Headers) {
            self.id = id
            self.queue = queue
            self.flow = flow
            self.options = options
            self.headers = headers
        }

        var counting: Int { edges.count { $0.counts } }
        var told: [Edge] {
            (first.map { [$0] } ?? [])
                + dependents.filter { $0 !== first }.sorted { $0.dependent.id < $1.dependent.id }
        }
    }

    final class Edge {
        unowned let dependent: Job
        /// It may have been removed.
        unowned let dependency: Job
        let position: UInt32
        let policy: FailurePolicy
        let condition: EdgeCondition
        var kind = DependencyKind.unprocessed
        /// The dependency failed, and `wait` holds the dependent.
        var isHeld = false
        var isDetached = false
        /// It was resolved by hand.
        var isByHand = false

        init(
            _ dependent: Job,
            _ dependency: Job,
            _ position: UInt32,
            _ policy: FailurePolicy,
            _ condition: EdgeCondition
        ) {
            self.dependent = dependent
            self.dependency = dependency
            self.position = position
            self.policy = policy
            self.condition = condition
        }

        var counts: Bool { kind == .unprocessed && !isDetached }
    }

    /// Drawn by command and node; what one command's effects draw is in no order among itself.
    struct Place: Comparable {
        var isTail: Bool
        var command: Int
        var node: Int

        static func < (a: Place, b: Place) -> Bool {
            if a.isTail != b.isTail { return !a.isTail }
            let (x, y) = a.isTail ? (a, b) : (b, a)
            return (x.command, x.node) < (y.command, y.node)
        }
    }

    /// What a change still does to other jobs.
    enum Effect {
        /// The dependents are told how the job ended.
        case tell(Job)
        /// The edges to a job that runs again are opened; it was retried alone, or with others of its part.
        case reopen(Job, withOthers: Bool)
        /// What only the job needed is cancelled. Top: the job with which it began.
        case prune(Job, top: Job)
        /// What was cancelled so is retried.
        case restore(Job)
    }

    var jobs: [JobID: Job] = [:]
    var customIDs: [String: Job] = [:]
    var flows: [FlowID: [Job]] = [:]
    /// Flows that were cancelled as a whole; nothing of them has been retried since.
    var cancelledFlows: Set<FlowID> = []
    /// How flows ended of which jobs have been removed since.
    var keptStatus: [FlowID: FlowStatus] = [:]
    /// Removed jobs whose outcome an edge still names.
    var tombstones: [JobID: Job] = [:]
    var schedulers: [String: Scheduler] = [:]
    var retention = RetentionRules()
    /// The queues that there are.
    var queues: Set<String> = []
    /// What was set of queues.
    var settings: [String: QueueSettings] = [:]
    var nextJob: UInt64 = 1
    var nextFlow: UInt64 = 1
    var elapsed: UInt64 = 0
    var wall: UInt64 = 0
    /// Jobs under a lease.
    var leased: Set<JobID> = []
    var effects: [Effect] = []
    /// Retried jobs, which begin when all that the retry comes to has been opened.
    var retried: [Job] = []
    /// Jobs that the command has cancelled or retried.
    var touched: UInt32 = 0
    var command = 0
    var draws = 0

    func begin() {
        command += 1
        draws = 0
        touched = 0
    }

    /// Carries out what the command does to other jobs.
    func carryOut() {
        while true {
            if effects.isEmpty {
                guard !retried.isEmpty else { return }
                start(retried.removeFirst())
                continue
            }
            switch effects.removeFirst() {
            case .tell(let job): for edge in job.told { settle(edge) }
            case .reopen(let job, let withOthers): for edge in job.told { reopen(edge, withOthers: withOthers) }
            case .prune(let job, let top): prune(job, top: top)
            case .restore(let job): restore(job)
            }
        }
    }

    // MARK: States

    /// Ends a job; its dependents are told by the effects.
    func end(_ job: Job, _ state: JobState, _ cause: FailureCause = .none) {
        job.state = state
        job.cause = cause
        job.due = 0
        job.startBy = nil
        job.finishedAt = wall
        job.finishedAtElapsed = elapsed
        job.waitAtRelease = (0, 0)
        repeatIfAsked(job)
        effects.append(.tell(job))
    }

    func makeReady(_ job: Job) {
        job.state = .waiting
        job.due = 0
        job.dueSpread = 0
        job.waitAtRelease = (0, 0)
        job.readySince = elapsed
        beginTimeToStart(job)
        if job.place == nil {
            job.place = Place(isTail: !job.options.lifo || job.hasFailed, command: command, node: draws)
        }
    }

    func delay(_ job: Job, by milliseconds: UInt64, spread: UInt64 = 0) {
        job.state = .delayed
        job.due = elapsed + milliseconds
        job.dueSpread = spread
        job.waitsUntil = nil
        job.waitAtRelease = (0, 0)
    }

    /// A job that waits for nothing any more goes on.
    func releaseIfFree(_ job: Job) {
        guard job.state == .waitingChildren, job.counting == 0, !retried.contains(where: { $0 === job }) else { return }
        let (wait, spread) = job.waitAtRelease
        if job.options.at > 0 && job.started == 0 {
            delay(job, until: job.options.at)
        } else if wait > 0 {
            delay(job, by: wait, spread: spread)
        } else if job.options.delay > 0 && job.started == 0 {
            delay(job, by: job.options.delay)
        } else {
            makeReady(job)
        }
    }

    /// Takes the job from the worker that holds it.
    func takeAway(_ job: Job) {
        if leased.contains(job.id) {
            leave(job)
            keep(job, .withdrawn)
        }
        job.due = 0
    }

    // MARK: What readers see

    func status(of flow: FlowID) -> FlowStatus {
        let jobs = flows[flow]!
        let unfinished = jobs.filter { !$0.state.isFinished }
        if unfinished.isEmpty {
            if let kept = keptStatus[flow] { return kept }
            if cancelledFlows.contains(flow) { return .cancelled }
            let hasFailed = jobs.contains {
                ($0.state == .failed || $0.state == .cancelled) && !$0.isSkipped && !$0.hasDependentInFlow
            }
            return hasFailed ? .failed : .completed
        }
        let isHeld = unfinished.contains { $0.edges.contains { $0.isHeld && $0.counts } }
        return isHeld && unfinished.allSatisfy { $0.state == .waitingChildren } ? .blocked : .running
    }
}
