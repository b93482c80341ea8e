import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Random histories of adds, ends, removals and retention: the tables fit together at every step, and nothing is left
/// of what was removed.
@Suite(.computing) struct RemovalHistoryTests {
    @Test(arguments: [1_000, 7, 2])
    func `nothing is left behind, and nothing goes too far`(stepsMax: Int) async {
        await HistoryCampaign("removals, \(stepsMax) steps", 12).run { seed in
            var history = try RemovalHistory(seed: seed, stepsMax: stepsMax)
            try history.run()
        }
    }
}

private struct RemovalHistory {
    let engine: EngineHarness
    var random: SplitMix64
    var jobs: [JobID] = []
    var flows: [FlowID] = []
    let queues = ["q", "r"]

    init(seed: UInt64, stepsMax: Int) throws {
        engine = try EngineHarness()
        engine.checks = false
        engine.limits.steps = stepsMax
        engine.limits.sliceSteps = stepsMax
        engine.retention = RetentionRules(completed: Retention(count: 3, age: 200_000), failed: Retention(count: 2))
        random = SplitMix64(seed: seed)
    }

    mutating func run() throws {
        for _ in 0..<60 {
            do {
                try step()
            } catch let error as WireError {
                let expected: Set<ErrorCode> = [
                    .jobNotFound, .flowNotFound, .settling, .jobLeased, .unknownDependency, .dependentNotOpen, .cycle,
                    .selfReference, .duplicateDependency, .duplicateCustomID, .fenced, .unresolvedDependencies,
                    .notRetryable, .dependentStarted, .edgeNotFound, .alreadyFinished,
                    .queueNotFound, .effectTooLarge,
                ]
                guard expected.contains(error.code) else { throw error }
            }
            if draw(3) == 0 { try engine.carryOnToTheEnd() }
            if !engine.isCarryingOn { try engine.check() }
        }
        try end()
    }

    private mutating func draw(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }

    private mutating func pick<Value>(_ values: [Value]) -> Value? {
        values.isEmpty ? nil : values[draw(values.count)]
    }

    private mutating func step() throws {
        switch draw(17) {
        case 0, 1, 2: try add()
        case 3, 4, 5: try finish()
        case 6:
            guard let job = pick(jobs) else { return }
            let keeps = draw(3) == 0
            try engine.remove(job, keepingDependencies: keeps)
        case 7:
            guard let job = pick(jobs) else { return }
            try engine.remove(.unprocessedDependencies(of: job))
        case 8:
            guard let flow = pick(flows) else { return }
            try engine.remove(.flow(flow))
        case 9:
            guard let queue = pick(queues), engine.open.reads.queueIDs[queue] != nil else { return }
            try engine.clean(try cleanKind(), queue: queue)
        case 10:
            engine.advance(UInt64(draw(100_000)))
            try engine.retainSlice()
        case 11: if draw(3) == 0 { try engine.restart() }
        case 12:
            engine.advance(50)
            try engine.promote()
        case 13:
            guard let job = pick(jobs), let flow = pick(flows) else { return }
            let targets: [Cancel.Target] = [.job(job), .tree(job), .flow(flow)]
            try engine.cancel(targets[draw(3)])
        case 14:
            guard let job = pick(jobs), let flow = pick(flows) else { return }
            let targets: [Retry.Target] = [.job(job), .flow(flow), .queue("q")]
            let target = draw(3)
            try engine.retry(targets[target], reruns: target == 0 && draw(2) == 0)
        case 15:
            guard let job = pick(jobs), let edge = pick(try engine.edges(job)) else { return }
            let ways: [Resolve.Resolution] = [.processed, .ignored, .removed]
            try engine.resolve(job, edge.dependency, to: ways[draw(3)])
        default:
            guard engine.isCarryingOn else { return }
            engine.stage(.carryOn, engine.session)
            try engine.commit()
        }
    }

    private mutating func cleanKind() throws -> Clean.Kind {
        switch draw(6) {
        case 0: return .drain(delayedToo: draw(2) == 0)
        case 1: return .obliterate(force: draw(2) == 0)
        default:
            let states = JobState.allCases.filter { $0 != .active }
            return .clean(states[draw(states.count)], age: draw(2) == 0 ? 0 : 30, limit: UInt32(draw(4)))
        }
    }

