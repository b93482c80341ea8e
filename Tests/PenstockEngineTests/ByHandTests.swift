import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Jobs that are finished by hand, and edges that are resolved so.
@Suite(.computing) struct ByHandTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    @Test(arguments: [true, false])
    func `a job is finished by hand in every state, and its worker is fenced`(fails: Bool) throws {
        let ending: Finish.Ending =
            fails ? .fail(message: "by hand", details: [1, 2]) : .complete(Payload(.json, [7]))
        for state in [JobState.waiting, .delayed, .waitingChildren, .active] {
            let flow = try engine.add(
                .flow([
                    job("first", queue: "first"),
                    job("a", queue: "a", after: state == .waitingChildren ? [.node("first", .wait)] : []) {
                        $0.delay = state == .delayed ? 1_000 : 0
                    },
                    job("d", after: [.node("a", .ignore)]),
                ])
            )
            let lease = state == .active ? try engine.lease(flow["a"]) : nil
            if state == .waitingChildren { try engine.fail(flow["first"]) }
            try engine.finish(flow["a"], ending)
            let view = try engine.view(flow["a"])
            #expect(view.state == (fails ? .failed : .completed) && view.cause == (fails ? .error : .none))
            #expect(view.outcome == (fails ? .failure(message: "by hand", details: [1, 2]) : .result(.json, [7])))
            #expect(view.attemptsMade == 0 && view.attemptsStarted == (lease == nil ? 0 : 1))
            #expect(try engine.state(flow["d"]) == .waiting)
            #expect(try engine.kinds(flow["d"]) == [fails ? .ignored : .processed])
            #expect(engine.leases.isEmpty)
            if let lease {
                let late = engine.stageComplete(lease)
                try engine.commit()
                #expect(engine.session.code(late) == .fenced)
            }
            #expect(try refusal { try engine.finish(flow["a"], ending) } == .alreadyFinished)
        }
        #expect(try refusal { try engine.finish(JobID(99), ending) } == .jobNotFound)
    }

    @Test(arguments: Resolve.Resolution.allCases)
    func `an edge that is resolved by hand is waited for no more`(resolution: Resolve.Resolution) throws {
        let flow = try engine.add(
            .flow([
                job("a"), job("held"), job("d", after: [.node("a"), .node("held", .wait)]),
                job("e", after: [.node("d")]),
            ])
        )
        try engine.fail(flow["held"])
        try engine.resolve(flow["d"], flow["held"], to: resolution)
        #expect(try engine.flow(flow.flow).status == .running)
        #expect(try engine.state(flow["d"]) == .waitingChildren)
        try engine.resolve(flow["d"], flow["a"], to: resolution)
        #expect(try engine.state(flow["d"]) == .waiting)
        let kinds: [DependencyKind] =
            switch resolution {
            case .processed: [.processed, .processed]
            case .ignored: [.ignored, .ignored]
            case .removed: []
            }
        #expect(try engine.kinds(flow["d"]) == kinds)
        // What becomes of the dependency is recorded, and changes nothing.
        try engine.fail(flow["a"])
        #expect(try engine.state(flow["d"]) == .waiting)
        #expect(try engine.kinds(flow["d"]) == (resolution == .removed ? [] : [.failed, kinds[1]]))
        let code: ErrorCode = resolution == .removed ? .edgeNotFound : .alreadyFinished
        #expect(try refusal { try engine.resolve(flow["d"], flow["held"], to: .ignored) } == code)
        #expect(try refusal { try engine.resolve(flow["e"], flow["a"], to: .ignored) } == .edgeNotFound)
        #expect(try refusal { try engine.resolve(JobID(99), flow["a"], to: .ignored) } == .jobNotFound)
    }

    @Test(arguments: Resolve.Resolution.allCases)
    func `a failed edge that is resolved by hand revives its dependent, and what failed with that`(
        resolution: Resolve.Resolution
    ) throws {
        let flow = try engine.add(
            .flow([
                job("a"), job("b"), job("c"), job("d", after: [.node("a"), .node("b"), .node("c")]),
                job("e", after: [.node("d")]),
            ])
        )
        try engine.fail(flow["a"])
        try engine.fail(flow["b"])
        try engine.resolve(flow["d"], flow["a"], to: resolution)
        #expect(try engine.states(flow, "d", "e") == [.failed, .failed])
        #expect(try engine.view(flow["d"]).failedDependency == flow["b"])
        try engine.resolve(flow["d"], flow["b"], to: resolution)
        #expect(try engine.states(flow, "d", "e") == [.waitingChildren, .waitingChildren])
        try engine.complete(flow["c"])
        try engine.complete(flow["d"])
        try engine.complete(flow["e"])
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `the last failed edge resolved by hand lets the dependent run at once`() throws {
        let flow = try engine.add(.flow([job("a"), job("d", after: [.node("a")])]))
        try engine.fail(flow["a"])
        try engine.resolve(flow["d"], flow["a"], to: .ignored)
        #expect(try engine.state(flow["d"]) == .waiting)
        try engine.complete(flow["d"])
        #expect(try engine.flow(flow.flow).status == .completed)
    }
}
