import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Cancelling: a job, a flow as one set, a part of one, and the siblings of what failed.
@Suite(.computing) struct CancelTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    @Test func `a job is cancelled in every state that it can be in, with its reason`() throws {
        let flow = try engine.add(
            .flow([
                job("waiting"), job("delayed") { $0.delay = 1_000 }, job("leased", queue: "l"),
                job("active", queue: "a"), job("children", after: [.node("waiting", .ignore)]),
            ])
        )
        let leased = try engine.lease(flow["leased"])
        let active = try engine.lease(flow["active"])
        engine.stageWrite(active)
        try engine.commit()
        for name in ["waiting", "delayed", "leased", "active", "children"] {
            #expect(try engine.cancel(.job(flow[name]), reason: "too late") == 1)
            let view = try engine.view(flow[name])
            #expect(view.state == .cancelled && view.cause == .none)
            guard case .failure(let message, _) = view.outcome else { throw BrokenInvariants(problems: ["no reason"]) }
            #expect(message == "It was cancelled: too late")
            #expect(view.attemptsStarted == (["leased", "active"].contains(name) ? 1 : 0))
        }
        #expect(engine.leases.isEmpty)
        // What its worker says later is fenced.
        for lease in [leased, active] {
            let sequence = engine.stageComplete(lease)
            try engine.commit()
            #expect(lease.session.code(sequence) == .fenced)
        }
        // What has ended stays as it is.
        #expect(try engine.cancel(flow["leased"]) == 0)
        #expect(try refusal { try engine.cancel(JobID(77)) } == .jobNotFound)
        #expect(try refusal { try engine.cancel(.flow(FlowID(77))) } == .flowNotFound)
        #expect(try engine.flow(flow.flow).status == .failed)
    }

    @Test func `a completion behind the cancel in one batch is fenced, one before it counts`() throws {
        let jobs = [try engine.add(job("a")), try engine.add(job("b"))]
        let leases = [try engine.lease(jobs[0]), try engine.lease(jobs[1])]
        let first = engine.stageComplete(leases[0])
        engine.stageCancel(.job(jobs[0]))
        engine.stageCancel(.job(jobs[1]))
        let second = engine.stageComplete(leases[1])
        try engine.commit()
        #expect(engine.session.code(first) == .ok && engine.session.code(second) == .fenced)
        #expect(try engine.state(jobs[0]) == .completed)
        #expect(try engine.state(jobs[1]) == .cancelled)
        #expect(try engine.view(jobs[1]).attemptsStarted == 1)
    }

    @Test func `a job that was given back in the batch of its cancel counts its lease once`() throws {
        let job = try engine.add(job("a"))
        engine.stageReturn(try engine.lease(job))
        engine.stageCancel(.job(job))
        try engine.commit()
        #expect(try engine.view(job).attemptsStarted == 1)
    }

    // MARK: Flows

    @Test func `a flow is cancelled as one set: policies act only outside of it`() throws {
        let flow = try engine.add(
            .flow([
                job("a"), job("b", after: [.node("a", .continue)]), job("c", after: [.node("b", .remove)]),
                job("d", after: [.node("c", .ignore)]), job("undo", after: [.node("a", on: .failure)]), job("done"),
            ])
        )
        let outside = try engine.add(
            .flow([
                job("undo", after: [.job(flow["a"], on: .failure)]), job("fails", after: [.job(flow["d"])]),
                job("goes on", after: [.job(flow["c"], .ignore)]),
            ])
        )
        try engine.complete(flow["done"])
        #expect(try engine.cancel(.flow(flow.flow)) == 5)
        #expect(
            try engine.states(flow, "a", "b", "c", "d", "undo", "done")
                == Array(repeating: .cancelled, count: 5) + [.completed]
        )
        #expect(try engine.flow(flow.flow).status == .cancelled)
        #expect(engine.result.finishedFlows == [flow.flow])
        #expect(try engine.states(outside, "undo", "fails", "goes on") == [.waiting, .failed, .waiting])
        #expect(try engine.cancel(.flow(flow.flow)) == 0)
        #expect(try engine.retry(.flow(flow.flow)) == 5)
        #expect(try engine.flow(flow.flow).status == .running)
        #expect(
            try engine.states(flow, "a", "b", "c", "d", "undo")
                == [.waiting, .waitingChildren, .waitingChildren, .waitingChildren, .waitingChildren]
        )
        #expect(try engine.kinds(flow["c"]) == [.unprocessed])
        #expect(
            try engine.states(outside, "undo", "fails", "goes on")
                == [.waitingChildren, .waitingChildren, .waitingChildren]
        )
    }

    // MARK: Trees

    @Test func `a tree is the job and what lies exclusively below it, diamonds whole`() throws {
        // b is reached by the top itself before a is known to go.
        let flow = try engine.add(
            .flow([
                job("b"), job("shared"), job("kept below"), job("a", after: [.node("b"), .node("kept below", .wait)]),
                job("done"),
                job("top", after: [.node("b"), .node("shared"), .node("a"), .node("done")]),
                job("other", after: [.node("shared"), .node("kept below")]),
                job("parent", after: [.node("top", .ignore)]),
            ])
        )
        try engine.complete(flow["done"])
        #expect(try engine.cancel(.tree(flow["top"])) == 3)
        #expect(try engine.states(flow, "top", "a", "b") == [.cancelled, .cancelled, .cancelled])
        #expect(try engine.states(flow, "shared", "kept below", "done") == [.waiting, .waiting, .completed])
        #expect(try engine.states(flow, "other", "parent") == [.waitingChildren, .waiting])
        // A retry of the top brings all of it back, in order.
        #expect(try engine.retry(flow["top"]) == 3)
        #expect(
            try engine.states(flow, "top", "a", "b", "parent")
                == [.waitingChildren, .waitingChildren, .waiting, .waitingChildren]
        )
        for name in ["b", "shared", "kept below", "a", "top", "other", "parent"] { try engine.complete(flow[name]) }
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    // MARK: Siblings

    private func family(_ policy: FailurePolicy) throws -> Added {
        try engine.add(
            .flow([
                job("bad"), job("deep"), job("sibling", after: [.node("deep")]), job("shared"),
                job("running", queue: "r"),
                job(
                    "d",
                    after: [
                        .node("bad"), .node("deep", policy), .node("sibling", policy), .node("shared"),
                        .node("running", policy),
                    ]
                ) { $0.cancelSiblings = true },
                job("other", after: [.node("shared")]),
            ])
        )
    }

    @Test(arguments: FailurePolicy.allCases)
    func `siblings that nobody else needs are cancelled, and come back with the cause`(policy: FailurePolicy) throws {
        let flow = try family(policy)
        let lease = try engine.lease(flow["running"])
        try engine.fail(flow["bad"])
        #expect(
            try engine.states(flow, "d", "deep", "sibling", "running", "shared", "other")
                == [.failed, .cancelled, .cancelled, .cancelled, .waiting, .waitingChildren]
        )
        #expect(engine.leases[flow["running"]] == nil)
        let late = engine.stageComplete(lease)
        try engine.commit()
        #expect(engine.session.code(late) == .fenced)
        #expect(try engine.retry(flow["bad"]) == 4)
        #expect(
            try engine.states(flow, "bad", "d", "deep", "sibling", "running")
                == [.waiting, .waitingChildren, .waiting, .waitingChildren, .waiting]
        )
        for name in ["bad", "shared", "deep", "sibling", "running"] {
            #expect(try engine.state(flow["d"]) == .waitingChildren)
            try engine.complete(flow[name])
        }
        for name in ["d", "other"] { try engine.complete(flow[name]) }
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `without the option siblings go on`() throws {
        let flow = try engine.add(
            .flow([job("bad"), job("sibling"), job("d", after: [.node("bad"), .node("sibling")])])
        )
        try engine.fail(flow["bad"])
        #expect(try engine.states(flow, "d", "sibling") == [.failed, .waiting])
    }

    @Test(arguments: [true, false])
    func `with two causes the siblings are back when both were retried, in either order`(isFirst: Bool) throws {
        let flow = try engine.add(
            .flow([
                job("x"), job("y", queue: "y"), job("sibling"),
                job("d", after: [.node("x"), .node("y"), .node("sibling")]) { $0.cancelSiblings = true },
                job("z", after: [.node("y", .ignore)]),
            ])
        )
        try engine.fail(flow["x"])
        // z needs it, too: it went on.
        try engine.fail(flow["y"])
        #expect(try engine.states(flow, "d", "sibling", "y") == [.failed, .cancelled, .failed])
        try engine.retry(flow[isFirst ? "x" : "y"])
        #expect(try engine.state(flow["d"]) == .failed)
        try engine.retry(flow[isFirst ? "y" : "x"])
        #expect(
            try engine.states(flow, "x", "y", "sibling", "d", "z")
                == [.waiting, .waiting, .waiting, .waitingChildren, .waitingChildren]
        )
    }
}
