import PenstockWire
import Testing

@testable import PenstockEngine

/// The engine against the model: the tables, and what readers are told.
extension HistoryRun {
    static func compare(_ outcome: Outcome, _ expected: Model.AddResult) throws {
        switch expected {
        case .refused(let codes): try compare(outcome, .refused(codes), isWhole: true)
        case .added(let items):
            let message = outcome.status == 0 ? "" : try ErrorBody(reading: outcome.body).message
            try #require(outcome.status == 0, "refused: \(message)")
            var reader = WireReader(outcome.body.rawSpan)
            let answer = try AddOutcome(from: &reader)
            try #require(answer.items == items)
        }
    }

    /// - Parameter isWhole: all was carried out with the command, so that it tells how many jobs it came to.
    static func compare(_ outcome: Outcome, _ expected: Model.Answer, isWhole: Bool) throws {
        let code = ErrorCode(rawValue: outcome.status)!
        switch expected {
        case .refused(let codes): try #require(codes.contains(code), "answered \(code), expected one of \(codes)")
        case .moved(let hasMoved):
            try #require(code == .ok, "answered \(code)")
            var reader = WireReader(outcome.body.rawSpan)
            try #require(try MoveOutcome(from: &reader).hasMoved == hasMoved, "it moved, or not")
        case .scheduled(let answer):
            try #require(code == .ok, "answered \(code)")
            var reader = WireReader(outcome.body.rawSpan)
            try #require(try SchedulerOutcome(from: &reader) == answer, "it is scheduled otherwise")
        case .done: try #require(code == .ok && outcome.body.isEmpty, "answered \(code)")
        case .count(let count):
            let message = code == .ok ? "" : try ErrorBody(reading: outcome.body).message
            try #require(code == .ok, "refused: \(message)")
            var reader = WireReader(outcome.body.rawSpan)
            let told = try reader.u32()
            try #require(told == count || !isWhole, "came to \(told) jobs, not \(count)")
        }
    }

    /// Every invariant holds, and everything is as in the model.
    ///
    /// - Parameter readsAll: what readers are told of every job is compared, and not only of one.
    func compare(readsAll: Bool = false) throws {
        let dump = try engine.dump()
        try engine.check(dump)
        guard let model else { return }
        var problems = Problems()
        let count = model.jobs.count + model.tombstones.count
        problems.expect(dump.jobs.count == count, "\(dump.jobs.count) jobs, not \(count)")
        for id in model.tombstones.keys {
            problems.expect(dump.jobs[id]?.marks.contains(.isRemoved) == true, "job \(id) is not kept for dependents")
        }
        for (id, job) in model.jobs {
            guard let record = dump.jobs[id] else {
                problems.expect(false, "job \(id) is not there")
                continue
            }
            compare(record, job, &problems)
            compare(dump.edges(of: id), job, &problems)
        }
        for queue in ["q", "r", "s"] { try compareQueue(queue, model, &problems) }
        for flow in model.flows.keys { try compareFlow(flow, model, &problems) }
        try compareLists(model, all: readsAll, &problems)
        try compareSchedulers(model, &problems)
        try compareReported(model, &problems)
        for job in comparedJobs(model, all: readsAll) {
            try compareReads(of: job, &problems)
            try compareTree(of: job, model, &problems)
        }
        try compareFlowList(model, &problems)
        if let flow = model.flows.keys.sorted().randomElement(using: &checks) {
            try compareGraph(of: flow, model, &problems)
        }
        try problems.check()
    }

    private func comparedJobs(_ model: Model, all: Bool) -> [Model.Job] {
        let jobs = model.jobs.values.sorted { $0.id < $1.id }
        return all ? jobs : jobs.randomElement(using: &checks).map { [$0] } ?? []
    }

