import PenstockWire
import Testing

@testable import PenstockEngine

/// One random history, which its seed decides: the engine and the model do the same, and are compared after every batch.
struct History {
    let seed: UInt64
    private var random: SplitMix64
    private let engine: EngineHarness
    private let model = Model()
    private var sessions: [TestSession] = []
    /// How likely things are in this history, in per cent.
    private let customIDs: Int
    private let delays: Int
    private let failures: Int
    private let edges: Int
    private let policies: Int
    private let mistakes: Int
    private let stored: Int
    private(set) var batches = 0
    private(set) var commands = 0
    private(set) var refusals: [ErrorCode: Int] = [:]

    init(seed: UInt64, engine: EngineHarness? = nil) throws {
        self.seed = seed
        var random = SplitMix64(seed: seed)
        customIDs = random.below(60)
        delays = random.below(40)
        failures = random.below(70)
        edges = 10 + random.below(60)
        policies = random.below(100)
        mistakes = random.below(3) == 0 ? 4 : 0
        stored = random.below(40)
        self.random = random
        self.engine = try engine ?? EngineHarness()
        sessions = [self.engine.session]
        for _ in 0..<2 { sessions.append(try self.engine.openSession()) }
        model.elapsed = self.engine.elapsed
    }

    mutating func run(steps: Int) throws {
        for step in 0..<steps {
            do { try self.step() } catch { throw HistoryError(seed: seed, step: step, cause: error) }
        }
    }

    private mutating func chance(_ perCent: Int) -> Bool { random.below(100) < perCent }

