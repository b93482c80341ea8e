import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Drain, clean and obliterate: one queue, and only that one.
@Suite(.computing) struct CleanTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    @Test func `a drain takes what waits, and leaves what is leased, delayed, done, or waits for others`() throws {
        let ids = try (0..<4).map { try engine.add(job("\($0)")) }
        let delayed = try engine.add(job("late") { $0.delay = 1_000 })
        let flow = try engine.add(.flow([job("other", queue: "o"), job("d", after: [.node("other")])]))
        try engine.complete(ids[0])
        _ = try engine.lease(ids[1])
        #expect(try engine.clean(.drain(delayedToo: false)) == 2)
        #expect(try engine.present(ids) == [ids[0], ids[1]])
        #expect(try engine.present([delayed, flow["d"], flow["other"]]).count == 3)
        #expect(try engine.clean(.drain(delayedToo: true)) == 1)
        #expect(try engine.present([delayed]) == [])
        #expect(try engine.clean(.drain(delayedToo: true), queue: "o") == 1)
        #expect(try refusal { try engine.clean(.drain(delayedToo: false), queue: "none") } == .queueNotFound)
    }

    @Test func `delayed jobs of other queues are passed by`() throws {
        let mine = try engine.add(job("mine") { $0.delay = 50 })
        let others = try (0..<40).map { index in
            try engine.add(job("\(index)", queue: "o") { $0.delay = UInt64(index + 20) })
        }
        #expect(try engine.clean(.drain(delayedToo: true)) == 1)
        #expect(try engine.present([mine]) == [])
        #expect(try engine.present(others) == others)
    }

    @Test(arguments: FailurePolicy.allCases)
    func `a job that is drained counts as cancelled for its dependents`(policy: FailurePolicy) throws {
        let flow = try engine.add(
            .flow([job("a"), job("side", queue: "o"), job("d", queue: "o", after: [.node("a", policy)])])
        )
        #expect(try engine.clean(.drain(delayedToo: false)) == 1)
        #expect(try engine.present([flow["a"]]) == [])
        let view = try engine.view(flow["d"])
        #expect(view.state == (policy == .failParent ? .failed : .waiting))
        let kinds: [[DependencyKind]] = [[.failed], [.ignored], [], [.ignored], []]
        #expect(try engine.kinds(flow["d"]) == kinds[Int(policy.rawValue)])
        if let kind = kinds[Int(policy.rawValue)].first {
            let row = try #require(try engine.dependencies(of: flow["d"], kind).first)
            #expect(row.name == "a" && row.outcome == .failure(message: "It was removed from its queue.", details: []))
        } else {
            #expect(try engine.dump().jobs[flow["a"]] == nil)
        }
        if policy != .failParent { try engine.complete(flow["d"]) }
        try engine.complete(flow["side"])
        #expect(try engine.flow(flow.flow).status == (policy == .failParent ? .failed : .completed))
    }

    @Test func `what is cancelled because of a removal does not count as removed`() throws {
        let flow = try engine.add(
            .flow([
                job("a"), job("sibling", queue: "o"),
                job("d", queue: "o", after: [.node("a"), .node("sibling")]) { $0.cancelSiblings = true },
            ])
        )
        #expect(try engine.clean(.drain(delayedToo: false)) == 1)
        #expect(try engine.states(flow, "sibling", "d") == [.cancelled, .failed])
    }

    @Test func `a flow that finishes with the removal ends as the jobs do that are left of it`() throws {
        let root = try engine.add(job("root", queue: "o"))
        let below = try engine.add(job("below", after: [.job(root)]))
        let flow = try engine.add(
            .flow([job("a", queue: "o", after: [.job(below)]), job("b", after: [.node("a")])])
        )
        try engine.add(job("outside", queue: "o", after: [.job(flow["b"], .ignore)]))
        #expect(try engine.clean(.obliterate(force: false)) == 2)
        // The job on which nobody in the flow depends any more has failed.
        #expect(try engine.state(flow["a"]) == .failed)
        #expect(try engine.flow(flow.flow).status == .failed)
    }

    @Test func `dependencies are not followed`() throws {
        let flow = try engine.add(.flow([job("below", queue: "o"), job("d", after: [.node("below")])]))
        #expect(try engine.clean(.clean(.waitingChildren, age: 0, limit: 0)) == 1)
        #expect(try engine.present([flow["below"]]) == [flow["below"]])
        #expect(try engine.view(flow["below"]).dependents == 0)
    }

    @Test func `a clean takes the oldest that have been in the state for so long, up to the limit`() throws {
        let ids = try (0..<6).map { try engine.add(job("\($0)")) }
        for id in ids {
            try engine.complete(id)
            engine.advance(100)
        }
        #expect(try engine.clean(.clean(.completed, age: 350, limit: 2)) == 2)
        #expect(try engine.present(ids) == Array(ids[2...]))
        #expect(try engine.clean(.clean(.completed, age: 350, limit: 0)) == 1)
        #expect(try engine.clean(.clean(.failed, age: 0, limit: 0)) == 0)
        #expect(try engine.clean(.clean(.completed, age: 0, limit: 1)) == 1)
        #expect(try engine.present(ids) == Array(ids[4...]))
    }

    @Test func `a step of the wall clock makes no finished job older`() throws {
        let id = try engine.add(job("a"))
        try engine.fail(id)
        engine.wall += 1_000_000
        engine.elapsed += 10
        #expect(try engine.clean(.clean(.failed, age: 11, limit: 0)) == 0)
        engine.wall -= 5_000_000
        engine.elapsed += 1
        #expect(try engine.clean(.clean(.failed, age: 11, limit: 0)) == 1)
    }

    @Test func `what has not finished is as old as its add`() throws {
        let old = try engine.add(job("old"))
        let oldest = try engine.add(.flow([job("x", queue: "o"), job("d", after: [.node("x")])]))
        engine.advance(100)
        let young = try engine.add(job("young") { $0.priority = 0 })
        #expect(try engine.clean(.clean(.waiting, age: 100, limit: 0)) == 1)
        #expect(try engine.present([old, young]) == [young])
        #expect(try engine.clean(.clean(.waitingChildren, age: 101, limit: 0)) == 0)
        #expect(try engine.clean(.clean(.waitingChildren, age: 100, limit: 0)) == 1)
        #expect(try engine.present([oldest["d"]]) == [])
    }

    @Test func `an obliterated queue is empty, whatever was in it, and others are as they were`() throws {
        let flow = try engine.add(
            .flow([
                job("first"), job("bad"), job("mid", after: [.node("first", .ignore)]),
                job("end", after: [.node("mid", .wait)]), job("away", queue: "o", after: [.node("mid", .ignore)]),
            ])
        )
        let done = try engine.add(job("done"))
        try engine.add(job("late") { $0.delay = 10 })
        try engine.complete(done)
        try engine.fail(flow["bad"])
        #expect(try engine.clean(.obliterate(force: false)) == 6)
        #expect(try engine.queue() == StateCounts())
        #expect(try engine.ready() == [])
        #expect(try engine.state(flow["away"]) == .waiting)
        #expect(try engine.present(Array(flow.ids.values)) == [flow["away"]])
        try engine.complete(flow["away"])
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `a queue with leased jobs is obliterated only by force, and their workers are fenced`() throws {
        let ids = try (0..<3).map { try engine.add(job("\($0)")) }
        let unwritten = try engine.lease(ids[0])
        let written = try engine.lease(ids[1])
        engine.stageWrite(written)
        try engine.commit()
        let before = try engine.untouched()
        #expect(try refusal { try engine.clean(.obliterate(force: false)) } == .jobLeased)
        #expect(try engine.untouched() == before)
        #expect(try engine.clean(.obliterate(force: true)) == 3)
        #expect(Set(engine.result.withdrawn.map(\.job)) == Set(ids))
        #expect(try engine.stored() == [])
        for lease in [unwritten, written] {
            let sequence = engine.stageComplete(lease)
            try engine.commit()
            #expect(lease.session.code(sequence) == .fenced)
        }
    }

    @Test func `a large clean goes on in slices, and tells what was removed at once`() throws {
        engine.checks = false
        for _ in 0..<3 { try engine.add(.flow((0..<8_000).map { job("\($0)") })) }
        let first = try engine.clean(.drain(delayedToo: false))
        #expect(first > 0 && first < 24_000)
        let late = try engine.add(job("late"))
        try engine.restart()
        try engine.carryOnToTheEnd()
        #expect(try engine.stored() == [late])
        try engine.check()
    }
}
