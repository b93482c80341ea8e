import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

@Suite(.computing) struct LeaseTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    @Test func `stalls beyond the limit fail the job, and its dependents with it`() throws {
        let flow = try engine.add(
            .flow([
                job("a") {
                    $0.maxStalledCount = 2
                    $0.attempts = 5
                }, job("b", after: [.node("a")]),
            ])
        )
        for _ in 0..<2 {
            engine.stageStall(try engine.lease(flow["a"]))
            try engine.commit()
            #expect(try engine.state(flow["a"]) == .waiting)
        }
        engine.stageStall(try engine.lease(flow["a"]))
        try engine.commit()
        let view = try engine.view(flow["a"])
        #expect(view.state == .failed && view.cause == .stalled && view.stalledCount == 3)
        #expect(view.attemptsMade == 0 && view.attemptsStarted == 3)
        #expect(try engine.state(flow["b"]) == .failed)
    }

    @Test func `a lease that was granted before its job was withdrawn is void, though the job is ready again`() throws {
        let d = try engine.add(job("d"))
        let j = try engine.add(job("j", id: "j"))
        let leaseOfD = try engine.lease(d)
        // The dispatcher grants j while the batch that hangs d on it is applied: the engine does not know of the lease.
        let early = TestLease(
            job: j,
            queue: leaseOfD.queue,
            flow: .none,
            slot: leaseOfD.slot + 1,
            token: LeaseToken(epoch: 1, counter: 99),
            session: engine.session,
            startedAt: engine.wall
        )
        engine.stageAdd([.single(job("j", after: [.job(d)], id: "j"))])
        try engine.commit()
        #expect(try engine.state(j) == .waitingChildren)
        // Staged before the dispatcher was told of the withdrawal.
        engine.batch.settled = 0
        engine.stageComplete(leaseOfD)
        engine.stage(.writeLease, engine.session) {
            $0.job = j
            $0.slot = early.slot
            $0.token = early.token
        }
        let late = engine.stageComplete(early)
        try engine.commit()
        #expect(engine.session.code(late) == .fenced)
        #expect(try engine.state(j) == .waiting)
        // A lease of after that is as good as any.
        try engine.complete(j)
        #expect(try engine.state(j) == .completed)
    }

    @Test func `a job that forgives no stall fails at the first`() throws {
        let id = try engine.add(job("a") { $0.maxStalledCount = 0 })
        engine.stageStall(try engine.lease(id))
        try engine.commit()
        #expect(try engine.state(id) == .failed)
    }

    @Test func `a restart forgets an unwritten lease and counts nothing`() throws {
        let id = try engine.add(job("a"))
        _ = try engine.lease(id)
        try engine.restart()
        let view = try engine.view(id)
        #expect(view.state == .waiting && view.attemptsStarted == 0 && view.stalledCount == 0)
        #expect(try engine.ready().map(\.job) == [id])
        try engine.complete(id)
    }

    @Test func `a written lease is there after a restart, and its worker goes on`() throws {
        let id = try engine.add(job("a"))
        let lease = try engine.lease(id)
        engine.advance(700)
        engine.stageWrite(lease)
        try engine.commit()
        #expect(try engine.ready().isEmpty)
        #expect(try engine.queue()[.active] == 1)
        let epoch = engine.open.engine.epoch
        try engine.restart(after: 5_000)
        #expect(engine.open.engine.epoch == epoch + 1)
        let view = try engine.view(id)
        #expect(view.state == .active && view.attemptsStarted == 1 && view.startedAt == lease.startedAt)
        try engine.complete(id, .json, [1])
        #expect(try engine.view(id).attemptsStarted == 1)
    }

    @Test func `a written lease that stalls or is given back counts its start once`() throws {
        let id = try engine.add(job("a"))
        for isStall in [false, true] {
            let lease = try engine.lease(id)
            engine.stageWrite(lease)
            try engine.commit()
            if isStall { engine.stageStall(lease) } else { engine.stageReturn(lease) }
            try engine.commit()
        }
        let view = try engine.view(id)
        #expect(view.state == .waiting && view.attemptsStarted == 2 && view.stalledCount == 1)
    }

    @Test func `what comes with an old token is fenced and changes nothing`() throws {
        let id = try engine.add(job("a"))
        let lease = try engine.lease(id)
        engine.stageWrite(lease)
        try engine.commit()
        var old = lease
        old.token = LeaseToken(lease.token.rawValue - 1)
        let before = try engine.view(id)
        let complete = engine.stageComplete(old)
        let fail = engine.stageFail(old)
        try engine.commit()
        #expect(engine.session.code(complete) == .fenced && engine.session.code(fail) == .fenced)
        var after = try engine.view(id)
        after.commit = before.commit
        #expect(after == before)
    }

    @Test func `a completion said twice in one batch is fenced the second time`() throws {
        let id = try engine.add(job("a"))
        let lease = try engine.lease(id)
        let first = engine.stageComplete(lease, .json, [1])
        let second = engine.stageComplete(lease, .json, [2])
        let third = engine.stageFail(lease)
        try engine.commit()
        #expect([first, second, third].map { engine.session.code($0) } == [.ok, .fenced, .fenced])
        #expect(try engine.view(id).outcome == .result(.json, [1]))
        #expect(engine.result.freedSlots == [lease.slot, lease.slot, lease.slot])
    }

    @Test func `readers see a leased job as active, written or not`() throws {
        let flow = try engine.add(.flow([job("a"), job("b")]))
        let lease = try engine.lease(flow["a"])
        #expect(try engine.queue()[.active] == 1 && engine.queue()[.waiting] == 1)
        #expect(try engine.flow(flow.flow).counts[.active] == 1)
        var view = try engine.view(flow["a"])
        #expect(view.state == .active && view.attemptsStarted == 1 && view.startedAt == lease.startedAt)
        engine.stageWrite(lease)
        try engine.commit()
        #expect(try engine.queue()[.active] == 1 && engine.queue()[.waiting] == 1)
        view = try engine.view(flow["a"])
        #expect(view.state == .active && view.attemptsStarted == 1)
    }

    @Test func `elapsed time goes on over a stop, at most seven days, and never back`() throws {
        let id = try engine.add(job("a") { $0.delay = 6 * 86_400_000 })
        try engine.restart(after: 86_400_000)
        #expect(try engine.view(id).dueIn == 5 * 86_400_000)
        let elapsed = engine.open.engine.elapsed
        try engine.restart(after: 30 * 86_400_000)
        #expect(engine.open.engine.elapsed == elapsed + 7 * 86_400_000)
        engine.wall -= 40 * 86_400_000
        try engine.restart()
        #expect(engine.open.engine.elapsed == elapsed + 7 * 86_400_000)
        try engine.promote()
        #expect(try engine.state(id) == .waiting)
    }
}

