import PenstockWire

@testable import PenstockEngine

/// What must be true of the tables after every batch, whatever the commands were.
///
/// Some things need not hold in the midst of a settlement, each for the jobs
/// that its pending effects name: an edge may be unprocessed though its dependency
/// has ended (until it is told), a job may be in waiting-children without an edge
/// that counts (until it is started, or goes with its flow), a flow may be on the way to being cancelled,
/// a removed job may have edges still, and its flow not know that it has finished.
struct InvariantChecker {
    let dump: Dump
    /// Jobs were retried, or edges resolved by hand: an edge may tell what its dependency did before.
    let hasSecondThoughts: Bool
    private(set) var found: [String] = []
    private(set) var told: Set<JobID> = []
    private(set) var started: Set<JobID> = []
    private(set) var removed: Set<JobID> = []
    /// Flows that a removal leaves, and those that go whole.
    private(set) var left: Set<FlowID> = []
    private(set) var going: Set<FlowID> = []

    init(_ dump: Dump, hasSecondThoughts: Bool = false) {
        self.dump = dump
        self.hasSecondThoughts = hasSecondThoughts
        for (_, _, effect) in dump.pending {
            if effect.kind == .tell { told.insert(effect.job) }
            if effect.kind == .start { started.insert(effect.job) }
            if effect.kind == .remove {
                removed.insert(effect.job)
                left.insert(FlowID(effect.detail))
            }
            if effect.kind == .removeFlow {
                left.insert(FlowID(effect.subject))
                going.insert(FlowID(effect.subject))
            }
        }
    }

    func problems() -> [String] {
        var copy = self
        copy.checkSettlements()
        copy.checkMeta()
        copy.checkIndexes()
        copy.checkJobs()
        copy.checkEdges()
        copy.checkDependents()
        copy.checkCounts()
        copy.checkCustomIDs()
        copy.checkChildKeys()
        copy.checkSessions()
        copy.checkSchedulers()
        copy.checkRareRows()
        copy.checkDeduplications()
        copy.checkPriorities()
        copy.checkGroups()
        return copy.found
    }

    mutating func expect(_ holds: Bool, _ problem: @autoclosure () -> String) {
        if !holds { found.append(problem()) }
    }

    private mutating func checkMeta() {
        let dump = dump
        guard let meta = dump.meta else { return found.append("there is no meta row") }
        expect(dump.jobs.keys.allSatisfy { $0.rawValue < meta.nextJob && $0 != .none }, "a job above nextJob")
        expect(dump.flows.keys.allSatisfy { $0.rawValue < meta.nextFlow && $0 != .none }, "a flow above nextFlow")
        expect(
            dump.queues.keys.map(\.rawValue) == Array(1..<UInt32(meta.nextQueue)),
            "queue ids have gaps, or are above nextQueue"
        )
        expect(Set(dump.queues.values.map(\.name)).count == dump.queues.count, "two queues of one name")
        var places: [UInt64] = []
        for (id, job) in dump.jobs where job.place != 0 {
            expect(job.place > meta.falling && job.place < meta.rising, "job \(id) has a place that was not drawn")
            places.append(job.place)
        }
        places.sort()
        for (place, next) in zip(places, places.dropFirst()) {
            expect(place != next, "two jobs share the place \(place)")
        }
    }

    private mutating func checkSettlements() {
        let dump = dump
        var effects: [UInt64: UInt64] = [:]
        for (_, settlement, _) in dump.pending { effects[settlement, default: 0] += 1 }
        expect(Int(dump.meta?.openSettlements ?? 0) == dump.settlements.count, "open settlements are not counted")
        expect(effects == dump.settlements.mapValues(\.effects), "pending effects are not counted, or nobody's")
        var marks: [FlowID: UInt32] = [:]
        for key in dump.settling {
            expect(dump.settlements[key.settlement] != nil, "a mark of a settlement that is not there")
            marks[key.flow, default: 0] += 1
        }
        let cancelled = Set(dump.pending.filter { $0.effect.kind == .cancelFlow }.map { FlowID($0.effect.subject) })
        for (id, flow) in dump.flows {
            expect(flow.settling == marks[id, default: 0], "flow \(id): \(flow.settling) marks, against its rows")
            expect(
                flow.flags.contains(.isCancelling) == cancelled.contains(id),
                "flow \(id) is being cancelled, or not, against what is pending"
            )
        }
    }

    // MARK: States and indexes