    private func compare(_ record: JobRecord, _ job: Model.Job, _ problems: inout Problems) {
        let id = job.id
        problems.expect(record.state == job.state, "job \(id) is \(record.state), not \(job.state)")
        problems.expect(record.cause == job.cause, "job \(id): cause \(record.cause), not \(job.cause)")
        problems.expect(record.flow == job.flow, "job \(id) is in flow \(record.flow)")
        problems.expect(Int(record.attemptsMade) == job.made, "job \(id): \(record.attemptsMade) made, not \(job.made)")
        problems.expect(
            Int(record.attemptsStarted) == job.started,
            "job \(id): \(record.attemptsStarted) started, not \(job.started)"
        )
        problems.expect(Int(record.stalledCount) == job.stalled, "job \(id): \(record.stalledCount) stalled")
        problems.expect(record.priority == job.options.priority, "job \(id) has priority \(record.priority)")
        problems.expect((record.place == 0) == (job.place == nil), "job \(id) has a place, or not")
        problems.expect(
            record.dependencies.failedDependency == job.failedDependency,
            "job \(id) blames \(record.dependencies.failedDependency), not \(job.failedDependency)"
        )
        problems.expect(record.marks.contains(.isSkipped) == job.isSkipped, "job \(id) is skipped, or not")
        problems.expect(record.marks.contains(.isPruned) == job.isPruned, "job \(id) is pruned, or not")
        guard job.state == .delayed else { return }
        problems.expect(record.due == job.due, "job \(id) is due at \(record.due), not \(job.due)")
    }

    /// The jitter of a backoff is the engine's to draw: the model takes over what it drew.
    func takeJitter() throws {
        guard let model else { return }
        for job in model.jobs.values where job.state == .delayed && job.dueSpread > 0 {
            guard let due = try engine.record(job.id)?.due else { continue }
            let isWithin = due <= job.due && due + job.dueSpread >= job.due
            try #require(isWithin, "job \(job.id) is due at \(due), not \(job.due - job.dueSpread)...\(job.due)")
            (job.due, job.dueSpread) = (due, 0)
        }
    }

    private func compare(
        _ stored: ArraySlice<(key: EdgeKey, record: EdgeRecord)>,
        _ job: Model.Job,
        _ problems: inout Problems
    ) {
        problems.expect(
            stored.count == job.edges.count,
            "job \(job.id) has \(stored.count) edges, not \(job.edges.count)"
        )
        for (stored, edge) in zip(stored, job.edges) {
            let isSame =
                stored.key.position == edge.position && stored.record.dependency == edge.dependency.id
                && stored.record.kind == edge.kind && stored.record.policy == edge.policy
                && stored.record.condition == edge.condition && stored.record.isHeld == edge.isHeld
            problems.expect(
                isSame,
                "edge \(job.id).\(edge.position) to \(edge.dependency.id): \(stored.record), not \(edge.kind)"
                    + (edge.isHeld ? ", held" : "")
            )
        }
    }

    private func compareQueue(_ queue: String, _ model: Model, _ problems: inout Problems) throws {
        let ready = try engine.ready(queue).map(\.job)
        let jobs = model.jobs.values.filter { $0.queue == queue }
        let waiting = jobs.filter { $0.state == .waiting }
        problems.expect(Set(ready) == Set(waiting.map(\.id)), "queue \(queue): other jobs are ready")
        for (a, b) in zip(ready, ready.dropFirst()) {
            guard let a = model.jobs[a], let b = model.jobs[b], let place = a.place, let next = b.place else {
                continue
            }
            // Every group has an order of its own.
            let inOrder = a.group != b.group || (a.options.priority, place) <= (b.options.priority, next)
            problems.expect(inOrder, "queue \(queue): job \(a.id) stands before \(b.id)")
        }
        try compareGroups(queue, waiting, problems: &problems)
        if let counts = try? engine.queue(queue) { compare(counts, jobs, "queue \(queue)", &problems) }
    }

    private func compareGroups(_ queue: String, _ waiting: [Model.Job], problems: inout Problems) throws {
        guard let page = try? engine.groups(queue) else { return }
        for row in page.rows {
            let jobs = waiting.count { $0.group == row.name && stateForReaders($0) == .waiting }
            problems.expect(Int(row.waiting) == jobs, "group \(row.name): \(row.waiting) jobs wait, not \(jobs)")
        }
    }

