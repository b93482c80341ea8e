import PenstockWire
import Testing

@testable import PenstockEngine

/// Carries out the operations of a history, by the engine and by the model, and compares them.
///
/// What a command is answered is compared at once; the tables and what readers are told, after every `interval`-th
/// batch, and at the end.
final class HistoryRun {
    enum Mode: CaseIterable {
        /// Every effect is carried out with its command.
        case whole
        /// Effects are carried out in the smallest slices, with restarts in between, and nothing else.
        case sliced
        /// In the smallest slices, amid other commands: only the invariants and the end are checked.
        case interleaved
    }

    typealias Check = (Outcome) throws -> Void

    static let sessionCount = 3

    let mode: Mode
    let interval: Int
    let engine: EngineHarness
    let model: Model?
    private(set) var sessions: [TestSession] = []
    private(set) var tally = Tally(histories: 1)
    private var expectations: [(session: TestSession, sequence: UInt64, check: Check)] = []
    /// Leases that a command of this batch has ended.
    private var ended: Set<JobID> = []
    /// Held jobs that a command of this batch has added to.
    var grown: Set<JobID> = []
    /// Flows that a large effect is being carried out on, as of the last batch; none once it is carried on with.
    private var settlingFlows: Set<FlowID> = []
    /// Jobs and flows that the commits since the last comparison told to have finished.
    var reported: (jobs: Set<JobID>, flows: Set<FlowID>) = ([], [])
    var finishedFlows: Set<FlowID> = []
    var flows: Set<FlowID> = []
    /// The jobs of every flow before the command whose effects are being carried out.
    var jobsBefore: [FlowID: [JobID: (state: JobState, positions: UInt32)]] = [:]
    /// What was done last to bring everything to its end; nil before that.
    var end: Operation?
    private var random: SplitMix64
    /// Draws what is looked at: how often that is done changes nothing of what happens.
    var checks: SplitMix64

    init(_ mode: Mode, seed: UInt64, interval: Int) throws {
        self.mode = mode
        self.interval = interval
        engine = try EngineHarness()
        engine.checks = false
        engine.follower = EventFollower()
        random = SplitMix64(seed: seed)
        checks = SplitMix64(seed: ~seed)
        model = mode == .interleaved ? nil : Model()
        sessions = [engine.session]
        for _ in 1..<HistoryRun.sessionCount { sessions.append(try engine.openSession()) }
        // Every other history keeps what has finished for ever, but for what its jobs say themselves.
        if random.below(2) == 0 {
            engine.retention = RetentionRules(
                completed: Retention(count: 3, age: 200_000),
                failed: Retention(count: 2)
            )
            model?.retention = engine.retention
        }
        noteTime()
        if mode != .whole {
            engine.limits.steps = 3
            engine.limits.sliceSteps = 2
        }
    }

    var scope: HistoryDraw.Scope {
        HistoryDraw.Scope(
            nextJob: engine.open.engine.meta.nextJob,
            nextFlow: engine.open.engine.meta.nextFlow,
            wall: engine.wall,
            leases: engine.leases.values.sorted { $0.job < $1.job },
            settles: engine.isSettling
        )
    }

    func noteTime() {
        model?.elapsed = engine.elapsed
        model?.wall = engine.wall
    }

    func perform(_ operation: Operation) throws {
        if end != nil { end = operation }
        if operation.isBetweenBatches && !engine.batch.commands.isEmpty { return }
        switch operation {
        case .advance(let milliseconds):
            engine.advance(milliseconds)
            noteTime()
            return
        case .restart(let milliseconds): return try restart(after: milliseconds)
        case .stepWall(let milliseconds):
            engine.wall = UInt64(Int64(engine.wall) + milliseconds)
            noteTime()
            return
        case .lease(let queue, let count, let session): return try lease(queue, count, sessions[session])
        case .expire: return try expire()
        case .stage(let items, let nodes, let session, let restarts):
            return try stageAdd(items, nodes: nodes, sessions[session], restarts: restarts)
        case .retain: return try retain()
        case .runSchedulers: return try runSchedulers()
        case .commit: return try commit()
        default: break
        }
        if mode == .sliced { noteJobs() }
        tally.commands += 1
        try stage(operation)
        // The model knows no slices: it is compared when nothing is left of them.
        if mode == .sliced { try commit() }
    }

    // MARK: Commands

