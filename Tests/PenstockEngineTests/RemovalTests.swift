import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Removing jobs: what goes along, what stays, and who is released by it.
@Suite(.computing) struct RemovalTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    // MARK: What goes

    @Test func `a chain goes with its last job, and its flow with it`() throws {
        let flow = try engine.add(
            .flow("chain", [job("a"), job("b", after: [.node("a")]), job("c", after: [.node("b")])])
        )
        #expect(try engine.remove(flow["c"]) == 3)
        #expect(try engine.stored() == [])
        #expect(try engine.queue() == StateCounts())
        #expect(try engine.ready() == [])
        #expect(try refusal { _ = try engine.flow(flow.flow) } == .flowNotFound)
        #expect(engine.result.finishedFlows == [flow.flow])
        #expect(Set(engine.result.finishedJobs) == Set(flow.ids.values))
    }

    @Test func `a tree goes with its root, over all queues`() throws {
        let tree = try engine.add(
            .flow([
                job("1", queue: "x"), job("2", queue: "y"), job("3", queue: "x") { $0.delay = 50 },
                job("l", after: [.node("1"), .node("2")]), job("r", after: [.node("3")]),
                job("root", queue: "z", after: [.node("l"), .node("r")]),
            ])
        )
        try engine.complete(tree["1"], .json, [1])
        #expect(try engine.remove(tree["root"]) == 6)
        #expect(try engine.stored() == [])
        for queue in ["q", "x", "y", "z"] { #expect(try engine.queue(queue) == StateCounts()) }
    }

    @Test func `a diamond goes whole`() throws {
        let flow = try engine.add(
            .flow([
                job("base"), job("l", after: [.node("base")]), job("r", after: [.node("base")]),
                job("top", after: [.node("l"), .node("r")]),
            ])
        )
        try engine.complete(flow["base"])
        #expect(try engine.remove(flow["top"]) == 4)
        #expect(try engine.stored() == [])
    }

    @Test func `a dependency that another job still needs stays, with all below it`() throws {
        let flow = try engine.add(
            .flow([
                job("deep"), job("base", after: [.node("deep")]), job("own"),
                job("x", after: [.node("base"), .node("own")]), job("y", after: [.node("base")]),
            ])
        )
        #expect(try engine.remove(flow["x"]) == 2)
        #expect(try engine.stored() == [flow["deep"], flow["base"], flow["y"]])
        #expect(try engine.view(flow["base"]).dependents == 1)
        #expect(try engine.remove(flow["y"]) == 3)
        #expect(try engine.stored() == [])
    }

    @Test func `a dependency in another flow goes only if nobody there needs it`() throws {
        let other = try engine.add(.flow([job("a"), job("b"), job("c", after: [.node("a")])]))
        let flow = try engine.add(.flow([job("x", after: [.job(other["a"]), .job(other["b"])])]))
        #expect(try engine.remove(flow["x"]) == 2)
        #expect(try engine.stored() == [other["a"], other["c"]])
        #expect(try engine.flow(other.flow).counts.total == 2)
    }

    @Test func `the dependencies stay where that is asked for`() throws {
        let flow = try engine.add(.flow([job("a"), job("b", after: [.node("a")]), job("c", after: [.node("b")])]))
        #expect(try engine.remove(flow["c"], keepingDependencies: true) == 1)
        #expect(try engine.stored() == [flow["a"], flow["b"]])
        #expect(try engine.view(flow["b"]).dependents == 0)
        try engine.complete(flow["a"])
        try engine.complete(flow["b"])
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `a job that lost its last dependent ends its flow`() throws {
        let flow = try engine.add(.flow([job("a"), job("b", after: [.node("a", .ignore)]), job("side")]))
        try engine.remove(flow["b"], keepingDependencies: true)
        try engine.fail(flow["a"])
        try engine.complete(flow["side"])
        #expect(try engine.flow(flow.flow).status == .failed)
    }

    @Test func `what is not there can't be removed`() throws {
        let id = try engine.add(job("a"))
        try engine.remove(id)
        #expect(try refusal { try engine.remove(id) } == .jobNotFound)
        #expect(try refusal { try engine.remove(JobID(99)) } == .jobNotFound)
        #expect(try refusal { try engine.remove(.flow(FlowID(99))) } == .flowNotFound)
        #expect(try refusal { try engine.remove(.unprocessedDependencies(of: id)) } == .jobNotFound)
    }

    // MARK: Leases

    @Test(arguments: [false, true])
    func `a lease deep below keeps everything, and the error names the job`(isWritten: Bool) throws {
        let flow = try engine.add(
            .flow([
                job("deep"), job("l", after: [.node("deep")]), job("r"), job("top", after: [.node("l"), .node("r")]),
            ])
        )
        let lease = try engine.lease(flow["deep"])
        if isWritten { engine.stageWrite(lease) }
        try engine.commit()
        let before = try engine.untouched()
        do {
            try engine.remove(flow["top"])
            Issue.record("it was removed")
        } catch let error as WireError {
            #expect(error.code == .jobLeased && error.message.contains("Job \(flow["deep"]) "))
        }
        #expect(try refusal { try engine.remove(.flow(flow.flow)) } == .jobLeased)
        #expect(try engine.untouched() == before)
        engine.stageComplete(lease)
        try engine.commit()
        #expect(try engine.remove(flow["top"]) == 4)
    }

    @Test func `a leased job that another one needs is in nobody's way`() throws {
        let flow = try engine.add(
            .flow([job("base"), job("x", after: [.node("base")]), job("y", after: [.node("base")])])
        )
        _ = try engine.lease(flow["base"])
        #expect(try engine.remove(flow["x"]) == 1)
        #expect(try refusal { try engine.remove(flow["y"]) } == .jobLeased)
        #expect(try engine.remove(flow["y"], keepingDependencies: true) == 1)
        #expect(try engine.present([flow["base"]]) == [flow["base"]])
    }

    // MARK: Dependents

    @Test func `the last unprocessed dependency that goes releases the dependent`() throws {
        let flow = try engine.add(
            .flow([job("a"), job("b"), job("d", after: [.node("a"), .node("b")]) { $0.delay = 500 }])
        )
        try engine.remove(flow["a"])
        #expect(try engine.state(flow["d"]) == .waitingChildren)
        #expect(try engine.kinds(flow["d"]) == [.unprocessed])
        try engine.remove(flow["b"])
        #expect(try engine.state(flow["d"]) == .delayed)
        #expect(try engine.kinds(flow["d"]) == [])
        #expect(try engine.present([flow["a"], flow["b"]]) == [])
    }

    @Test func `a dependency that holds its dependent lets go when it is removed`() throws {
        let flow = try engine.add(.flow([job("bad"), job("d", after: [.node("bad", .wait)])]))
        try engine.fail(flow["bad"])
        #expect(try engine.flow(flow.flow).status == .blocked)
        try engine.remove(flow["bad"])
        #expect(try engine.state(flow["d"]) == .waiting)
        #expect(try engine.flow(flow.flow).status == .running)
        try engine.complete(flow["d"])
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `a dependent that failed does not revive by a removal`() throws {
        let flow = try engine.add(.flow([job("bad"), job("d", after: [.node("bad")])]))
        try engine.fail(flow["bad"], message: "broken")
        #expect(try engine.remove(flow["bad"]) == 1)
        let view = try engine.view(flow["d"])
        #expect(view.state == .failed && view.failedDependency == flow["bad"])
        let row = try #require(try engine.dependencies(of: flow["d"], .failed).first)
        #expect(row.job == flow["bad"] && row.name == "bad" && row.queue == "q")
        #expect(row.outcome == .failure(message: "broken", details: []))
        #expect(try engine.flow(flow.flow).status == .failed)
    }

    @Test func `an unprocessed edge of a dependent that has failed goes without reviving it`() throws {
        let flow = try engine.add(.flow([job("bad"), job("late"), job("d", after: [.node("bad"), .node("late")])]))
        try engine.fail(flow["bad"])
        try engine.remove(flow["late"])
        #expect(try engine.state(flow["d"]) == .failed)
        #expect(try engine.kinds(flow["d"]) == [.failed])
    }

    // MARK: What is left for the dependents

    @Test(arguments: [3, 5_000])
    func `a result outlives its job until the last edge that names it`(size: Int) throws {
        let result = [UInt8](repeating: 7, count: size)
        let flow = try engine.add(
            .flow([
                job("made", id: "own", data: [1, 2, 3]) { $0.delay = 1 }, job("other"),
                job("x", after: [.node("made"), .node("other")]), job("y", after: [.node("made")]),
            ])
        )
        engine.advance(1)
        try engine.promote()
        try engine.complete(flow["made"], .binary, result)
        #expect(try engine.remove(flow["made"]) == 1)
        // Nobody else sees it.
        #expect(try refusal { _ = try engine.view(flow["made"]) } == .jobNotFound)
        #expect(try refusal { _ = try engine.dependencies(of: flow["made"]) } == .jobNotFound)
        #expect(try refusal { try engine.add(job("z", after: [.job(flow["made"])])) } == .unknownDependency)
        #expect(try refusal { try engine.remove(flow["made"]) } == .jobNotFound)
        let nodes = try engine.open.read {
            try engine.open.reads.flowNodes(GetFlowNodes(flow: flow.flow), $0, NoLeases())
        }
        #expect(nodes.rows.map(\.name) == ["other", "x", "y"])
        #expect(try engine.flow(flow.flow).counts.total == 3)
        // Its dependents do.
        for name in ["x", "y"] {
            let row = try #require(try engine.dependencies(of: flow[name]).first)
            #expect(row.job == flow["made"] && row.name == "made" && row.outcome == .result(.binary, result))
        }
        #expect(try engine.remove(flow["x"]) == 2)
        #expect(try engine.stored() == [flow["made"], flow["y"]])
        try engine.restart()
        #expect(try engine.dependencies(of: flow["y"])[0].outcome == .result(.binary, result))
        try engine.complete(flow["y"])
        try engine.remove(flow["y"])
        #expect(try engine.stored() == [])
    }

    @Test func `the custom id of a removed job is free again, though its result is kept`() throws {
        let flow = try engine.add(.flow([job("a", id: "order"), job("d", after: [.node("a")])]))
        try engine.complete(flow["a"], .json, [1])
        try engine.remove(flow["a"])
        #expect(try refusal { _ = try engine.view(.custom(queue: "q", id: "order")) } == .jobNotFound)
        let second = try engine.add(job("again", id: "order"))
        #expect(second != flow["a"])
        #expect(try engine.view(.custom(queue: "q", id: "order")).id == second)
        #expect(try engine.dependencies(of: flow["d"])[0].name == "a")
    }

    // MARK: Flows

    @Test func `the last unfinished job that goes finishes its flow`() throws {
        let flow = try engine.add(.flow([job("a"), job("b")]))
        try engine.complete(flow["a"])
        try engine.remove(flow["b"])
        #expect(engine.result.finishedFlows == [flow.flow])
        let view = try engine.flow(flow.flow)
        #expect(view.status == .completed && view.finishedAt == engine.wall && view.counts.total == 1)
    }

    @Test func `a flow that has failed stays so when the job that failed it is removed`() throws {
        let flow = try engine.add(.flow([job("bad"), job("good")]))
        try engine.complete(flow["good"])
        try engine.fail(flow["bad"])
        try engine.remove(flow["bad"])
        #expect(try engine.flow(flow.flow).status == .failed)
        let running = try engine.add(.flow([job("bad"), job("good")]))
        try engine.fail(running["bad"])
        try engine.remove(running["bad"])
        try engine.complete(running["good"])
        #expect(try engine.flow(running.flow).status == .completed)
    }

    @Test func `a flow that runs again ends as the jobs do that are left of it`() throws {
        let flow = try engine.add(.flow([job("bad"), job("good")]))
        try engine.complete(flow["good"])
        try engine.fail(flow["bad"])
        try engine.remove(flow["bad"])
        #expect(try engine.flow(flow.flow).status == .failed)
        try engine.retry(.job(flow["good"]), reruns: true)
        try engine.complete(flow["good"])
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `a flow goes whole, and what lies outside it is released or stays`() throws {
        let below = try engine.add(job("below"))
        let flow = try engine.add(
            .flow(
                "named",
                [
                    job("done"), job("bad"), job("late") { $0.delay = 9 }, job("a", after: [.job(below)], id: "a"),
                    job("b", after: [.node("a"), .node("bad", .wait), .node("done")]),
                ]
            )
        )
        let outside = try engine.add(job("outside", after: [.job(flow["a"]), .job(flow["done"])]))
        try engine.complete(flow["done"], .json, [5])
        try engine.fail(flow["bad"])
        #expect(try engine.remove(.flow(flow.flow)) == 5)
        #expect(try engine.stored() == [below, flow["done"], outside])
        #expect(try engine.view(below).dependents == 0)
        #expect(try engine.state(outside) == .waiting)
        #expect(try engine.dependencies(of: outside).map(\.outcome) == [.result(.json, [5])])
        #expect(try refusal { _ = try engine.flow(flow.flow) } == .flowNotFound)
        #expect(try engine.ready().map(\.job) == [below, outside])
        #expect(engine.result.ready.map(\.job) == [outside], "nothing of the flow was made ready on the way")
        let named = try engine.open.read {
            try engine.open.reads.flows(ListFlows(name: "named"), $0, NoLeases())
        }
        #expect(named.rows.isEmpty)
        let again = try engine.add(.flow("named", [job("a", id: "a")]))
        #expect(again["a"] > outside)
    }

    // MARK: Unprocessed dependencies

    @Test func `the dependencies that nobody has begun go, and those that are held or done stay`() throws {
        let flow = try engine.add(
            .flow([
                job("done"), job("held"), job("deep"), job("mid", after: [.node("deep")]), job("free"),
                job(
                    "top",
                    after: [.node("done"), .node("held"), .node("mid"), .node("free")]
                ),
            ])
        )
        try engine.complete(flow["done"], .json, [1])
        let lease = try engine.lease(flow["held"])
        #expect(try engine.remove(.unprocessedDependencies(of: flow["top"])) == 3)
        #expect(try engine.stored() == [flow["done"], flow["held"], flow["top"]])
        #expect(try engine.state(flow["top"]) == .waitingChildren)
        engine.stageComplete(lease)
        try engine.commit()
        #expect(try engine.state(flow["top"]) == .waiting)
        #expect(try engine.remove(.unprocessedDependencies(of: flow["top"])) == 0)
    }

    @Test func `what is leased below an unprocessed dependency stays, with what it needs`() throws {
        let flow = try engine.add(
            .flow([
                job("deep"), job("held", after: [.node("deep")]), job("mid", after: [.node("held")]),
                job("top", after: [.node("mid")]),
            ])
        )
        try engine.complete(flow["deep"])
        _ = try engine.lease(flow["held"])
        #expect(try engine.remove(.unprocessedDependencies(of: flow["top"])) == 1)
        #expect(try engine.stored() == [flow["deep"], flow["held"], flow["top"]])
        #expect(try engine.state(flow["top"]) == .waiting)
    }

    @Test func `dependencies that depend on one another go together, and none is released on the way`() throws {
        let flow = try engine.add(
            .flow([job("a"), job("b", after: [.node("a")]), job("top", after: [.node("a"), .node("b")])])
        )
        #expect(try engine.remove(.unprocessedDependencies(of: flow["top"])) == 2)
        #expect(engine.result.ready.map(\.job) == [flow["top"]])
        #expect(try engine.stored() == [flow["top"]])
    }

    // MARK: What a worker added

    @Test func `a child that is removed releases the job that waits for it, and its key is free again`() throws {
        let flow = try engine.add(.flow([job("parent")]))
        var child = job("child")
        child.key = "key"
        let lease = try engine.lease(flow["parent"])
        let added = try engine.addHeld(lease, .child(child))
        #expect(try engine.move(lease))
        #expect(try engine.flow(flow.flow).counts.total == 2)
        #expect(try engine.remove(added["child"]) == 1)
        #expect(try engine.flow(flow.flow).counts.total == 1)
        #expect(try engine.state(flow["parent"]) == .waiting)
        let again = try engine.addHeld(try engine.lease(flow["parent"]), .child(child))
        #expect(again["child"] > added["child"])
    }

    @Test func `a flow goes with what was added to it when it ran`() throws {
        let flow = try engine.add(.flow([job("parent"), job("after", after: [.node("parent")])]))
        var child = job("child")
        child.key = "key"
        let lease = try engine.lease(flow["parent"])
        try engine.addHeld(lease, .child(child), .child(job("other")))
        #expect(try refusal { try engine.remove(.flow(flow.flow)) } == .jobLeased)
        #expect(try engine.move(lease))
        #expect(try engine.remove(.flow(flow.flow)) == 4)
        #expect(engine.result.ready.isEmpty)
        #expect(try engine.stored() == [])
        #expect(try engine.dump().childKeys.isEmpty)
    }

    @Test func `the children that nobody has begun go, and their parent goes on`() throws {
        let id = try engine.add(job("parent"))
        let lease = try engine.lease(id)
        let added = try engine.addHeld(lease, .child(job("a")), .child(job("b")))
        try engine.complete(added["a"], .json, [1])
        #expect(try engine.remove(.unprocessedDependencies(of: id)) == 1)
        // Nothing is pending any more: the lease goes on.
        #expect(try !engine.move(lease))
        let sequence = engine.stageComplete(lease)
        try engine.commit()
        #expect(lease.session.code(sequence) == .ok)
        #expect(try engine.dependencies(of: id).map(\.name) == ["a"])
    }
}