    private func compareFlow(_ flow: FlowID, _ model: Model, _ problems: inout Problems) throws {
        let view = try engine.flow(flow)
        let status = model.status(of: flow)
        problems.expect(view.status == status, "flow \(flow) is \(view.status), not \(status)")
        compare(view.counts, model.flows[flow]!, "flow \(flow)", &problems)
    }

    func compare(_ counts: StateCounts, _ jobs: [Model.Job], _ name: String, _ problems: inout Problems) {
        for state in JobState.allCases {
            let expected = jobs.count {
                stateForReaders($0) == state
            }
            problems.expect(
                Int(counts[state]) == expected,
                "\(name): \(counts[state]) jobs are \(state), not \(expected)"
            )
        }
    }

    /// Whoever waits for a job or a flow is told.
    private func compareReported(_ model: Model, _ problems: inout Problems) throws {
        let finished = Set(model.flows.keys.filter { model.status(of: $0).isFinished })
        for flow in finished.subtracting(finishedFlows) {
            problems.expect(reported.flows.contains(flow), "nobody was told that flow \(flow) has finished")
        }
        for flow in flows.subtracting(model.flows.keys) {
            problems.expect(reported.flows.contains(flow), "nobody was told that flow \(flow) is gone")
        }
        finishedFlows = finished
        flows = Set(model.flows.keys)
        for job in reported.jobs {
            problems.expect(job.rawValue < model.nextJob, "job \(job) was told to have finished")
        }
        reported = ([], [])
    }

    // MARK: Reads

    private func compareReads(of job: Model.Job, _ problems: inout Problems) throws {
        let view = try engine.view(job.id)
        let state = stateForReaders(job)
        problems.expect(view.state == state, "job \(job.id) reads as \(view.state), not \(state)")
        problems.expect(view.data == job.data, "job \(job.id) has other data")
        try compareFacts(of: job, view, &problems)
        problems.expect(Int(view.dependents) == job.dependents.count, "job \(job.id) has \(view.dependents) dependents")
        let totals = try engine.open.read { try engine.open.reads.dependencyTotals(of: job.id, $0).counts }
        problems.expect(totals == view.dependencies, "job \(job.id): its dependencies are counted in two ways")
        func count(_ kind: DependencyKind) -> UInt32 { UInt32(job.edges.count { $0.kind == kind }) }
        let expected = DependencyCounts(
            unprocessed: count(.unprocessed),
            processed: count(.processed),
            ignored: count(.ignored),
            failed: count(.failed)
        )
        problems.expect(totals == expected, "job \(job.id): its dependencies are \(totals), not \(expected)")
        for kind in DependencyKind.allCases {
            let edges = job.edges.filter { $0.kind == kind }
            let rows = try walk(job.id, kind, rows: UInt32(1 + checks.below(3)))
            let isSame =
                rows.map(\.position) == edges.map(\.position) && rows.map(\.job) == edges.map(\.dependency.id)
                && rows.map(\.policy) == edges.map(\.policy) && rows.map(\.condition) == edges.map(\.condition)
                && rows.map(\.queue) == edges.map(\.dependency.queue)
            problems.expect(isSame, "job \(job.id): a walk over those that are \(kind) gives others")
            for (row, edge) in zip(rows, edges) where kind != .unprocessed {
                try compare(row.outcome, of: edge, &problems)
            }
        }
        let dependents = try walkDependents(job.id, rows: UInt32(1 + checks.below(3)))
        problems.expect(
            dependents == job.dependents.map(\.dependent.id).sorted(),
            "job \(job.id): a walk over its dependents gives others"
        )
    }

    /// What a dependent is told of an edge. How a dependency ended has nothing to say about one that was decided
    /// otherwise by hand.
    private func compare(_ outcome: JobOutcome, of edge: Model.Edge, _ problems: inout Problems) throws {
        let dependency = edge.dependency
        let isTold: Bool
        if dependency.state == .completed {
            isTold = outcome == (edge.kind == .processed ? dependency.result : .none)
        } else if edge.kind == .processed {
            isTold = outcome == .none
        } else if let model, model.jobs[dependency.id] != nil {
            isTold = outcome == (try engine.view(dependency.id).outcome)
        } else {
            isTold = true
        }
        problems.expect(isTold, "job \(edge.dependent.id): another outcome of \(dependency.id)")
    }

