import PenstockWire

@testable import PenstockEngine

/// A dependency and its dependent.
private struct Pair: Hashable {
    var dependency: JobID
    var dependent: JobID

    init(_ dependency: JobID, _ dependent: JobID) {
        self.dependency = dependency
        self.dependent = dependent
    }
}

/// What must be true of the tables after every batch, whatever the commands were.
///
/// Three things need not hold in the midst of a settlement, each for the jobs
/// that its pending effects name: an edge may be unprocessed though its dependency
/// has ended (until it is told), a job may be in waiting-children without an edge
/// that counts (until it is started), and a flow may be on the way to being cancelled.
struct InvariantChecker {
    let dump: Dump
    /// Jobs were retried, or edges resolved by hand: an edge may tell what its dependency did before.
    let hasSecondThoughts: Bool
    private var found: [String] = []
    private var told: Set<JobID> = []
    private var started: Set<JobID> = []

    init(_ dump: Dump, hasSecondThoughts: Bool = false) {
        self.dump = dump
        self.hasSecondThoughts = hasSecondThoughts
        for (_, _, effect) in dump.pending {
            if effect.kind == .tell { told.insert(effect.job) }
            if effect.kind == .start { started.insert(effect.job) }
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
        return copy.found
    }

    private mutating func expect(_ holds: Bool, _ problem: @autoclosure () -> String) {
        if !holds { found.append(problem()) }
    }

    private mutating func checkMeta() {
        let dump = dump
        guard let meta = dump.meta else { return found.append("there is no meta row") }
        expect(dump.jobs.keys.allSatisfy { $0.rawValue < meta.nextJob && $0 != .none }, "a job above nextJob")
        expect(dump.flows.keys.allSatisfy { $0.rawValue < meta.nextFlow && $0 != .none }, "a flow above nextFlow")
        expect(
            dump.queues.keys.map(\.rawValue).sorted() == Array(1..<UInt32(meta.nextQueue)),
            "queue ids have gaps, or are above nextQueue"
        )
        expect(Set(dump.queues.values.map(\.name)).count == dump.queues.count, "two queues of one name")
        var places = Set<UInt64>()
        for (id, job) in dump.jobs where job.place != 0 {
            expect(job.place > meta.falling && job.place < meta.rising, "job \(id) has a place that was not drawn")
            expect(places.insert(job.place).inserted, "job \(id) shares its place")
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

    // MARK: Schedulers

    private mutating func checkSchedulers() {
        let dump = dump
        expect(Set(dump.schedulers.keys) == dump.schedulerTemplates, "schedulers and templates are not the same")
        expect(
            dump.schedulersDue.count { $0.clock != nil } == dump.schedulers.values.count { $0.times.due != 0 },
            "a scheduler stands twice among those that become due, or not at all"
        )
        for key in dump.schedulersDue {
            let record = dump.schedulers[key.id]
            if key.clock == nil {
                expect((record?.owed ?? 0) > 0, "a scheduler is due for a run that it does not owe")
            } else {
                expect(record?.times.due == key.due && record?.clock == key.clock, "a due entry is not its scheduler's")
            }
        }
        for entry in dump.schedulerRuns {
            expect((dump.schedulers[entry.id]?.owed ?? 0) > 0, "a scheduler waits for a run and owes none")
        }
        let waiting = Set(dump.schedulerRuns.map(\.id) + dump.schedulersDue.filter { $0.clock == nil }.map(\.id))
        for (id, record) in dump.schedulers where record.owed > 0 {
            expect(waiting.contains(id), "a scheduler owes a run, and nothing will remind it")
        }
    }

    // MARK: States and indexes

    private mutating func checkIndexes() {
        let dump = dump
        for (key, id) in dump.ready {
            let job = dump.jobs[id]
            expect(
                job?.state == .waiting && job?.queue == key.queue && job?.turn == key.turn,
                "the ready entry of job \(id) is not its own"
            )
        }
        for key in dump.delayed {
            let job = dump.jobs[key.job]
            expect(job?.state == .delayed && job?.due == key.due, "the delayed entry of job \(key.job) is not its own")
        }
        for key in dump.finished {
            let job = dump.jobs[key.job]
            expect(
                job?.state.rawValue == key.state && job?.queue == key.queue && job?.finishedAt == key.time
                    && job!.state.isFinished,
                "the finished entry of job \(key.job) is not its own"
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
        let ended = dump.jobs.values.count { $0.state.isFinished && !$0.marks.contains(.isRemoved) }
        expect(ended == dump.finished.count, "\(ended) jobs have ended, and \(dump.finished.count) stand in the index")
        expect(Set(dump.ready.map(\.job)).count == dump.ready.count, "a job stands twice in the ready index")
    }

    private mutating func checkJobs() {
        let dump = dump
        expect(dump.jobs.count == dump.payloads.count, "jobs and payloads are not the same in number")
        for (id, job) in dump.jobs {
            guard let payload = dump.payloads[id] else {
                found.append("job \(id) has no payload")
                continue
            }
            expect(!payload.name.isEmpty, "job \(id) has no name")
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
                job.state != .waiting || job.due <= dump.meta?.elapsed ?? 0,
                "job \(id) waits since a time that has not come"
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

    // MARK: Edges

    private mutating func checkEdges() {
        let dump = dump
        var blocks: [JobID: DependencyBlock] = [:]
        var pairs = Set<Pair>()
        var heldEdges: [FlowID: UInt32] = [:]
        for (key, edge) in dump.edges {
            guard let dependent = dump.jobs[key.dependent], let dependency = dump.jobs[edge.dependency] else {
                found.append("an edge of job \(key.dependent) to \(edge.dependency), one of which is not there")
                continue
            }
            let name = "edge \(key.dependent).\(key.position) to \(edge.dependency)"
            expect(pairs.insert(Pair(edge.dependency, key.dependent)).inserted, "\(name) is there twice")
            expect(key.position < dependent.dependencies.positions, "\(name): its position was not given")
            expect(dependent.flags.contains(.hasDependencies), "\(name): its dependent has no dependency block")
            let isBelow = key.position < dependent.dependencies.detachedBelow
            let isDetached = isBelow && !edge.isAttached
            expect(!edge.isAttached || isBelow && edge.kind == .unprocessed, "\(name) is attached without a need")
            var block = blocks[key.dependent] ?? DependencyBlock()
            switch edge.kind {
            case .unprocessed:
                block.unprocessed += 1
                if !isDetached { block.counting += 1 }
                if edge.isAttached { block.attached += 1 }
            case .processed: block.processed += 1
            case .ignored: block.ignored += 1
            case .failed:
                block.failed += 1
                expect(key.position >= dependent.dependencies.failedFrom, "\(name) failed, and would not be found")
            }
            switch edge.kind {
            case .unprocessed:
                let hasFailed = dependency.state == .failed || dependency.state == .cancelled
                expect(
                    !edge.isHeld || edge.policy == .wait && (hasFailed || hasSecondThoughts),
                    "\(name) is held, and its dependency is \(dependency.state)"
                )
                expect(
                    !dependency.state.isFinished || edge.isHeld || told.contains(edge.dependency),
                    "\(name) is unprocessed, and its dependency has ended"
                )
                if edge.isHeld && !isDetached {
                    block.held += 1
                    if dependent.flow != .none && dependent.state == .waitingChildren {
                        heldEdges[dependent.flow, default: 0] += 1
                    }
                }
            case .processed:
                expect(
                    dependency.state == .completed || hasSecondThoughts,
                    "\(name) is processed, and its dependency did not complete"
                )
            case .ignored, .failed:
                expect(
                    dependency.state == .failed || dependency.state == .cancelled || hasSecondThoughts,
                    "\(name) is \(edge.kind), and its dependency did not fail"
                )
            }
            blocks[key.dependent] = block
            expect(!edge.isHeld || edge.kind == .unprocessed, "\(name) is held and resolved")
            expect(
                (edge.kind == .failed) <= (edge.policy == .failParent && edge.condition == .success),
                "\(name) failed, against its policy"
            )
        }
        for (id, job) in dump.jobs {
            let block = blocks[id] ?? DependencyBlock()
            let stored = job.dependencies
            expect(
                stored.counting == block.counting && stored.counts == block.counts && stored.held == block.held
                    && stored.attached == block.attached,
                "job \(id): its counters \(stored) are not those of its edges, \(block)"
            )
            expect(
                (job.state == .waitingChildren) <= (block.counting > 0 || started.contains(id)),
                "job \(id) waits for nothing"
            )
            // An active one may have added what it will wait for.
            expect([.waiting, .delayed].contains(job.state) <= (block.counting == 0), "job \(id) runs too early")
            expect(
                (stored.failedDependency != .none) == (job.cause == .dependency) || job.marks.contains(.isRemoved),
                "job \(id): its cause is \(job.cause), its failed dependency \(stored.failedDependency)"
            )
        }
        for (id, flow) in dump.flows {
            expect(
                flow.heldEdges == heldEdges[id, default: 0],
                "flow \(id): \(flow.heldEdges) held edges, not \(heldEdges[id, default: 0])"
            )
        }
    }

    private mutating func checkDependents() {
        let dump = dump
        var reverse: [Pair: UInt32] = [:]
        var counts: [JobID: UInt32] = [:]
        for (key, position) in dump.dependents {
            reverse[Pair(key.dependency, key.dependent)] = position
            counts[key.dependency, default: 0] += 1
        }
        for (id, job) in dump.jobs where job.firstDependent != .none {
            let key = Pair(id, job.firstDependent)
            expect(reverse[key] == nil, "job \(id): its first dependent has a row, too")
            reverse[key] = job.firstDependentPosition
            counts[id, default: 0] += 1
        }
        for (key, edge) in dump.edges {
            let known = reverse.removeValue(forKey: Pair(edge.dependency, key.dependent))
            expect(known == key.position, "edge \(key.dependent).\(key.position): the reverse entry is wrong")
        }
        for key in reverse.keys {
            found.append("a reverse entry of \(key.dependency) to \(key.dependent) without an edge")
        }
        for (id, job) in dump.jobs {
            expect(
                job.dependents == counts[id, default: 0],
                "job \(id): \(job.dependents) dependents, against its rows"
            )
        }
    }

    // MARK: Counts

    private mutating func checkCounts() {
        let dump = dump
        var queues: [QueueID: StateCounts] = [:]
        var flows: [FlowID: StateCounts] = [:]
        var members: [FlowID: [JobID]] = [:]
        var failedSinks: [FlowID: UInt32] = [:]
        var hasDependentInFlow = Set<JobID>()
        for (key, edge) in dump.edges {
            guard let dependent = dump.jobs[key.dependent], let dependency = dump.jobs[edge.dependency] else {
                continue
            }
            if dependent.flow == dependency.flow && dependent.flow != .none {
                hasDependentInFlow.insert(edge.dependency)
            }
        }
        for (id, job) in dump.jobs where !job.marks.contains(.isRemoved) {
            queues[job.queue, default: StateCounts()][job.state] += 1
            guard job.flow != .none else { continue }
            flows[job.flow, default: StateCounts()][job.state] += 1
            members[job.flow, default: []].append(id)
            // An edge that `remove` took away does not make a sink.
            expect(
                hasDependentInFlow.contains(id) <= !job.flags.contains(.isSink),
                "job \(id) is a sink with a dependent in its flow"
            )
            if job.flags.contains(.isSink) && (job.state == .failed || job.state == .cancelled)
                && !job.marks.contains(.isSkipped)
            {
                failedSinks[job.flow, default: 0] += 1
            }
        }
        for (id, queue) in dump.queues {
            expect(queue.counts == queues[id] ?? StateCounts(), "queue \(queue.name): its counts are wrong")
        }
        for (id, flow) in dump.flows {
            let ids = (members[id] ?? []).filter { !dump.jobs[$0]!.marks.contains(.isAddedLater) }.sorted()
            expect(flow.counts == flows[id] ?? StateCounts(), "flow \(id): its counts are wrong")
            expect(
                flow.jobs >= UInt32(ids.count) && members[id] != nil,
                "flow \(id): \(flow.jobs) jobs, against \(ids.count)"
            )
            let first = flow.firstJob.rawValue
            expect(
                ids.allSatisfy { (first..<first + UInt64(flow.jobs)).contains($0.rawValue) },
                "flow \(id): its jobs are not among its first ones"
            )
            expect(flow.failedSinks == failedSinks[id, default: 0], "flow \(id): \(flow.failedSinks) failed sinks")
            expect((flow.finishedAt != 0) == (flow.unfinished == 0), "flow \(id): finished or not")
        }
        let later = dump.jobs.filter { $0.value.marks.contains(.isAddedLater) }
        expect(Set(dump.laterJobs.map(\.job)) == Set(later.keys), "jobs added later stand not all in their table")
        for key in dump.laterJobs {
            expect(later[key.job]?.flow == key.flow, "job \(key.job) was added to another flow")
        }
        for (id, flow) in dump.flows {
            let count = dump.laterJobs.count { $0.flow == id }
            expect(Int(flow.later) == count, "flow \(id): \(flow.later) jobs added later, against \(count)")
        }
        for id in dump.flowNames { expect(dump.flows[id] != nil, "a name of flow \(id), which is not there") }
    }

    private mutating func checkCustomIDs() {
        let dump = dump
        for (key, id) in dump.customIDs {
            expect(
                dump.jobs[id]?.queue == key.queue && dump.payloads[id]?.customID == key.id,
                "a custom id of job \(id) that it does not have"
            )
        }
        let named = dump.jobs.values.count { $0.flags.contains(.hasCustomID) }
        expect(named == dump.customIDs.count, "\(named) jobs have a custom id, and there are \(dump.customIDs.count)")
    }

    private mutating func checkChildKeys() {
        for key in dump.childKeys {
            let marks = dump.jobs[key.parent]?.marks
            expect(marks?.contains(.hasChildKeys) == true, "a child's key of job \(key.parent), which has none")
        }
        for (child, holder) in dump.keyHolders {
            expect(dump.jobs[child]?.marks.contains(.hasChildKeys) == true, "job \(child) has no key under a job")
            let isKnown = dump.jobs[holder]?.marks.contains(.isRemoved) == false
            expect(
                !isKnown || dump.childKeys.contains { $0.parent == holder && $0.job == child },
                "job \(child) has no key under job \(holder)"
            )
        }
    }

    private mutating func checkSessions() {
        let dump = dump
        var last: [SessionID: UInt64] = [:]
        for key in dump.outcomes {
            expect(dump.sessions[key.session] != nil, "outcomes of a session that is not there")
            expect(key.sequence > dump.sessions[key.session]?.confirmed ?? 0, "outcomes that were confirmed")
            last[key.session] = key.sequence
        }
        for (id, session) in dump.sessions {
            expect(session.confirmed <= session.applied, "session \(id) confirmed more than was applied")
        }
    }
}

extension Bool {
    /// Implies.
    static func <= (a: Bool, b: Bool) -> Bool { !a || b }
}
