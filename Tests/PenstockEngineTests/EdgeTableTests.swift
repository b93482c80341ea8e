import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Section 4, row by row: the end of a dependency, in every state that the dependent can be in.
@Suite(.computing) struct EdgeTableTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    /// How the dependency comes to its end.
    enum End: CaseIterable {
        case completed, failed, cancelled, failedByHand, stalled
    }

    /// What the dependent is doing then.
    enum Dependent: CaseIterable {
        case waitingChildren, waiting, delayed, leased, active, completed, failed, cancelled

        var state: JobState {
            switch self {
            case .waitingChildren: .waitingChildren
            case .waiting: .waiting
            case .delayed: .delayed
            case .leased, .active: .active
            case .completed: .completed
            case .failed: .failed
            case .cancelled: .cancelled
            }
        }
    }

    /// A flow whose `d` depends on `a` by the edge, and is in the state.
    private func flow(
        _ dependent: Dependent,
        _ policy: FailurePolicy,
        _ condition: EdgeCondition,
        stalls: Bool = false
    ) throws -> Added {
        let flow = try engine.add(
            .flow([
                job("a") { if stalls { $0.maxStalledCount = 0 } }, job("first", queue: "first"),
                job(
                    "d",
                    queue: "d",
                    after: [
                        .node("a", policy, on: condition),
                        .node("first", dependent == .failed ? .failParent : .continue),
                    ]
                ) { if dependent == .delayed { $0.delay = 10_000 } },
            ])
        )
        switch dependent {
        case .waitingChildren: break
        case .waiting, .delayed, .failed: try engine.fail(flow["first"])
        case .leased, .active, .completed:
            try engine.fail(flow["first"])
            let lease = try engine.lease(flow["d"])
            if dependent == .active { engine.stageWrite(lease) }
            if dependent == .completed { engine.stageComplete(lease) }
            try engine.commit()
        case .cancelled: try engine.cancel(flow["d"])
        }
        #expect(try engine.state(flow["d"]) == dependent.state)
        return flow
    }

    private func end(_ job: JobID, _ end: End) throws {
        switch end {
        case .completed: try engine.complete(job, .json, [1])
        case .failed: try engine.fail(job)
        case .cancelled: try engine.cancel(job)
        case .failedByHand: try engine.finish(job, .fail(message: "no", details: []))
        case .stalled:
            engine.stageStall(try engine.lease(job))
            try engine.commit()
        }
        #expect(try engine.state(job) == (end == .completed ? .completed : end == .cancelled ? .cancelled : .failed))
    }

    /// What the table says of a dependent that waits for the edge: its kind (nil: gone), and the dependent's state.
    private func row(_ end: End, _ policy: FailurePolicy, _ condition: EdgeCondition) -> (DependencyKind?, JobState) {
        if end == .completed { return (.processed, condition == .failure ? .cancelled : .waitingChildren) }
        if condition != .success { return (.ignored, .waitingChildren) }
        return switch policy {
        case .failParent: (.failed, .failed)
        case .ignore: (.ignored, .waitingChildren)
        case .remove: (nil, .waitingChildren)
        case .continue: (.ignored, .waiting)
        case .wait: (.unprocessed, .waitingChildren)
        }
    }

    @Test(arguments: FailurePolicy.allCases, EdgeCondition.allCases)
    func `a dependent that waits does what its row says`(policy: FailurePolicy, condition: EdgeCondition) throws {
        for end in End.allCases {
            let flow = try flow(.waitingChildren, policy, condition, stalls: end == .stalled)
            try self.end(flow["a"], end)
            let (kind, state) = row(end, policy, condition)
            #expect(try engine.kinds(flow["d"]) == (kind.map { [$0] } ?? []) + [.unprocessed], "\(end)")
            #expect(try engine.state(flow["d"]) == state, "\(end)")
            let isHeld = try engine.edges(flow["d"])[0].isHeld
            #expect(isHeld == (kind == .unprocessed))
        }
    }

    @Test(arguments: FailurePolicy.allCases, EdgeCondition.allCases)
    func `the last edge releases a dependent, by its own row`(policy: FailurePolicy, condition: EdgeCondition) throws {
        for end in End.allCases {
            let flow = try engine.add(
                .flow([
                    job("a") { if end == .stalled { $0.maxStalledCount = 0 } },
                    job("d", queue: "d", after: [.node("a", policy, on: condition)]),
                ])
            )
            try self.end(flow["a"], end)
            var state = row(end, policy, condition).1
            if state == .waitingChildren && !(end != .completed && condition == .success && policy == .wait) {
                state = .waiting
            }
            #expect(try engine.state(flow["d"]) == state, "\(end)")
        }
    }

    @Test(arguments: Dependent.allCases.dropFirst(), FailurePolicy.allCases)
    func `a dependent that does not wait for the edge has the outcome recorded, and nothing else`(
        dependent: Dependent,
        policy: FailurePolicy
    ) throws {
        for condition in EdgeCondition.allCases {
            for end in End.allCases {
                let flow = try flow(dependent, policy, condition, stalls: end == .stalled)
                let before = try engine.view(flow["d"])
                try self.end(flow["a"], end)
                let after = try engine.view(flow["d"])
                #expect(after.state == dependent.state && after.cause == before.cause)
                #expect(after.failedDependency == before.failedDependency && after.outcome == before.outcome)
                #expect(after.attemptsMade == before.attemptsMade && after.finishedAt == before.finishedAt)
                var kind = row(end, policy, condition).0
                if kind == .unprocessed || kind == nil && end == .cancelled { kind = .ignored }
                let kinds = try engine.kinds(flow["d"])
                let first: DependencyKind = kinds.last!
                #expect(kinds == (kind.map { [$0] } ?? []) + [first], "\(end), \(condition)")
                // Nobody waits for what comes after.
                if let lease = engine.leases[flow["d"]] {
                    engine.stageComplete(lease)
                    try engine.commit()
                    #expect(try engine.state(flow["d"]) == .completed)
                }
            }
        }
    }

    @Test(arguments: EdgeCondition.allCases)
    func `a skipped job makes the edges to its dependents ignored, whatever they say`(condition: EdgeCondition) throws {
        for policy in FailurePolicy.allCases {
            let flow = try engine.add(
                .flow([
                    job("a"), job("undo", after: [.node("a", on: .failure)]),
                    job("d", after: [.node("undo", policy, on: condition)]),
                ])
            )
            try engine.complete(flow["a"])
            #expect(try engine.states(flow, "undo", "d") == [.cancelled, .waiting])
            #expect(try engine.kinds(flow["d"]) == [.ignored])
            try engine.complete(flow["d"])
            #expect(try engine.flow(flow.flow).status == .completed)
        }
    }

    @Test func `a skipped sink counts as completed`() throws {
        let flow = try engine.add(.flow([job("a"), job("undo", after: [.node("a", on: .failure)])]))
        try engine.complete(flow["a"])
        #expect(try engine.flow(flow.flow).status == .completed)
        #expect(engine.result.finishedFlows == [flow.flow])
        let other = try engine.add(.flow([job("a"), job("undo", after: [.node("a", on: .failure)])]))
        try engine.fail(other["a"])
        try engine.complete(other["undo"])
        #expect(try engine.flow(other.flow).status == .completed)
    }

    @Test func `a skipped job has no cause, whatever became of an attempt before`() throws {
        let tried = try engine.add(job("t", id: "t") { $0.attempts = 2 })
        try engine.fail(tried)
        let other = try engine.add(.flow([job("b", queue: "a"), job("t", after: [.node("b", on: .failure)], id: "t")]))
        try engine.complete(other["b"])
        let view = try engine.view(tried)
        #expect(view.state == .cancelled && view.cause == .none && view.attemptsMade == 1)
    }

    @Test func `one end reaches several dependents, each by its own condition`() throws {
        let nodes = [
            job("a"), job("then", after: [.node("a")]), job("undo", after: [.node("a", on: .failure)]),
            job("cleanup", after: [.node("a", on: .whatever)]),
        ]
        let good = try engine.add(.flow(nodes))
        try engine.complete(good["a"])
        #expect(try engine.states(good, "then", "undo", "cleanup") == [.waiting, .cancelled, .waiting])
        let bad = try engine.add(.flow(nodes))
        try engine.fail(bad["a"])
        #expect(try engine.states(bad, "then", "undo", "cleanup") == [.failed, .waiting, .waiting])
        let cancelled = try engine.add(.flow(nodes))
        try engine.cancel(cancelled["a"])
        #expect(try engine.states(cancelled, "then", "undo", "cleanup") == [.failed, .waiting, .waiting])
    }

    @Test(arguments: [FailurePolicy.failParent, .ignore, .wait])
    func `a failure that reaches a job in two ways does what the first of them says`(policy: FailurePolicy) throws {
        let flow = try engine.add(
            .flow([
                job("a"), job("l", after: [.node("a")]), job("r", after: [.node("a")]),
                job("d", after: [.node("l", policy), .node("r", .failParent)]),
            ])
        )
        try engine.fail(flow["a"])
        #expect(try engine.state(flow["d"]) == .failed)
        #expect(engine.result.finishedJobs.count == 4)
        let named = try engine.view(flow["d"]).failedDependency
        #expect(named == (policy == .failParent ? flow["l"] : flow["r"]))
        try engine.retry(flow["a"])
        #expect(
            try engine.states(flow, "a", "l", "r", "d") == [.waiting] + .init(repeating: .waitingChildren, count: 3)
        )
    }
}
