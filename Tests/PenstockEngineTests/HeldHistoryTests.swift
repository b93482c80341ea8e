import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Workers that add to their jobs and put them off, at random: every invariant holds after every batch, and in the
/// end every job has run that nothing holds.
@Suite(.computing) struct HeldHistoryTests {
    @Test func `flows that grow at random keep every invariant, and come to their end`() async {
        await HistoryCampaign("growing flows", 16).run { seed in
            var history = HeldHistory(seed: seed, engine: try EngineHarness())
            for step in 0..<50 {
                do { try history.step() } catch { throw HistoryError(step: step, cause: error) }
            }
            try #require(history.moved > 0 && history.grown > 0)
            try history.drain()
        }
    }
}

private struct HeldHistory {
    private var random: SplitMix64
    private let engine: EngineHarness
    private(set) var moved = 0
    private(set) var grown = 0

    init(seed: UInt64, engine: EngineHarness) {
        random = SplitMix64(seed: seed)
        self.engine = engine
    }

    /// What may be wrong with a random add, or meet a job that was taken away in the same batch.
    private static let refusals: Set<ErrorCode> = [
        .fenced, .cycle, .selfReference, .duplicateDependency, .duplicateCustomID, .dependentNotOpen,
        .unresolvedDependencies,
    ]

    private mutating func chance(_ perCent: Int) -> Bool { random.below(100) < perCent }

    mutating func step() throws {
        engine.advance(UInt64(random.below(400)))
        if chance(5) { try engine.restart(after: 10) }
        if chance(50) { engine.stageAdd(items(children: false)) }
        if chance(50) { engine.stage(.promote, engine.session) }
        try engine.lease("q", random.below(5))
        let first = engine.session.next
        var moves: [UInt64] = []
        var growing: [(job: JobID, sequence: UInt64)] = []
        for lease in engine.leases.values.sorted(by: { $0.job < $1.job }) where chance(60) {
            if chance(40) {
                growing.append((lease.job, engine.stageHeld(lease, .add, items(children: true))))
            }
            switch random.below(10) {
            case 0, 1: engine.stageComplete(lease, .json, [1])
            case 2: engine.stageFail(lease, unrecoverable: chance(50))
            case 3: engine.stageStall(lease)
            case 4: engine.stageReturn(lease)
            case 5: engine.stageHeld(lease, .complete, items(children: false))
            case 6: engine.stageMove(lease, to: .delayed, delay: UInt64(random.below(300)))
            case 7, 8: moves.append(engine.stageMove(lease, data: chance(50) ? Payload(.binary, [2]) : nil))
            default: break
            }
        }
        try engine.commit()
        for sequence in first..<engine.session.next {
            let code = engine.session.code(sequence)!
            try #require(code == .ok || HeldHistory.refusals.contains(code), "refused with \(code)")
        }
        for move in moves where engine.session.code(move) == .ok {
            if try engine.hasMoved(move, engine.session) { moved += 1 }
        }
        for (job, sequence) in growing where engine.session.code(sequence) == .ok {
            grown += 1
            if try engine.record(job)?.state == .active { engine.noteWritten(job) }
        }
    }

    private mutating func items(children: Bool) -> [ItemSpec] {
        (0..<1 + random.below(3)).map { item in
            let isFlow = chance(30)
            let isChild = children && chance(80)
            let nodes = (0..<(isFlow ? 1 + random.below(4) : 1)).map { node("n\(item)-\($0)", isChild: isChild) }
            let spec = isFlow ? ItemSpec.flow(chained(nodes)) : .single(nodes[0])
            return isChild ? spec.child(policy(), on: .success) : spec
        }
    }

    private mutating func policy() -> FailurePolicy? {
        chance(70) ? FailurePolicy(rawValue: UInt8(random.below(5))) : nil
    }

    private mutating func node(_ name: String, isChild: Bool) -> NodeSpec {
        var spec = job(name, id: chance(20) ? "c\(random.below(10))" : nil, data: [1])
        spec.options.attempts = UInt16(1 + random.below(3))
        if chance(20) { spec.options.delay = UInt64(1 + random.below(200)) }
        if chance(20) { spec.options.backoff = Backoff(kind: .fixed, delay: 50, maximum: 0, jitter: 0) }
        if isChild && chance(30) { spec.key = "k\(random.below(4))" }
        return spec
    }

    /// Each node depends on some of those before it.
    private mutating func chained(_ nodes: [NodeSpec]) -> [NodeSpec] {
        var nodes = nodes
        for index in nodes.indices {
            for before in 0..<index where chance(40) { nodes[index].after.append(.node(nodes[before].name, policy())) }
        }
        return nodes
    }

    /// Lets every job run that can.
    mutating func drain() throws {
        for _ in 0..<200 {
            engine.advance(10_000)
            engine.stage(.promote, engine.session)
            try engine.lease("q", 100)
            for lease in engine.leases.values {
                let waits = try engine.view(lease.job).dependencies.unprocessed > 0
                if waits { engine.stageMove(lease) } else { engine.stageComplete(lease) }
            }
            try engine.commit()
            let counts = try engine.queue()
            if counts[.waiting] + counts[.delayed] + counts[.active] == 0 { break }
        }
        let dump = try engine.dump()
        let moving = dump.jobs.values.count { [.waiting, .delayed, .active].contains($0.state) }
        #expect(moving == 0, "some jobs never end")
        for (id, job) in dump.jobs where job.state == .waitingChildren {
            let edges = dump.edges.filter { $0.key.dependent == id && $0.record.kind == .unprocessed }
            #expect(edges.contains { $0.record.isHeld || dump.jobs[$0.record.dependency]?.state == .waitingChildren })
        }
    }
}