    private func stage(_ operation: Operation) throws {
        switch operation {
        case .add(let specs, let session):
            let session = sessions[session]
            let sequence = engine.stageAdd(specs, session)
            expect(model?.add(specs), session, sequence)
        case .promote:
            engine.stage(.promote, engine.session)
            model?.promote()
        case .carryOn:
            engine.stage(.carryOn, engine.session)
            settlingFlows = []
        case .confirm(let session, let row):
            let session = sessions[session]
            guard !session.unconfirmed.isEmpty else { return }
            engine.confirm(session, upTo: session.unconfirmed[row % session.unconfirmed.count].sequence)
        case .cancel, .retry, .finish, .resolve: stageFlowCommand(operation)
        case .addHeld, .move: stageHeld(operation)
        case .remove, .clean: stageRemoval(operation)
        case .report, .update, .promoteNow, .clearLogs, .setQueue: stageChange(operation)
        case .setScheduler, .removeScheduler: stageScheduler(operation)
        default: try stageEnd(operation)
        }
    }

    func expect(_ expected: Model.AddResult?, _ session: TestSession, _ sequence: UInt64) {
        guard let expected else { return }
        if case .refused(let codes) = expected { for code in codes { tally.refusals[code, default: 0] += 1 } }
        expectations.append((session, sequence, { try HistoryRun.compare($0, expected) }))
    }

    /// The lease of the job, which ends by a command of this batch.
    func take(_ job: JobID) -> TestLease? {
        guard let lease = freeLease(of: job) else { return nil }
        ended.insert(job)
        return lease
    }

    /// The lease of the job, if no command of this batch has ended it.
    func freeLease(of job: JobID) -> TestLease? { ended.contains(job) ? nil : engine.leases[job] }

    private func expect(_ code: ErrorCode?, _ lease: TestLease, _ sequence: UInt64) {
        guard let code else { return }
        if code != .ok { tally.refusals[code, default: 0] += 1 }
        expectations.append(
            (
                lease.session, sequence,
                { outcome in
                    let found = ErrorCode(rawValue: outcome.status)!
                    try #require(found == code, "job \(lease.job): answered \(found), not \(code)")
                }
            )
        )
    }

    private func stageEnd(_ operation: Operation) throws {
        switch operation {
        case .complete(let job, let type, let bytes):
            guard let lease = take(job) else { return }
            let bytes = [UInt8](repeating: 9, count: bytes)
            let sequence = engine.stageComplete(lease, type, bytes)
            expect(model?.complete(job, type == .none ? .none : .result(type, bytes)), lease, sequence)
        case .completeTwice(let job):
            guard let lease = take(job) else { return }
            expect(model?.complete(job, .none), lease, engine.stageComplete(lease))
            if mode == .whole { expect(.fenced, lease, engine.stageComplete(lease)) }
        case .fail(let job, let unrecoverable, let delay, let bytes):
            guard let lease = take(job) else { return }
            let details = [UInt8](repeating: 7, count: bytes)
            let sequence = engine.stageFail(lease, unrecoverable: unrecoverable, delay: delay, details: details)
            expect(model?.fail(job, unrecoverable: unrecoverable, delay: delay), lease, sequence)
        case .giveBack(let job):
            guard let lease = take(job) else { return }
            engine.stageReturn(lease)
            model?.giveBack(job, isStall: false)
        case .stall(let job):
            guard let lease = take(job) else { return }
            engine.stageStall(lease)
            model?.giveBack(job, isStall: true)
        case .timeOut(let job):
            guard let lease = take(job) else { return }
            engine.stage(.timeOut, lease)
            model?.timeOut(job)
        case .completeLate(let job):
            guard mode == .whole, let lease = engine.leases[job], lease.isWritten, take(job) != nil else { return }
            var stale = lease
            stale.token = LeaseToken(lease.token.rawValue + (1 << 30))
            expect(.fenced, stale, engine.stageComplete(stale))
            // The harness forgets the slot, so the lease goes back.
            engine.stageReturn(lease)
            model?.giveBack(job, isStall: false)
        case .writeLease(let job):
            guard let lease = engine.leases[job], !lease.isWritten, let lease = take(job) else { return }
            engine.stageWrite(lease)
            model?.writeLease(job)
        default: preconditionFailure("\(operation) is no command")
        }
    }

