import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// The table of failure policies: what each does to the edge and to the dependent.
@Suite(.computing) struct PolicyTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    struct Row: Sendable, CustomTestStringConvertible {
        var policy: FailurePolicy
        /// Of the edges to the failed dependency and to the other one, right after the failure.
        var kinds: [DependencyKind]
        var state: JobState
        /// The dependent's state when the other dependency has completed.
        var stateAfter: JobState
        var testDescription: String { "\(policy)" }
    }

    static let table: [Row] = [
        Row(policy: .failParent, kinds: [.failed, .unprocessed], state: .failed, stateAfter: .failed),
        Row(policy: .ignore, kinds: [.ignored, .unprocessed], state: .waitingChildren, stateAfter: .waiting),
        Row(policy: .remove, kinds: [.unprocessed], state: .waitingChildren, stateAfter: .waiting),
        Row(policy: .continue, kinds: [.ignored, .unprocessed], state: .waiting, stateAfter: .waiting),
        Row(
            policy: .wait,
            kinds: [.unprocessed, .unprocessed],
            state: .waitingChildren,
            stateAfter: .waitingChildren
        ),
    ]

    @Test(arguments: table, [true, false])
    func `a failed dependency does what its policy says`(row: Row, isOnEdge: Bool) throws {
        let bad = job("bad") { if !isOnEdge { $0.onFailure = row.policy } }
        // The edge's own policy wins over the dependency's.
        let contrary = job("bad") { $0.onFailure = row.policy == .ignore ? .failParent : .ignore }
        let flow = try engine.add(
            .flow([
                isOnEdge ? contrary : bad, job("other"),
                job("d", after: [.node("bad", isOnEdge ? row.policy : nil), .node("other")]),
            ])
        )
        try engine.fail(flow["bad"])
        #expect(try engine.kinds(flow["d"]) == row.kinds)
        #expect(try engine.state(flow["d"]) == row.state)
        let view = try engine.view(flow["d"])
        if row.policy == .failParent {
            #expect(view.cause == .dependency && view.failedDependency == flow["bad"] && view.attemptsMade == 0)
            guard case .failure(let message, _) = view.outcome else { throw BrokenInvariants(problems: ["no reason"]) }
            #expect(message.contains("\(flow["bad"])"))
        } else {
            #expect(view.cause == .none && view.failedDependency == .none)
        }
        try engine.complete(flow["other"])
        #expect(try engine.state(flow["d"]) == row.stateAfter)
        #expect(
            try engine.flow(flow.flow).status
                == [.failed, .running, .running, .running, .blocked][Int(row.policy.rawValue)]
        )
    }

    @Test(arguments: FailurePolicy.allCases)
    func `a failure after the dependent has ended is recorded and changes nothing`(policy: FailurePolicy) throws {
        let flow = try engine.add(
            .flow([job("first"), job("late"), job("d", after: [.node("first"), .node("late", policy)])])
        )
        try engine.fail(flow["first"])
        let before = try engine.view(flow["d"])
        try engine.fail(flow["late"])
        let after = try engine.view(flow["d"])
        #expect(after.state == .failed && after.failedDependency == flow["first"])
        #expect(after.finishedAt == before.finishedAt && after.outcome == before.outcome)
        let kinds: [[DependencyKind]] = [[.failed, .failed], [.failed, .ignored], [.failed], [.failed, .ignored]]
        #expect(try engine.kinds(flow["d"]) == (kinds + [[.failed, .ignored]])[Int(policy.rawValue)])
        #expect(try engine.flow(flow.flow).status == .failed)
    }

    @Test(arguments: FailurePolicy.allCases)
    func `continue detaches: what comes later is recorded, whatever its policy`(policy: FailurePolicy) throws {
        let flow = try engine.add(
            .flow([
                job("first"), job("good"), job("late"),
                job("d", after: [.node("first", .continue), .node("good"), .node("late", policy)]),
            ])
        )
        try engine.fail(flow["first"])
        let lease = try engine.lease(flow["d"])
        try engine.complete(flow["good"], .json, [1])
        try engine.fail(flow["late"])
        #expect(try engine.state(flow["d"]) == .active)
        let late: [DependencyKind] = [[.failed], [.ignored], [], [.ignored], [.ignored]][Int(policy.rawValue)]
        #expect(try engine.kinds(flow["d"]) == [.ignored, .processed] + late)
        engine.stageComplete(lease)
        try engine.commit()
        #expect(try engine.state(flow["d"]) == .completed)
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `one failure reaches several dependents, each by its own edge`() throws {
        let flow = try engine.add(
            .flow([
                job("bad"), job("f", after: [.node("bad")]), job("i", after: [.node("bad", .ignore)]),
                job("r", after: [.node("bad", .remove)]), job("c", after: [.node("bad", .continue)]),
                job("w", after: [.node("bad", .wait)]),
            ])
        )
        try engine.fail(flow["bad"])
        #expect(
            try engine.states(flow, "f", "i", "r", "c", "w")
                == [.failed, .waiting, .waiting, .waiting, .waitingChildren]
        )
        #expect(try engine.view(flow["bad"]).dependents == 4)
    }

    @Test func `one failure that reaches a job in two ways fails it once`() throws {
        let flow = try engine.add(
            .flow([
                job("bad"), job("l", queue: "x", after: [.node("bad")]), job("r", queue: "y", after: [.node("bad")]),
                job("end", after: [.node("l"), .node("r")]),
            ])
        )
        try engine.fail(flow["bad"])
        #expect(engine.result.finishedJobs.count == 4)
        #expect(engine.result.finishedFlows == [flow.flow])
        #expect(try engine.kinds(flow["end"]) == [.failed, .failed])
        #expect(try engine.flow(flow.flow).counts[.failed] == 4)
        #expect(try engine.flow(flow.flow).status == .failed)
    }

    @Test func `a chain of ten thousand fails from one end to the other, and another is released`() throws {
        engine.checks = false
        func chain(_ policy: FailurePolicy) -> ItemSpec {
            .flow((0..<5_000).map { index in job("\(index)", after: index == 0 ? [] : [.index(index - 1, policy)]) })
        }
        let failing = try engine.add(.flow((0..<10_000).map { job("\($0)", after: $0 == 0 ? [] : [.index($0 - 1)]) }))
        try engine.fail(failing["0"])
        #expect(engine.result.finishedJobs.count == 10_000)
        #expect(try engine.flow(failing.flow).status == .failed)
        let ignoring = try engine.add(chain(.ignore))
        try engine.fail(ignoring["0"])
        #expect(try engine.ready().map(\.job) == [ignoring["1"]])
        try engine.check()
    }

    @Test func `a failure that two levels up is ignored goes no further`() throws {
        let flow = try engine.add(
            .flow([job("a"), job("b", after: [.node("a")]), job("c", after: [.node("b", .ignore)])])
        )
        try engine.fail(flow["a"])
        #expect(try engine.states(flow, "a", "b", "c") == [.failed, .failed, .waiting])
        try engine.complete(flow["c"])
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `a flow is blocked only while nothing of it can move`() throws {
        let flow = try engine.add(
            .flow([job("bad"), job("side"), job("d", after: [.node("bad", .wait)]), job("e", after: [.node("d")])])
        )
        let lease = try engine.lease(flow["side"])
        try engine.fail(flow["bad"])
        #expect(try engine.flow(flow.flow).status == .running)
        engine.stageComplete(lease)
        try engine.commit()
        #expect(try engine.flow(flow.flow).status == .blocked)
        #expect(try engine.flow(flow.flow).finishedAt == 0)
    }

    @Test func `a failed job that is no sink does not fail its flow`() throws {
        let flow = try engine.add(.flow([job("a"), job("b", after: [.node("a", .ignore)]), job("sink")]))
        try engine.fail(flow["a"])
        try engine.complete(flow["b"])
        #expect(try engine.flow(flow.flow).status == .running)
        try engine.complete(flow["sink"])
        #expect(try engine.flow(flow.flow).status == .completed)
        let other = try engine.add(.flow([job("a"), job("b")]))
        try engine.fail(other["a"])
        try engine.complete(other["b"])
        #expect(try engine.flow(other.flow).status == .failed)
    }
}