    private mutating func step() throws {
        engine.advance(UInt64(random.below(4) == 0 ? random.below(3_000) : random.below(50)))
        if chance(3) { try restart() }
        for queue in ["q", "r", "s"] where chance(60) {
            try engine.lease(queue, random.below(4), sessions[random.below(sessions.count)])
        }
        model.leased = Set(engine.leases.keys)
        model.elapsed = max(model.elapsed, engine.elapsed)
        var expectations: [(session: TestSession, sequence: UInt64, check: (Outcome) throws -> Void)] = []
        var ended: Set<JobID> = []
        for _ in 0..<1 + random.below(6) {
            commands += 1
            let free = engine.leases.values.filter { !ended.contains($0.job) }.sorted { $0.job < $1.job }
            switch random.below(12) {
            case 0...3:
                let specs = items()
                let session = sessions[random.below(sessions.count)]
                let sequence = engine.stageAdd(specs, session)
                let expected = model.add(specs)
                if case .refused(let codes) = expected { for code in codes { refusals[code, default: 0] += 1 } }
                expectations.append((session, sequence, { try History.compare($0, expected) }))
            case 4...9:
                guard !free.isEmpty else { continue }
                let lease = free[random.below(free.count)]
                ended.insert(lease.job)
                try end(lease, &expectations)
            case 10:
                engine.stage(.promote, engine.session)
                model.promote()
            default: confirmOrWrite(free, &ended)
            }
        }
        try engine.commit()
        batches += 1
        for (session, sequence, check) in expectations { try check(try #require(session.outcomes[sequence])) }
        try compare()
    }

    private mutating func end(
        _ lease: TestLease,
        _ expectations: inout [(session: TestSession, sequence: UInt64, check: (Outcome) throws -> Void)]
    ) throws {
        let job = model.jobs[lease.job]!
        func expect(_ code: ErrorCode, _ sequence: UInt64) {
            expectations.append((lease.session, sequence, { outcome in try #require(outcome.status == code.rawValue) }))
        }
        if lease.isWritten && chance(15) {
            // An old token of a written lease changes nothing; the harness forgets the slot, so the lease goes back.
            var stale = lease
            stale.token = LeaseToken(lease.token.rawValue + (1 << 30))
            expect(.fenced, engine.stageComplete(stale))
            engine.stageReturn(lease)
            return model.giveBack(job, isStall: false)
        }
        if chance(15) {
            let isStall = chance(50)
            if isStall { engine.stageStall(lease) } else { engine.stageReturn(lease) }
            return model.giveBack(job, isStall: isStall)
        }
        if chance(failures) {
            let unrecoverable = chance(15)
            let delay: UInt64? = chance(15) ? UInt64(random.below(500)) : nil
            let bytes = [UInt8](repeating: 7, count: random.below(200))
            expect(.ok, engine.stageFail(lease, unrecoverable: unrecoverable, delay: delay, details: bytes))
            return model.fail(job, unrecoverable: unrecoverable, delay: delay)
        }
        let bytes = [UInt8](repeating: 9, count: chance(10) ? 3_000 : random.below(130))
        expect(.ok, engine.stageComplete(lease, chance(30) ? .none : .json, bytes))
        model.complete(job)
        // Said twice: the second time the lease has ended.
        if chance(10) { expect(.fenced, engine.stageComplete(lease)) }
    }

    private mutating func confirmOrWrite(_ free: [TestLease], _ ended: inout Set<JobID>) {
        if let lease = free.first(where: { !$0.isWritten }), chance(50) {
            engine.stageWrite(lease)
            ended.insert(lease.job)
            return model.writeLease(model.jobs[lease.job]!)
        }
        let session = sessions[random.below(sessions.count)]
        guard let row = session.unconfirmed.randomElement(using: &random) else { return }
        engine.confirm(session, upTo: row.sequence)
    }

    private mutating func restart() throws {
        try engine.restart(after: UInt64(random.below(5_000)))
        for session in sessions {
            let told = try engine.resume(session)
            try #require(told.applied == session.next - 1, "the last number of a resumed session")
            try #require(told.bodies == session.unconfirmed.map(\.bytes), "the outcomes of a resumed session")
            guard let middle = session.unconfirmed.randomElement(using: &random)?.sequence else { continue }
            let rest = try engine.resume(session, above: middle)
            try #require(rest.bodies == session.unconfirmed.filter { $0.sequence > middle }.map(\.bytes))
        }
    }

    // MARK: Random adds

    private mutating func items() -> [ItemSpec] {
        var items: [ItemSpec] = []
        var count = 0
        for _ in 0..<1 + random.below(3) {
            let isFlow = chance(75)
            var nodes: [NodeSpec] = []
            for _ in 0..<(isFlow ? 1 + random.below(7) : 1) {
                nodes.append(node(count))
                count += 1
            }
            items.append(isFlow ? .flow("f", nodes) : .single(nodes[0]))
        }
        return items
    }

    private mutating func policy() -> FailurePolicy? {
        chance(policies) ? FailurePolicy(rawValue: UInt8(random.below(5))) : nil
    }

    private mutating func node(_ index: Int) -> NodeSpec {
        var after: [NodeSpec.Dependency] = []
        for target in 0..<index where chance(edges) && after.count < 4 { after.append(.index(target, policy())) }
        while model.nextJob > 1 && chance(stored) && after.count < 6 {
            let recent = min(model.nextJob - 1, 30)
            after.append(.job(JobID(model.nextJob - 1 - UInt64(random.below(Int(recent)))), policy()))
        }
        if chance(mistakes) {
            switch random.below(4) {
            case 0: after.append(.index(index))
            case 1: after.append(.index(index + 1))
            case 2: after.append(.job(JobID(model.nextJob + 1_000)))
            default: if let first = after.first { after.append(first) }
            }
        }
        after.shuffle(using: &random)
        let id = chance(customIDs) ? "c\(random.below(14))" : nil
        var options = NodeOptions()
        if chance(20) { options.priority = UInt32(random.below(3)) }
        if chance(delays) { options.delay = UInt64(1 + random.below(2_000)) }
        if chance(50) { options.attempts = UInt16(1 + random.below(3)) }
        if chance(delays) {
            options.backoff = Backoff(
                kind: chance(50) ? .fixed : .exponential,
                delay: UInt64(random.below(800)),
                maximum: chance(30) ? 600 : 0,
                jitter: chance(40) ? UInt16(random.below(1001)) : 0
            )
        }
        options.lifo = chance(15)
        options.rejectExisting = chance(mistakes)
        if let policy = policy() { options.onFailure = policy }
        options.maxStalledCount = UInt16(random.below(3))
        let queue = ["q", "q", "r", "s"][random.below(4)]
        return NodeSpec(name: "n\(index)", queue: queue, after: after, customID: id, data: [1], options: options)
    }

    // MARK: Comparing

    private static func compare(_ outcome: Outcome, _ expected: Model.AddResult) throws {
        switch expected {
        case .refused(let codes):
            let code = ErrorCode(rawValue: outcome.status)!
            try #require(codes.contains(code), "refused with \(code), expected one of \(codes)")
        case .added(let items):
            let message = outcome.status == 0 ? "" : try ErrorBody(reading: outcome.body).message
            try #require(outcome.status == 0, "refused: \(message)")
            var reader = WireReader(outcome.body.rawSpan)
            let answer = try AddOutcome(from: &reader)
            try #require(answer.items == items)
        }
    }

    private mutating func compare() throws {
        let dump = try engine.dump()
        var problems: [String] = []
        func expect(_ holds: Bool, _ problem: @autoclosure () -> String) {
            if !holds { problems.append(problem()) }
        }
        expect(dump.jobs.count == model.jobs.count, "\(dump.jobs.count) jobs, not \(model.jobs.count)")
        var edges: [JobID: [(key: EdgeKey, record: EdgeRecord)]] = [:]
        for edge in dump.edges { edges[edge.key.dependent, default: []].append(edge) }
        for (id, job) in model.jobs {
            guard let record = dump.jobs[id] else {
                problems.append("job \(id) is not there")
                continue
            }
            expect(record.state == job.state, "job \(id) is \(record.state), not \(job.state)")
            expect(record.cause == job.cause, "job \(id): cause \(record.cause), not \(job.cause)")
            expect(record.flow == job.flow, "job \(id) is in flow \(record.flow)")
            expect(Int(record.attemptsMade) == job.made, "job \(id): \(record.attemptsMade) made, not \(job.made)")
            expect(Int(record.attemptsStarted) == job.started, "job \(id): \(record.attemptsStarted) started")
            expect(Int(record.stalledCount) == job.stalled, "job \(id): \(record.stalledCount) stalled")
            expect((record.place == 0) == (job.place == nil), "job \(id) has a place, or not")
            expect(record.dependencies.failedDependency == job.failedDependency, "job \(id) blames another")
            if job.state == .delayed {
                expect(
                    record.due <= job.due && record.due + job.dueSpread >= job.due,
                    "job \(id) is due at \(record.due), not \(job.due - job.dueSpread)...\(job.due)"
                )
                // The jitter is the engine's to draw.
                job.due = record.due
                job.dueSpread = 0
            }
            let stored = edges[id] ?? []
            expect(stored.count == job.edges.count, "job \(id) has \(stored.count) edges, not \(job.edges.count)")
            for (stored, edge) in zip(stored, job.edges) {
                let isSame =
                    stored.key.position == edge.position && stored.record.dependency == edge.dependency.id
                    && stored.record.kind == edge.kind && stored.record.policy == edge.policy
                    && stored.record.isHeld == edge.isHeld
                expect(
                    isSame,
                    "edge \(id).\(edge.position) to \(edge.dependency.id): \(stored.record), not \(edge.kind)"
                )
            }
        }
        for queue in ["q", "r", "s"] {
            let ready = try engine.ready(queue).map(\.job)
            let waiting = model.jobs.values.filter { $0.queue == queue && $0.state == .waiting }
            expect(Set(ready) == Set(waiting.map(\.id)), "queue \(queue): other jobs are ready")
            for (a, b) in zip(ready, ready.dropFirst()) {
                guard let a = model.jobs[a], let b = model.jobs[b], let place = a.place, let next = b.place else {
                    continue
                }
                let inOrder = (a.options.priority, place) <= (b.options.priority, next)
                expect(inOrder, "queue \(queue): job \(a.id) stands before \(b.id)")
            }
            if let counts = try? engine.queue(queue) {
                compare(counts, model.jobs.values.filter { $0.queue == queue }, expect)
            }
        }
        for (flow, jobs) in model.flows {
            let view = try engine.flow(flow)
            expect(
                view.status == model.status(of: flow),
                "flow \(flow) is \(view.status), not \(model.status(of: flow))"
            )
            compare(view.counts, jobs, expect)
        }
        if !problems.isEmpty { throw BrokenInvariants(problems: problems) }
    }

    /// A leased job is active for every reader.
    private func compare(
        _ counts: StateCounts,
        _ jobs: [Model.Job],
        _ expect: (Bool, @autoclosure () -> String) -> Void
    ) {
        for state in JobState.allCases {
            let expected = jobs.count {
                ($0.state == .waiting && engine.leases[$0.id] != nil ? .active : $0.state) == state
            }
            expect(Int(counts[state]) == expected, "\(counts[state]) jobs are \(state), not \(expected)")
        }
    }
}

struct HistoryError: Error, CustomStringConvertible {
    var seed: UInt64
    var step: Int
    var cause: any Error
    var description: String { "PENSTOCK_SEED=\(seed), step \(step): \(cause)" }
}

extension SplitMix64 {
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