    private func stageFlowCommand(_ operation: Operation) {
        switch operation {
        case .cancel(let target, let session):
            let session = sessions[session]
            let sequence = engine.stageCancel(target, session)
            switch target {
            case .job(let job), .tree(let job): expect(about: job, model?.cancel(target), session, sequence)
            case .flow(let flow): expect(about: flow, model?.cancel(target), session, sequence)
            }
        case .retry(let target, let keepsCounters, let reruns, let data, let session):
            if case .job(let job) = target, mode == .sliced, reruns, let job = model?.jobs[job],
                job.state == .completed,
                job.dependents.count > engine.limits.steps
            {
                // So many dependents are not looked at.
                return
            }
            let session = sessions[session]
            let payload = data ? Payload(.json, [7, 7]) : nil
            let sequence = engine.stageRetry(
                target,
                keepsCounters: keepsCounters,
                reruns: reruns,
                data: payload,
                session
            )
            let answer = model?.retry(target, keepsCounters: keepsCounters, reruns: reruns)
            switch target {
            case .job(let job):
                if case .count = answer, let payload { model?.jobs[job]?.data = payload.bytes }
                expect(about: job, answer, session, sequence)
            case .flow(let flow): expect(about: flow, answer, session, sequence)
            case .queue: expect(about: FlowID.none, answer, session, sequence)
            }
        case .finish(let job, let fails, let session):
            let session = sessions[session]
            let ending: Finish.Ending =
                fails ? .fail(message: "by hand", details: []) : .complete(Payload(.json, [1, 2, 3]))
            let answer = model?.finish(job, result: fails ? nil : .result(.json, [1, 2, 3]))
            expect(about: job, answer, session, engine.stageFinish(job, ending, session))
        case .resolve(let dependent, let dependency, let resolution, let session):
            let session = sessions[session]
            let sequence = engine.stageResolve(dependent, dependency, to: resolution, session)
            expect(about: dependent, model?.resolve(dependent, dependency, to: resolution), session, sequence)
        default: preconditionFailure("\(operation) is no command about a flow")
        }
    }

    func expect(about job: JobID, _ answer: Model.Answer?, _ session: TestSession, _ sequence: UInt64) {
        let flow = settlingFlows.isEmpty ? nil : try? engine.record(job)?.flow
        expect(about: flow ?? .none, answer, session, sequence)
    }

    func expect(about flow: FlowID, _ answer: Model.Answer?, _ session: TestSession, _ sequence: UInt64) {
        if settlingFlows.contains(flow) {
            // Nobody sees, or changes, what is half done.
            expectations.append(
                (session, sequence, { try HistoryRun.compare($0, .refused([.settling]), isWhole: true) })
            )
        }
        guard let answer else { return }
        if case .refused(let codes) = answer { for code in codes { tally.refusals[code, default: 0] += 1 } }
        let isWhole = mode == .whole
        expectations.append((session, sequence, { try HistoryRun.compare($0, answer, isWhole: isWhole) }))
    }

    // MARK: Batches

    private func commit() throws {
        try engine.commit()
        try noteGrown()
        tally.batches += 1
        noteReported()
        if mode == .sliced { try settle() }
        ended = []
        settlingFlows = []
        for (session, sequence, check) in expectations { try check(try #require(session.outcomes[sequence])) }
        expectations = []
        try takeJitter()
        if model == nil && engine.isSettling {
            settlingFlows = Set(try engine.dump().flows.filter { $0.value.settling > 0 }.map(\.key))
        }
        if tally.batches % interval == 0 { try compare() }
    }

    func noteReported() {
        reported.jobs.formUnion(engine.result.finishedJobs)
        reported.flows.formUnion(engine.result.finishedFlows)
    }

    /// Carries on until everything has settled, with restarts in between, and asks for what is half done.
    func settle() throws {
        while engine.isSettling {
            let dump = try engine.dump()
            if tally.slices % interval == 0 { try engine.check(dump) }
            try compareHalfDone(dump)
            // A restart forgets leases, and that would be more than a restart in the midst of a settlement.
            let mayRestart = engine.leases.values.allSatisfy(\.isWritten)
            if mayRestart && random.below(6) == 0 { try engine.restart() }
            let settling = dump.jobs.filter { dump.flows[$1.flow]?.settling ?? 0 > 0 }.map(\.key).sorted()
            var refused: [UInt64] = []
            if let job = settling.randomElement(using: &random) {
                switch random.below(4) {
                case 0: refused.append(engine.stageCancel(.job(job)))
                case 1: refused.append(engine.stageRetry(.flow(dump.jobs[job]!.flow)))
                case 2: refused.append(engine.stageFinish(job, .complete(.none)))
                default: refused.append(engine.stageResolve(job, job, to: .ignored))
                }
            }
            try engine.carryOn()
            tally.slices += 1
            noteReported()
            for sequence in refused { try #require(engine.session.code(sequence) == .settling) }
        }
    }

    func restart(after milliseconds: UInt64) throws {
        try engine.restart(after: milliseconds)
        try engine.check()
        noteTime()
        model?.leased = Set(engine.leases.keys)
        for session in sessions {
            let told = try engine.resume(session)
            try #require(told.applied == session.next - 1, "the last number of a resumed session")
            try #require(told.bodies == session.unconfirmed.map(\.bytes), "the outcomes of a resumed session")
            guard let middle = session.unconfirmed.randomElement(using: &random)?.sequence else { continue }
            let rest = try engine.resume(session, above: middle)
            try #require(rest.bodies == session.unconfirmed.filter { $0.sequence > middle }.map(\.bytes))
        }
    }
}