    private mutating func checkIndexes() {
        let dump = dump
        for (key, id) in dump.ready {
            let job = dump.jobs[id]
            expect(
                job?.state == .waiting && job?.queue == key.queue && job?.group == key.group
                    && job?.turn == key.turn,
                "the ready entry of job \(id) is not its own"
            )
        }
        for key in dump.delayed {
            let job = dump.jobs[key.job]
            expect(job?.state == .delayed && job?.due == key.due, "the delayed entry of job \(key.job) is not its own")
        }
        for key in dump.lists {
            let job = dump.jobs[key.job]
            expect(
                job.map { JobListKey($0, key.job) == key && $0.state != .waiting && $0.state != .active } == true,
                "the entry of job \(key.job) in a list is not its own"
            )
        }
        for (id, lease) in dump.leases {
            let job = dump.jobs[id]
            expect(job?.state == .active && job?.due == lease.token.rawValue, "the lease of job \(id) is not its own")
            expect(job?.startedAt == lease.startedAt, "the lease of job \(id) began at another time")
        }
        for state in [JobState.waiting, .delayed, .active] {
            let jobs = dump.jobs.values.count { $0.state == state }
            let rows =
                switch state {
                case .waiting: dump.ready.count
                case .delayed: dump.delayed.count
                default: dump.leases.count
                }
            expect(jobs == rows, "\(jobs) jobs are \(state), and \(rows) stand in its index")
        }
        let listed = dump.jobs.values.count {
            $0.state != .waiting && $0.state != .active && !$0.marks.contains(.isRemoved)
        }
        expect(listed == dump.lists.count, "\(listed) jobs belong into lists, and \(dump.lists.count) stand there")
        expect(Set(dump.ready.map(\.job)).count == dump.ready.count, "a job stands twice in the ready index")
    }

    private mutating func checkJobs() {
        let dump = dump
        expect(dump.jobs.count == dump.payloads.count, "jobs and payloads are not the same in number")
        for (id, job) in dump.jobs {
            guard let payload = dump.payloads[id] else {
                expect(false, "job \(id) has no payload")
                continue
            }
            expect(payload.hasName, "job \(id) has no name")
            checkOutcome(id, job)
            if job.marks.contains(.isRemoved) {
                checkRemoved(id, job)
                continue
            }
            expect(job.flags.contains(.hasDelay) == (payload.delay > 0), "job \(id): the flag of its delay is wrong")
            expect(job.flags.contains(.hasBackoff) == payload.hasBackoff, "job \(id): the flag of its backoff is wrong")
            expect(dump.queues[job.queue] != nil, "job \(id) is in no queue")
            expect(job.flow == .none || dump.flows[job.flow] != nil, "job \(id) is in a flow that is not there")
            expect(job.state != .waiting || job.place != 0, "job \(id) waits without a place")
            expect(
                job.state != .waiting || (1...dump.meta!.elapsed).contains(job.due),
                "job \(id) is waiting since \(job.due)"
            )
            expect(job.state.isFinished == (job.finishedAt != 0), "job \(id) is \(job.state), finished or not")
            expect(
                job.attemptsMade <= job.attempts || hasSecondThoughts,
                "job \(id) made more attempts than it has"
            )
            expect(
                job.marks.isDisjoint(with: [.isSkipped, .isPruned]) || job.state == .cancelled,
                "job \(id) is \(job.state), and marked as cancelled"
            )
            expect(UInt32(job.attemptsMade) <= job.attemptsStarted, "job \(id) made more attempts than it started")
            expect((job.state == .failed) <= (job.cause != .none), "job \(id) failed without a cause")
            expect((job.state == .completed) <= (job.cause == .none), "job \(id) completed with a cause")
        }
        for id in dump.results.keys { expect(dump.jobs[id] != nil, "a result of job \(id), which is not there") }
    }

    private mutating func checkOutcome(_ id: JobID, _ job: JobRecord) {
        let dump = dump
        let inline = max(job.inlineBytes, JobRecord.outcomeRoom)
        expect(dump.inlineBytes[id] == inline, "job \(id): \(dump.inlineBytes[id]!) inline bytes, not \(inline)")
        let isLarge = job.outcome != .none && !job.hasInlineOutcome
        expect(
            (dump.results[id] != nil) == isLarge,
            "job \(id): its result row is there, or not, against its record"
        )
        if isLarge { expect(dump.results[id] == Int(job.outcomeBytes), "job \(id): its result has another size") }
        if job.outcome == .none { expect(job.outcomeBytes == 0, "job \(id): bytes of no outcome") }
    }

    /// What is left of a removed job: enough for those that depend on it.
    private mutating func checkRemoved(_ id: JobID, _ job: JobRecord) {
        expect(
            job.flags == [] && job.flow == .none && job.place == 0 && job.due == 0,
            "job \(id) is removed, and not bare"
        )
        expect(job.dependents > 0, "job \(id) is removed, and nobody depends on it")
        expect(job.state.isFinished, "job \(id) is removed and \(job.state)")
    }
}

extension Bool {
    /// Implies.
    static func <= (a: Bool, b: Bool) -> Bool { !a || b }
}