@Suite(.computing) struct SessionTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    private func stageAdds(_ count: Int, _ session: TestSession) {
        for _ in 0..<count { engine.stageAdd([.single(job("a"))], session) }
    }

    @Test func `neighbours that went well share a run, and anything between them parts it`() throws {
        let other = try engine.openSession()
        stageAdds(6, engine.session)
        try engine.commit()
        let leases = try engine.lease("q", 6)
        engine.stageComplete(leases[0])
        engine.stageComplete(leases[1])
        engine.stageAdd([.single(job("b"))], other)
        engine.stageComplete(leases[2])
        engine.stageComplete(leases[2])
        engine.stageComplete(leases[3])
        engine.stageComplete(leases[4])
        try engine.commit()
        let bytes = engine.session.unconfirmed.last!.bytes
        let applied = try Applied(body: bytes.rawSpan)
        #expect(applied.outcomes.map(\.count) == [2, 1, 1, 2])
        #expect(applied.outcomes.map(\.index) == [0, 3, 4, 5])
        #expect(applied.outcomes.map(\.status) == [0, 0, ErrorCode.fenced.rawValue, 0])
        #expect(applied.outcomes.map(\.sequence) == [7, 9, 10, 11])
        #expect(other.outcomes[1]?.index == 2)
    }

    @Test func `a thousand completions are one run`() throws {
        engine.checks = false
        stageAdds(1_000, engine.session)
        try engine.commit()
        for lease in try engine.lease("q", 1_000) { engine.stageComplete(lease) }
        try engine.commit()
        #expect(engine.result.outcomes.count == 1 && engine.result.outcomes[0].runs.count == 12 + 22)
    }

    @Test func `a refusal by the loop uses up its number and keeps its words`() throws {
        let sequence = engine.session.draw()
        let body = engine.batch.keep(Array("too long".utf8).rawSpan)
        engine.stage(.refuse, engine.session) {
            $0.sequence = sequence
            $0.status = .resultTooLarge
            $0.body = body
        }
        try engine.commit()
        #expect(engine.session.code(sequence) == .resultTooLarge)
        #expect(try ErrorBody(reading: engine.session.outcomes[sequence]!.body).message == "too long")
    }

    @Test func `a resumed session is told what it has not confirmed, and no more`() throws {
        for count in [3, 2, 4] {
            stageAdds(count, engine.session)
            try engine.commit()
        }
        #expect(try engine.resume(engine.session).applied == 9)
        #expect(try engine.resume(engine.session).bodies == engine.session.unconfirmed.map(\.bytes))
        #expect(try engine.resume(engine.session, above: 3).bodies.count == 2)
        // A body that is only partly known is sent whole.
        #expect(try engine.resume(engine.session, above: 4).bodies.count == 2)
        #expect(try engine.resume(engine.session, above: 9).bodies.isEmpty)
        engine.confirm(engine.session, upTo: 4)
        try engine.commit()
        #expect(try engine.resume(engine.session).bodies.count == 2)
        engine.confirm(engine.session, upTo: 9)
        try engine.commit()
        try engine.restart()
        #expect(try engine.resume(engine.session).applied == 9)
        #expect(try engine.resume(engine.session).bodies.isEmpty)
        stageAdds(1, engine.session)
        try engine.commit()
        #expect(try engine.resume(engine.session).applied == 10)
    }

    @Test func `to confirm what was never applied confirms what was`() throws {
        stageAdds(2, engine.session)
        try engine.commit()
        engine.confirm(engine.session, upTo: 1_000)
        try engine.commit()
        #expect(try engine.resume(engine.session).applied == 2)
        stageAdds(1, engine.session)
        try engine.commit()
        #expect(try engine.resume(engine.session).bodies.count == 1)
    }

    @Test func `sessions next to one another do not mix`() throws {
        let others = [try engine.openSession(), try engine.openSession()]
        for _ in 0..<3 {
            for session in [engine.session] + others { stageAdds(2, session) }
            try engine.commit()
        }
        for session in [engine.session] + others {
            let told = try engine.resume(session)
            #expect(told.applied == 6 && told.bodies == session.unconfirmed.map(\.bytes))
        }
    }

    @Test func `an ended session leaves nothing, and what it sent before counts`() throws {
        let other = try engine.openSession()
        stageAdds(2, other)
        try engine.commit()
        stageAdds(1, other)
        engine.stage(.endSession, other)
        try engine.commit()
        #expect(engine.result.endedSessions == [other.slot] && engine.result.outcomes.isEmpty)
        #expect(try engine.resume(other).applied == nil && engine.resume(other).bodies.isEmpty)
        #expect(try engine.queue().total == 3)
    }

    @Test func `a session expires a day after its last sign of life`() throws {
        let (quiet, alive) = (try engine.openSession(), try engine.openSession())
        stageAdds(1, quiet)
        try engine.commit()
        engine.advance(86_400_000)
        engine.confirm(alive, upTo: 0)
        engine.stage(.expireSessions, engine.session)
        try engine.commit()
        #expect(try engine.resume(quiet).applied == 1)
        engine.advance(1)
        engine.stage(.expireSessions, engine.session)
        try engine.commit()
        #expect(try engine.resume(quiet).applied == nil && engine.resume(alive).applied == 0)
    }

    @Test func `outcomes too many for one frame are told in several bodies, in order`() throws {
        engine.checks = false
        try engine.add(job("x", id: "x"))
        // Refusals with long words: some 200 bytes each.
        let last = (0..<12_000).map { _ in
            engine.stageAdd([.single(job(String(repeating: "n", count: 200), id: "x") { $0.rejectExisting = true })])
        }.last!
        try engine.commit()
        #expect(engine.result.outcomes.count > 1)
        #expect(engine.result.outcomes.allSatisfy { $0.runs.count < 2 << 20 })
        #expect(engine.session.code(last) == .customIDExists)
        let told = try engine.resume(engine.session)
        #expect(told.applied == last && told.bodies == engine.session.unconfirmed.map(\.bytes))
        try engine.check()
    }

    @Test func `a queue is made before anybody adds to it`() throws {
        let body = engine.batch.keep(Array("new".utf8).rawSpan)
        for _ in 0..<2 { engine.stage(.makeQueue, engine.session) { $0.body = body } }
        try engine.commit()
        #expect(engine.result.newQueues.count == 1)
        #expect(try engine.queue("new").total == 0)
        let id = try engine.add(job("a", queue: "new"))
        #expect(try engine.ready("new").map(\.job) == [id])
    }
}
