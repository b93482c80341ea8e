import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Corners in which a first version was wrong.
@Suite(.computing) struct CornerTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    @Test func `adds are refused over the quota, and completions are taken`() throws {
        let id = try engine.add(job("a"))
        engine.open.engine.isOverQuota = true
        #expect(try refusal { try engine.add(job("b")) } == .full)
        try engine.complete(id)
        engine.open.engine.isOverQuota = false
        try engine.add(job("b"))
    }

    @Test func `a look for sessions to forget goes on where the last one ended`() throws {
        for number in 1...1500 as ClosedRange<UInt64> {
            engine.stage(.openSession, TestSession(slot: 1, number: number))
        }
        try engine.commit()
        engine.advance(2 * 86_400_000)
        engine.stage(.expireSessions, engine.session)
        try engine.commit()
        #expect(engine.result.hasMoreSessions)
        engine.stage(.expireSessions, engine.session)
        try engine.commit()
        #expect(!engine.result.hasMoreSessions)
        #expect(try engine.resume(TestSession(slot: 1, number: 1)).applied == nil)
        #expect(try engine.resume(TestSession(slot: 1, number: 1500)).applied == nil)
    }

    @Test func `a job whose only dependent is in another flow is a sink of its own`() throws {
        try engine.add(.flow([job("old", id: "old"), job("rest", after: [.node("old")])]))
        let added = try engine.add(.flow([job("new"), job("old", after: [.node("new", .ignore)], id: "old")]))
        try engine.fail(added["new"])
        #expect(try engine.flow(added.flow).status == .failed)
    }

    @Test func `a sink that is given a dependent in its flow is a sink no more`() throws {
        let flow = try engine.add(.flow([job("a", id: "a"), job("b", id: "b")]))
        try engine.add(.single(job("a", id: "a")), .single(job("b", after: [.node("a", .ignore)], id: "b")))
        try engine.fail(flow["a"])
        try engine.complete(flow["b"])
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `a failed sink that is given a dependent in its flow does not fail the flow any more`() throws {
        let flow = try engine.add(.flow([job("a", id: "a"), job("b", id: "b")]))
        try engine.fail(flow["a"])
        try engine.add(.single(job("a", id: "a")), .single(job("b", after: [.node("a", .ignore)], id: "b")))
        try engine.complete(flow["b"])
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `a held edge of a job that has failed blocks its flow no more`() throws {
        let outside = try engine.add(job("outside"))
        let flow = try engine.add(
            .flow([
                job("held"), job("bad"), job("d", after: [.node("held", .wait), .node("bad")]),
                job("e", after: [.job(outside)]),
            ])
        )
        try engine.fail(flow["held"])
        #expect(try engine.flow(flow.flow).status == .running)
        try engine.fail(flow["bad"])
        #expect(try engine.states(flow, "d", "e") == [.failed, .waitingChildren])
        #expect(try engine.flow(flow.flow).status == .running)
    }

    @Test func `a held edge of a job that continued blocks its flow no more`() throws {
        let outside = try engine.add(job("outside"))
        let flow = try engine.add(
            .flow([
                job("held"), job("bad"), job("d", after: [.node("held", .wait), .node("bad", .continue)]),
                job("e", after: [.job(outside)]),
            ])
        )
        try engine.fail(flow["held"])
        try engine.fail(flow["bad"])
        try engine.complete(flow["d"])
        #expect(try engine.flow(flow.flow).status == .running)
        try engine.complete(outside)
        try engine.complete(flow["e"])
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `an edge that wait holds is counted once, whichever way the failure comes`() throws {
        let bad = try engine.add(job("bad"))
        try engine.fail(bad)
        let x = try engine.add(job("x", id: "x"))
        let added = try engine.add(
            .flow([job("x", after: [.job(bad)], id: "x"), job("m", after: [.node("x", .wait)])])
        )
        #expect(try engine.state(x) == .failed)
        #expect(try engine.flow(added.flow).status == .blocked)
    }

    @Test func `a detached dependency that fails later is recorded and blamed for nothing`() throws {
        let flow = try engine.add(
            .flow([job("first"), job("later"), job("d", after: [.node("first", .continue), .node("later")])])
        )
        try engine.fail(flow["first"])
        try engine.complete(flow["d"])
        try engine.fail(flow["later"])
        let view = try engine.view(flow["d"])
        #expect(view.state == .completed && view.failedDependency == .none && view.dependencies.failed == 1)
    }

    @Test func `a result without a content type is none, whatever bytes come with it`() throws {
        let id = try engine.add(job("a"))
        try engine.complete(id, .none, [1, 2, 3])
        #expect(try engine.view(id).outcome == .none)
    }

    @Test func `sessions beyond the first thousand expire, too`() throws {
        engine.checks = false
        for _ in 0..<1_200 { _ = try engine.openSession() }
        let last = engine.sessions.last!
        let kept = Array(engine.sessions.dropLast(100))
        engine.advance(86_400_000)
        for session in kept { engine.confirm(session, upTo: 0) }
        try engine.commit()
        engine.advance(1)
        for _ in 0..<2 {
            engine.stage(.expireSessions, engine.session)
            try engine.commit()
        }
        #expect(try engine.resume(last).applied == nil)
        #expect(try engine.resume(kept.last!).applied == 0)
        try engine.check()
    }

    @Test func `a session that takes an ended one's slot in the same batch is told its outcomes`() throws {
        let old = try engine.openSession()
        engine.stageAdd([.single(job("a"))], old)
        engine.stage(.endSession, old)
        let new = TestSession(slot: old.slot, number: 77)
        engine.replace(old, by: new)
        engine.stage(.openSession, new)
        let sequence = engine.stageAdd([.single(job("b"))], new)
        try engine.commit()
        #expect(new.code(sequence) == .ok)
        #expect(try engine.resume(old).applied == nil)
        #expect(try engine.resume(new).bodies.count == 1)
    }

    @Test func `a meta row that cannot be read is damage, not a new database`() throws {
        try engine.add(job("a"))
        try engine.open.cutMeta()
        #expect(throws: EngineError.self) { try engine.restart() }
    }

    @Test func `the path of a long cycle says what it leaves out`() throws {
        var nodes = [job("0", id: "x")]
        for index in 1..<50 { nodes.append(job("\(index)", after: [.node("\(index - 1)")])) }
        let flow = try engine.add(.flow(nodes))
        let sequence = engine.stageAdd([.single(job("x", after: [.job(flow["49"])], id: "x"))])
        try engine.commit()
        let outcome = try #require(engine.session.outcomes[sequence])
        let message = try ErrorBody(reading: outcome.body).message
        #expect(ErrorCode(rawValue: outcome.status) == .cycle)
        let text = message.dropFirst("The add would close a cycle: ".count).dropLast()
        let path = text.split(separator: " depends on ")
        #expect(path.first == "1" && path.last == "1" && path.contains("..."))
        for (a, b) in zip(path, path.dropFirst()) where a != "..." && b != "..." && a != "1" {
            #expect(Int(a)! == Int(b)! + 1)
        }
    }
}