    private mutating func add() throws {
        let nodes = nodes(upTo: 7)
        let isFlow = nodes.count > 1 || draw(2) == 0
        let spec = isFlow ? ItemSpec.flow(draw(2) == 0 ? "named" : "", nodes) : .single(nodes[0])
        note(try engine.add(spec))
    }

    private mutating func note(_ added: Added) {
        jobs += added.ids.values.sorted()
        if added.flow != .none { flows.append(added.flow) }
    }

    /// The worker of a job adds children to it, and may wait for them then.
    private mutating func grow(_ lease: TestLease) throws {
        var nodes = nodes(upTo: 3)
        for index in nodes.indices where draw(2) == 0 { nodes[index].key = "key-\(index)" }
        let item = nodes.count > 1 ? ItemSpec.flow(nodes) : .single(nodes[0])
        note(try engine.addHeld(lease, item.child(policy())))
        if draw(2) == 0 && !engine.batch.slotChanges.contains(where: { $0.slot == lease.slot }) {
            _ = try engine.move(lease)
        }
    }

    private mutating func nodes(upTo limit: Int) -> [NodeSpec] {
        let count = 1 + draw(limit)
        var nodes: [NodeSpec] = []
        for index in 0..<count {
            var after: [NodeSpec.Dependency] = []
            for before in 0..<index where draw(3) == 0 { after.append(.index(before, policy(), on: condition())) }
            if draw(5) == 0, let job = pick(jobs) { after.append(.job(job, policy())) }
            var options = NodeOptions()
            if draw(6) == 0 { options.delay = UInt64(1 + draw(90)) }
            if draw(5) == 0 { options.keepCompleted = Retention(count: UInt32(draw(3))) }
            if draw(5) == 0 { options.cancelSiblings = true }
            let id = draw(6) == 0 ? "id-\(draw(5))" : nil
            nodes.append(
                NodeSpec(
                    name: "\(index)",
                    queue: queues[draw(2)],
                    after: after,
                    customID: nodes.contains { $0.customID == id } ? nil : id,
                    data: [1],
                    options: options
                )
            )
        }
        return nodes
    }

    private mutating func policy() -> FailurePolicy? {
        draw(3) == 0 ? nil : FailurePolicy.allCases[draw(FailurePolicy.allCases.count)]
    }

    private mutating func condition() -> EdgeCondition { draw(4) > 0 ? .success : draw(2) == 0 ? .failure : .whatever }

    private mutating func finish() throws {
        let held = engine.leases.values.sorted { $0.job < $1.job }
        guard let lease = pick(held), draw(3) > 0 else {
            for lease in try engine.lease(queues[draw(2)], 1 + draw(3)) where draw(3) == 0 { engine.stageWrite(lease) }
            return try engine.commit()
        }
        if draw(3) == 0 { return try grow(lease) }
        if draw(3) == 0 {
            engine.stageFail(lease)
        } else {
            engine.stageComplete(lease, .binary, [UInt8](repeating: 1, count: draw(2) * 100))
        }
        try engine.commit()
    }

    /// Empties both queues: nothing of any job is left.
    private mutating func end() throws {
        try engine.carryOnToTheEnd()
        try engine.check()
        for queue in queues where engine.open.reads.queueIDs[queue] != nil {
            try engine.clean(.obliterate(force: true), queue: queue)
            try engine.carryOnToTheEnd()
            try engine.check()
        }
        // What was released in the first queue while the second one was emptied.
        for queue in queues where engine.open.reads.queueIDs[queue] != nil {
            try engine.clean(.obliterate(force: true), queue: queue)
            try engine.carryOnToTheEnd()
        }
        let left = try engine.untouched().filter { !["queues", "sessions"].contains($0.key) && !$0.value.isEmpty }
        if !left.isEmpty { throw BrokenInvariants(problems: ["left: \(left.mapValues { $0.count / 2 })"]) }
    }
}
