import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

@Suite(.computing) struct AddTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    @Test func `a single job waits, runs and completes`() throws {
        let id = try engine.add(job("send", data: [1, 2, 3]))
        #expect(engine.result.ready.map(\.job) == [id])
        var view = try engine.view(id)
        #expect(view.state == .waiting && view.name == "send" && view.queue == "q" && view.data == [1, 2, 3])
        #expect(view.flow == .none && view.attemptsStarted == 0)
        engine.advance(5)
        let lease = try #require(try engine.lease().first)
        #expect(lease.job == id)
        #expect(try engine.state(id) == .active)
        try engine.complete(id, .json, [7])
        view = try engine.view(id)
        #expect(view.state == .completed && view.attemptsMade == 1 && view.attemptsStarted == 1)
        #expect(view.outcome == .result(.json, [7]))
        #expect(view.startedAt == engine.wall && view.finishedAt == engine.wall)
        #expect(engine.result.finishedJobs == [id])
        #expect(try engine.ready().isEmpty)
    }

    @Test func `a tree runs its leaves first and its root last`() throws {
        let tree = try engine.add(
            .flow(
                "tree",
                [
                    job("a"), job("b"), job("left", after: [.node("a"), .node("b")]), job("c"),
                    job("right", after: [.node("c")]), job("root", after: [.node("left"), .node("right")]),
                ]
            )
        )
        #expect(try engine.ready().map(\.job) == [tree["a"], tree["b"], tree["c"]])
        for name in ["a", "c", "right", "b", "left"] {
            #expect(try engine.state(tree["root"]) == .waitingChildren)
            try engine.complete(tree[name])
        }
        #expect(engine.result.ready.map(\.job) == [tree["root"]])
        #expect(try engine.flow(tree.flow).status == .running)
        try engine.complete(tree["root"])
        let flow = try engine.flow(tree.flow)
        #expect(flow.status == .completed && flow.name == "tree" && flow.counts[.completed] == 6)
        #expect(engine.result.finishedFlows == [tree.flow])
    }

    @Test func `a diamond over three queues runs its last job once`() throws {
        let dag = try engine.add(
            .flow([
                job("top", queue: "x"), job("l", queue: "y", after: [.node("top")]),
                job("r", queue: "z", after: [.node("top")]),
                job("end", queue: "x", after: [.node("l"), .node("r"), .node("top")]),
            ])
        )
        try engine.complete(dag["top"])
        #expect(try engine.states(dag, "l", "r", "end") == [.waiting, .waiting, .waitingChildren])
        let l = try engine.lease(dag["l"])
        let r = try engine.lease(dag["r"])
        engine.stageComplete(l)
        engine.stageComplete(r)
        try engine.commit()
        #expect(engine.result.ready.map(\.job) == [dag["end"]])
        #expect(try engine.view(dag["end"]).dependencies == DependencyCounts(processed: 3))
    }

    @Test func `a chain runs one by one`() throws {
        var nodes = [job("0")]
        for index in 1..<50 { nodes.append(job("\(index)", after: [.node("\(index - 1)")])) }
        let chain = try engine.add(.flow(nodes))
        for index in 0..<50 {
            #expect(try engine.ready().map(\.job) == [chain["\(index)"]])
            try engine.complete(chain["\(index)"])
        }
        #expect(try engine.flow(chain.flow).status == .completed)
    }

    @Test func `a fan-out of a thousand and its fan-in`() throws {
        engine.checks = false
        var nodes = [job("top")]
        for index in 0..<1000 { nodes.append(job("\(index)", after: [.node("top")])) }
        nodes.append(job("end", after: (0..<1000).map { .node("\($0)") }))
        let dag = try engine.add(.flow(nodes))
        try engine.check()
        try engine.complete(dag["top"])
        #expect(engine.result.ready.map(\.job) == (0..<1000).map { dag["\($0)"] })
        try engine.check()
        let leases = try engine.lease("q", 1000)
        for lease in leases { engine.stageComplete(lease) }
        try engine.commit()
        try engine.check()
        #expect(try engine.ready().map(\.job) == [dag["end"]])
    }

    @Test func `one add carries several flows and jobs, in one commit`() throws {
        let added = try engine.add(
            .flow("one", [job("a"), job("b", after: [.node("a")])]),
            .single(job("alone", after: [.node("b")])),
            .flow("two", [job("c", after: [.node("a"), .node("alone")])])
        )
        #expect(added.items.map(\.flow) == [FlowID(1), .none, FlowID(2)])
        #expect(added["a"] < added["b"] && added["b"] < added["alone"] && added["alone"] < added["c"])
        #expect(try engine.view(added["alone"]).flow == .none)
        for name in ["a", "b", "alone"] { try engine.complete(added[name]) }
        #expect(try engine.flow(FlowID(1)).status == .completed)
        #expect(try engine.flow(FlowID(2)).status == .running)
        try engine.complete(added["c"])
        #expect(try engine.flow(FlowID(2)).status == .completed)
    }

    @Test func `one bad node refuses all flows of its add, and not its neighbours in the batch`() throws {
        let before = engine.stageAdd([.single(job("before"))])
        let bad = engine.stageAdd([
            .flow("good", [job("a"), job("b", after: [.node("a")])]),
            .flow("bad", [job("c", after: [.job(JobID(999))])]),
        ])
        let after = engine.stageAdd([.single(job("after"))])
        try engine.commit()
        #expect(engine.session.code(bad) == .unknownDependency)
        #expect(engine.session.code(before) == .ok && engine.session.code(after) == .ok)
        #expect(try engine.queue().total == 2)
        #expect(try refusal { _ = try engine.flow(FlowID(1)) } == .flowNotFound)
    }

    @Test func `an add may depend on a job of an add before it in the batch`() throws {
        engine.stageAdd([.single(job("a"))])
        let second = engine.stageAdd([.single(job("b", after: [.job(JobID(1))]))])
        try engine.commit()
        #expect(engine.session.code(second) == .ok)
        try engine.complete(JobID(1))
        #expect(try engine.ready().map(\.job) == [JobID(2)])
    }

    @Test func `a job waits for a stored job, and dependents of both kinds are told`() throws {
        let flow = try engine.add(.flow([job("a"), job("b", after: [.node("a")])]))
        let late = try engine.add(job("late", after: [.job(flow["a"])]))
        let later = try engine.add(job("later", queue: "other", after: [.job(flow["a"]), .job(late)]))
        #expect(try engine.view(flow["a"]).dependents == 3)
        try engine.complete(flow["a"])
        #expect(try engine.state(flow["b"]) == .waiting)
        #expect(try engine.state(late) == .waiting)
        try engine.complete(late)
        #expect(try engine.state(later) == .waiting)
    }
}
