import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Retry of jobs, flows and queues, and what it does to the jobs that depend on them.
@Suite(.computing) struct RetryTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    @Test func `a retried job begins anew at the tail of its priority`() throws {
        let bad = try engine.add(job("bad") { ($0.attempts, $0.lifo) = (2, true) })
        try engine.fail(bad)
        try engine.fail(bad)
        let other = try engine.add(job("other"))
        #expect(try engine.retry(bad) == 1)
        let view = try engine.view(bad)
        #expect(view.state == .waiting && view.cause == .none && view.outcome == .none && view.finishedAt == 0)
        #expect(view.attemptsMade == 0 && view.attemptsStarted == 2)
        #expect(try engine.ready().map(\.job) == [other, bad])
        try engine.fail(bad)
        #expect(try engine.state(bad) == .waiting)
    }

    @Test(arguments: [false, true])
    func `a retry of the flow or the queue brings back what failed with a job that was removed since`(
        isFlow: Bool
    ) throws {
        let flow = try engine.add(
            .flow([
                job("gone", queue: "o"), job("late", queue: "o"),
                job("d", after: [.node("gone"), .node("late", .ignore)]), job("top", after: [.node("d")]),
            ])
        )
        try engine.fail(flow["gone"])
        try engine.complete(flow["late"])
        #expect(try engine.states(flow, "d", "top") == [.failed, .failed])
        try engine.remove(flow["gone"])
        #expect(try engine.retry(isFlow ? .flow(flow.flow) : .queue("q")) == 1)
        #expect(try engine.states(flow, "d", "top") == [.waiting, .waitingChildren])
        for name in ["d", "top"] { try engine.complete(flow[name]) }
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `a removed job that failed another one does not hold it back, one that is there does`() throws {
        let others = try ["x", "y"].map { try engine.add(job($0, queue: "o")) }
        let flow = try engine.add(.flow([job("gone"), job("d", after: [.node("gone")] + others.map { .job($0) })]))
        try engine.fail(flow["gone"])
        for other in others { try engine.fail(other) }
        try engine.remove(flow["gone"])
        #expect(try engine.retry(.flow(flow.flow)) == 0)
        #expect(try engine.view(flow["d"]).state == .failed)
        try engine.retry(others[0])
        #expect(try engine.view(flow["d"]).failedDependency == others[1])
        try engine.remove(others[1])
        try engine.complete(others[0])
        #expect(try engine.state(flow["d"]) == .failed)
        #expect(try engine.retry(.flow(flow.flow)) == 1)
        #expect(try engine.state(flow["d"]) == .waiting)
    }

    @Test func `keepCounters leaves one attempt, and new data takes the place of the old`() throws {
        let bad = try engine.add(job("bad", data: [1]) { $0.attempts = 3 })
        for _ in 0..<3 { try engine.fail(bad) }
        try engine.retry(.job(bad), keepsCounters: true, data: Payload(.json, [2, 3]))
        let view = try engine.view(bad)
        #expect(view.attemptsMade == 3 && view.data == [2, 3] && view.contentType == .json && view.name == "bad")
        try engine.fail(bad)
        #expect(try engine.state(bad) == .failed)
    }

    @Test func `what has not failed can't be retried, and a completed job only as a rerun`() throws {
        let job = try engine.add(job("a"))
        #expect(try refusal { try engine.retry(job) } == .notRetryable)
        let lease = try engine.lease(job)
        #expect(try refusal { try engine.retry(job) } == .notRetryable)
        engine.stageComplete(lease)
        try engine.commit()
        #expect(try refusal { try engine.retry(job) } == .notRetryable)
        #expect(try refusal { try engine.retry(JobID(99)) } == .jobNotFound)
        #expect(try refusal { try engine.retry(.flow(FlowID(99))) } == .flowNotFound)
        #expect(try refusal { try engine.retry(.queue("unknown")) } == .queueNotFound)
        #expect(try engine.retry(.job(job), reruns: true) == 1)
        #expect(try engine.state(job) == .waiting)
    }

    @Test func `a completed job is rerun only while no dependent has started`() throws {
        let flow = try engine.add(.flow([job("a"), job("d", after: [.node("a")])]))
        try engine.complete(flow["a"])
        try engine.retry(.job(flow["a"]), reruns: true)
        #expect(try engine.states(flow, "a", "d") == [.waiting, .waitingChildren])
        try engine.complete(flow["a"])
        let lease = try engine.lease(flow["d"])
        #expect(try refusal { try engine.retry(.job(flow["a"]), reruns: true) } == .dependentStarted)
        engine.stageReturn(lease)
        try engine.commit()
        #expect(try refusal { try engine.retry(.job(flow["a"]), reruns: true) } == .dependentStarted)
    }

    // MARK: Dependents

    @Test(arguments: FailurePolicy.allCases)
    func `a dependent that has not begun waits again, whatever the policy, but for what was removed`(
        policy: FailurePolicy
    ) throws {
        let flow = try engine.add(
            .flow([job("a"), job("d", after: [.node("a", policy)]), job("late", after: [.node("a", policy)])])
        )
        try engine.fail(flow["a"])
        let lease = try engine.state(flow["late"]) == .waiting ? engine.lease(flow["late"]) : nil
        try engine.retry(flow["a"])
        #expect(try engine.state(flow["a"]) == .waiting)
        #expect(try engine.state(flow["d"]) == (policy == .remove ? .waiting : .waitingChildren))
        if let lease {
            // It is untouched, and the new outcome is recorded on its edge.
            #expect(engine.leases[flow["late"]]?.token == lease.token)
            try engine.complete(flow["a"])
            #expect(try engine.kinds(flow["late"]) == (policy == .remove ? [] : [.processed]))
            try engine.complete(flow["late"])
        } else {
            try engine.complete(flow["a"])
        }
        #expect(try engine.state(flow["d"]) == .waiting)
    }

    @Test func `a delayed dependent waits again, and its delay begins anew`() throws {
        let flow = try engine.add(.flow([job("a"), job("d", after: [.node("a", .ignore)]) { $0.delay = 1_000 }]))
        try engine.fail(flow["a"])
        #expect(try engine.state(flow["d"]) == .delayed)
        engine.advance(900)
        try engine.retry(flow["a"])
        #expect(try engine.state(flow["d"]) == .waitingChildren)
        try engine.complete(flow["a"])
        #expect(try engine.view(flow["d"]).dueIn == 1_000)
    }

    @Test func `a dependent that failed, completed or was cancelled on its own account is untouched`() throws {
        let flow = try engine.add(
            .flow([
                job("a"), job("failed", after: [.node("a", .ignore)]), job("completed", after: [.node("a", .ignore)]),
                job("cancelled", after: [.node("a", .ignore)]),
            ])
        )
        try engine.fail(flow["a"])
        try engine.fail(flow["failed"])
        try engine.complete(flow["completed"])
        try engine.cancel(flow["cancelled"])
        try engine.retry(flow["a"])
        #expect(try engine.states(flow, "failed", "completed", "cancelled") == [.failed, .completed, .cancelled])
        try engine.complete(flow["a"])
        for name in ["failed", "completed", "cancelled"] { #expect(try engine.kinds(flow[name]) == [.processed]) }
    }

    @Test(arguments: [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]])
    func `a job with three causes is revived by the last retry, in whatever order they come`(order: [Int]) throws {
        let flow = try engine.add(
            .flow([
                job("0"), job("1"), job("2"), job("d", after: [.index(0), .index(1), .index(2)]),
                job("e", after: [.node("d")]),
            ])
        )
        for index in [1, 0, 2] { try engine.fail(flow["\(index)"]) }
        #expect(try engine.view(flow["d"]).failedDependency == flow["1"])
        var failed: Set = [0, 1, 2]
        for (turn, index) in order.enumerated() {
            try engine.retry(flow["\(index)"])
            failed.remove(index)
            let view = try engine.view(flow["d"])
            guard turn == 2 else {
                // It names one that has failed still, and the first of those once its own was retried.
                let named = failed.contains(1) ? 1 : failed.min()!
                #expect(view.state == .failed && view.failedDependency == flow["\(named)"])
                continue
            }
            #expect(view.state == .waitingChildren && view.failedDependency == .none && view.outcome == .none)
        }
        #expect(try engine.state(flow["e"]) == .waitingChildren)
        for name in ["0", "1", "2", "d", "e"] { try engine.complete(flow[name]) }
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `a retry revives a chain to its end, and through other queues and flows`() throws {
        let flow = try engine.add(
            .flow((0..<50).map { job("\($0)", queue: "q\($0 % 3)", after: $0 == 0 ? [] : [.index($0 - 1)]) })
        )
        let outside = try engine.add(.flow([job("outside", after: [.job(flow["49"])])]))
        try engine.fail(flow["0"])
        #expect(try engine.flow(flow.flow).status == .failed)
        #expect(try engine.flow(outside.flow).status == .failed)
        #expect(try engine.retry(flow["0"]) == 1)
        #expect(try engine.flow(flow.flow).counts[.waitingChildren] == 49)
        #expect(try engine.state(outside["outside"]) == .waitingChildren)
        #expect(try engine.flow(outside.flow).finishedAt == 0)
        for index in 0..<50 { try engine.complete(flow["\(index)"]) }
        try engine.complete(outside["outside"])
        #expect(try engine.flow(outside.flow).status == .completed)
    }

    @Test func `a job that failed with a dependency can be retried itself, and runs without it`() throws {
        let flow = try engine.add(.flow([job("a"), job("d", after: [.node("a")]), job("e", after: [.node("d")])]))
        try engine.fail(flow["a"])
        try engine.retry(flow["d"])
        #expect(try engine.states(flow, "a", "d", "e") == [.failed, .waiting, .waitingChildren])
        // Until its dependency is retried, too.
        try engine.retry(flow["a"])
        #expect(try engine.states(flow, "a", "d") == [.waiting, .waitingChildren])
    }

    // MARK: Flows and queues

    @Test func `the retry of a flow retries what failed or was cancelled, and nothing that was skipped`() throws {
        let flow = try engine.add(
            .flow([
                job("bad"), job("d", after: [.node("bad")]), job("good"),
                job("undo", after: [.node("good", on: .failure)]),
                job("gone"),
            ])
        )
        try engine.fail(flow["bad"])
        try engine.complete(flow["good"])
        try engine.cancel(flow["gone"])
        #expect(try engine.flow(flow.flow).status == .failed)
        #expect(try engine.retry(.flow(flow.flow)) == 2)
        #expect(
            try engine.states(flow, "bad", "d", "good", "undo", "gone")
                == [.waiting, .waitingChildren, .completed, .cancelled, .waiting]
        )
        #expect(try engine.retry(.flow(flow.flow)) == 0)
        for name in ["bad", "d", "gone"] { try engine.complete(flow[name]) }
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `the retry of a queue retries its own jobs, and revives those of others`() throws {
        let flow = try engine.add(
            .flow([job("a", queue: "x"), job("b", queue: "y"), job("d", queue: "z", after: [.node("a"), .node("b")])])
        )
        try engine.fail(flow["a"])
        try engine.cancel(flow["b"])
        #expect(try engine.retry(.queue("z")) == 0)
        #expect(try engine.retry(.queue("x")) == 1)
        #expect(try engine.states(flow, "a", "b", "d") == [.waiting, .cancelled, .failed])
        #expect(try engine.retry(.queue("y")) == 1)
        #expect(try engine.states(flow, "a", "b", "d") == [.waiting, .waiting, .waitingChildren])
    }

    @Test func `a skipped job runs when it is retried itself`() throws {
        let flow = try engine.add(.flow([job("a"), job("undo", after: [.node("a", on: .failure)])]))
        try engine.complete(flow["a"])
        #expect(try engine.retry(flow["undo"]) == 1)
        try engine.complete(flow["undo"])
        #expect(try engine.state(flow["undo"]) == .completed)
    }

    @Test func `a cancelled flow that is retried keeps its order`() throws {
        let flow = try engine.add(
            .flow([
                job("a"), job("b", after: [.node("a", .remove)]), job("c", after: [.node("b", .continue)]),
                job("d", after: [.node("c", .wait), .node("a")]),
            ])
        )
        try engine.cancel(.flow(flow.flow))
        #expect(try engine.retry(.flow(flow.flow)) == 4)
        for name in ["a", "b", "c", "d"] {
            #expect(try engine.ready().map(\.job) == [flow[name]])
            try engine.complete(flow[name])
        }
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `a job that is retried after what had held it waits for that, and is not held`() throws {
        let bad = try engine.add(job("bad"))
        try engine.fail(bad)
        let flow = try engine.add(.flow([job("held", after: [.job(bad, .wait)])]))
        #expect(try engine.flow(flow.flow).status == .blocked)
        try engine.cancel(flow["held"])
        try engine.retry(bad)
        try engine.retry(flow["held"])
        #expect(try engine.state(flow["held"]) == .waitingChildren)
        #expect(try engine.flow(flow.flow).status == .running)
        try engine.complete(bad)
        #expect(try engine.state(flow["held"]) == .waiting)
    }
}