    private func walk(_ job: JobID, _ kind: DependencyKind, rows: UInt32) throws -> [DependencyPages.Row] {
        var found: [DependencyPages.Row] = []
        var cursor: UInt64 = 0
        repeat {
            let request = GetDependencies(job: job, pages: [.init(kind: kind, cursor: cursor, rows: rows)])
            let page = try engine.open.read { try engine.open.reads.dependencies(request, $0).pages[0] }
            try #require(page.rows.count <= rows)
            found += page.rows
            cursor = page.next
        } while cursor != 0
        return found
    }

    private func walkDependents(_ job: JobID, rows: UInt32) throws -> [JobID] {
        var found: [JobID] = []
        var cursor: UInt64 = 0
        repeat {
            let request = GetDependents(job: job, cursor: cursor, rows: rows)
            let page = try engine.open.read { try engine.open.reads.dependents(request, $0) }
            try #require(page.rows.count <= rows)
            found += page.rows.map(\.job)
            cursor = page.next
        } while cursor != 0
        return found
    }

    // MARK: In the midst of a settlement

    func noteJobs() {
        guard let model else { return }
        jobsBefore = model.flows.mapValues { jobs in
            Dictionary(uniqueKeysWithValues: jobs.map { ($0.id, ($0.state, $0.positions)) })
        }
    }

    /// A flow is marked, or it is as it was, or as it will be.
    ///
    /// As it was is with the edges that the command itself hung on its jobs: they are there at once.
    func compareHalfDone(_ dump: Dump) throws {
        guard let model else { return }
        // Releases are shown as they come.
        guard dump.settlements.values.contains(where: \.isMarking) else { return }
        var problems = Problems()
        for (flow, before) in jobsBefore {
            guard let record = dump.flows[flow] else { continue }
            if record.settling > 0 {
                let status = try engine.flow(flow).status
                problems.expect(status == .settling, "flow \(flow) reads as \(status), and settles")
                continue
            }
            let found = dump.jobs.filter { $0.value.flow == flow }
            let states = Dictionary(uniqueKeysWithValues: found.map { ($0.key, $0.value.state) })
            let jobs = model.flows[flow] ?? []
            // What an add comes to at once is there: those that wait for it, and the job that is added to.
            let changed = before.filter { id, before in
                if states[id] == before.state { return false }
                // What completes, and is released or skipped by that, is shown as it comes.
                let isSkipped = states[id] == .cancelled && model.jobs[id]?.isSkipped == true
                let isReleased = isSkipped || [.waiting, .delayed, .completed].contains(states[id])
                if isReleased && states[id] == model.jobs[id]?.state { return false }
                // What one command releases can still be reached by what another one of the commit has decided.
                if before.state == .waitingChildren && [.waiting, .delayed].contains(states[id]) { return false }
                return
                    !(states[id] == .waitingChildren && model.jobs[id]!.positions > before.positions
                    || states[id] == .active && before.state == .waiting)
            }
            problems.expect(
                changed.isEmpty || states == Dictionary(uniqueKeysWithValues: jobs.map { ($0.id, $0.state) }),
                "flow \(flow) is not marked, and reads as half done: "
                    + changed.map {
                        "job \($0.key) was \($0.value.state), is \(states[$0.key], default: "gone"), will be "
                            + "\(model.jobs[$0.key]?.state, default: "gone")"
                    }.sorted().joined(separator: "; ")
            )
        }
        try problems.check()
    }
}

/// What was found to be wrong.
struct Problems {
    private var found: [String] = []

    mutating func expect(_ holds: Bool, _ problem: @autoclosure () -> String) {
        if !holds { found.append(problem()) }
    }

    func check() throws { if !found.isEmpty { throw BrokenInvariants(problems: found) } }
}
