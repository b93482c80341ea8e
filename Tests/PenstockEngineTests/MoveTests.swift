import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// A worker puts its job off, or ends its attempt while the job waits for what it added.
@Suite(.computing) struct MoveTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    private func leased(_ node: NodeSpec = job("h")) throws -> TestLease { try engine.lease(try engine.add(node)) }

    // MARK: To waiting-children

    @Test func `a job that is moved waits for its children and runs again at its place, with its new data`() throws {
        let lease = try leased(job("h", data: [1]))
        let added = try engine.addHeld(lease, .child(job("a", queue: "r")), .child(job("b", queue: "r")))
        let later = try engine.add(job("later"))
        #expect(try engine.move(lease, data: Payload(.json, [2, 3])))
        #expect(engine.result.freedSlots == [lease.slot] && engine.result.keptSlots.isEmpty)
        #expect(try engine.state(lease.job) == .waitingChildren)
        try engine.complete(added["a"])
        #expect(try engine.state(lease.job) == .waitingChildren)
        try engine.complete(added["b"])
        #expect(try engine.ready().map(\.job) == [lease.job, later])
        let view = try engine.view(lease.job)
        #expect(view.attemptsMade == 0 && view.attemptsStarted == 1)
        #expect(view.data == [2, 3] && view.contentType == .json)
        try engine.complete(lease.job, .json, [9])
        #expect(try engine.view(lease.job).attemptsStarted == 2)
    }

    @Test func `where nothing is pending the lease goes on, and the data is kept all the same`() throws {
        let lease = try leased()
        #expect(try !engine.move(lease))
        #expect(engine.result.keptSlots == [lease.slot] && engine.result.freedSlots.isEmpty)
        let added = try engine.addHeld(lease, .child(job("a")))
        try engine.complete(added["a"])
        #expect(try !engine.move(lease, data: Payload(.binary, [7])))
        let view = try engine.view(lease.job)
        #expect(view.state == .active && view.data == [7])
        try engine.complete(lease.job)
        #expect(try engine.view(lease.job).attemptsStarted == 1)
    }

    @Test func `a handler takes its steps in as many attempts, and its data says where it stands`() throws {
        var lease = try leased(job("h", data: [0]))
        let id = lease.job
        for step in 1...3 as ClosedRange<UInt8> {
            #expect(try engine.view(id).data == [step - 1])
            let added = try engine.addHeld(lease, .child(job("step").keyed("step \(step)")))
            #expect(try engine.move(lease, data: Payload(.binary, [step])))
            try engine.complete(added["step"])
            lease = try engine.lease(id)
        }
        try engine.complete(id)
        let view = try engine.view(id)
        #expect(view.attemptsStarted == 4 && view.attemptsMade == 1 && view.dependencies.processed == 3)
    }

    @Test func `a child that completes in the batch of the move makes the job ready again`() throws {
        let lease = try leased()
        let added = try engine.addHeld(lease, .child(job("a")))
        engine.stageMove(lease)
        engine.stageComplete(try engine.lease(added["a"]))
        try engine.commit()
        #expect(try engine.ready().map(\.job) == [lease.job])
        #expect(engine.result.freedSlots.count == 2)
    }

    @Test func `with a stale token nothing moves, and the slot is free`() throws {
        let lease = try leased()
        engine.stageWrite(lease)
        try engine.commit()
        var stale = lease
        stale.token = LeaseToken(lease.token.rawValue + 1)
        let sequence = engine.stageMove(stale, to: .delayed, delay: 5, data: Payload(.binary, [1]))
        try engine.commit()
        #expect(engine.session.code(sequence) == .fenced)
        #expect(engine.result.freedSlots == [lease.slot])
        #expect(try engine.view(lease.job).data == [])
    }

    @Test func `a job that continued without some dependencies waits for them again when it is moved`() throws {
        let flow = try engine.add(
            .flow([
                job("bad"), job("held"), job("slow"),
                job("d", after: [.node("bad", .continue), .node("held", .wait), .node("slow")]),
            ])
        )
        try engine.fail(flow["held"])
        try engine.fail(flow["bad"])
        let lease = try engine.lease(flow["d"])
        #expect(try engine.move(lease))
        #expect(try engine.state(flow["d"]) == .waitingChildren)
        #expect(try engine.record(flow["d"])?.dependencies.counting == 2)
        try engine.complete(flow["slow"])
        #expect(try engine.state(flow["d"]) == .waitingChildren)
        #expect(try engine.flow(flow.flow).status == .blocked)
    }

    @Test(arguments: [true, false])
    func `a child that is retried holds its parent no more`(isDetached: Bool) throws {
        // The checker knows no retries: an edge that was detached keeps what happened to it.
        engine.checks = false
        let flow = try engine.add(.flow([job("h") { $0.attempts = 2 }]))
        var lease = try engine.lease(flow["h"])
        let added = try engine.addHeld(lease, .child(job("held"), .wait), .child(job("go"), .continue))
        try engine.fail(added["held"])
        if isDetached {
            #expect(try engine.move(lease))
            try engine.fail(added["go"])
            lease = try engine.lease(flow["h"])
        }
        let retry = engine.session.draw()
        var writer = WireWriter()
        Retry(sequence: retry, target: .job(added["held"])).encode(into: &writer)
        let body = engine.batch.keep(writer.span)
        engine.stage(.retry, engine.session) {
            $0.sequence = retry
            $0.body = body
        }
        try engine.commit()
        #expect(engine.session.code(retry) == .ok)
        #expect(try engine.move(lease))
        #expect(try engine.record(flow["h"])?.dependencies.held == 0)
        try engine.complete(added["held"])
        #expect(try engine.state(flow["h"]) == (isDetached ? .waiting : .waitingChildren))
    }

    // MARK: To delayed

    @Test func `a job that is moved to delayed comes back at its place, with no attempt made`() throws {
        let lease = try leased()
        let later = try engine.add(job("later"))
        #expect(try engine.move(lease, to: .delayed, delay: 1_000, data: Payload(.binary, [5])))
        let view = try engine.view(lease.job)
        #expect(view.state == .delayed && view.dueIn == 1_000 && view.attemptsMade == 0 && view.attemptsStarted == 1)
        engine.advance(1_000)
        try engine.promote()
        #expect(try engine.ready().map(\.job) == [lease.job, later])
        #expect(try engine.view(lease.job).data == [5])
        let again = try engine.lease(lease.job)
        #expect(try engine.move(again, to: .delayed))
        #expect(try engine.state(lease.job) == .waiting)
    }

    @Test func `a job that is moved to delayed while an edge counts waits first, and its delay begins at the release`()
        throws
    {
        let lease = try leased()
        let added = try engine.addHeld(lease, .child(job("a")))
        #expect(try engine.move(lease, to: .delayed, delay: 1_000))
        #expect(try engine.state(lease.job) == .waitingChildren)
        engine.advance(5_000)
        try engine.complete(added["a"])
        let view = try engine.view(lease.job)
        #expect(view.state == .delayed && view.dueIn == 1_000)
    }

    @Test func `the delay of its options comes before a job's first attempt only`() throws {
        let flow = try engine.add(.flow([job("a"), job("h", after: [.node("a")]) { $0.delay = 100 }]))
        try engine.complete(flow["a"])
        #expect(try engine.state(flow["h"]) == .delayed)
        engine.advance(100)
        try engine.promote()
        let lease = try engine.lease(flow["h"])
        let added = try engine.addHeld(lease, .child(job("b")))
        #expect(try engine.move(lease))
        try engine.complete(added["b"])
        #expect(try engine.state(flow["h"]) == .waiting)
    }

    // MARK: Other ends of an attempt

    @Test func `an attempt that completes while children are unresolved has failed, and is retried when they are`()
        throws
    {
        let lease = try leased(job("h") { $0.attempts = 2 })
        let added = try engine.addHeld(lease, .child(job("a")))
        let sequence = engine.stageComplete(lease, .json, [1])
        try engine.commit()
        #expect(engine.session.code(sequence) == .unresolvedDependencies)
        #expect(engine.result.freedSlots == [lease.slot])
        let view = try engine.view(lease.job)
        #expect(view.state == .waitingChildren && view.attemptsMade == 1 && view.cause == .error)
        guard case .failure(let message, _) = view.outcome else { throw BrokenInvariants(problems: ["no reason"]) }
        #expect(message.contains("unresolved"))
        try engine.complete(added["a"])
        try engine.complete(lease.job)
        #expect(try engine.state(lease.job) == .completed)
    }

    @Test func `the last attempt that completes while children are unresolved fails the job, and they go on`() throws {
        let flow = try engine.add(.flow([job("h"), job("up", after: [.node("h")])]))
        let lease = try engine.lease(flow["h"])
        let added = try engine.addHeld(lease, .child(job("a")))
        engine.stageComplete(lease)
        try engine.commit()
        #expect(try engine.states(flow, "h", "up") == [.failed, .failed])
        #expect(try engine.view(flow["h"]).cause == .error)
        try engine.complete(added["a"])
        #expect(try engine.kinds(flow["h"]) == [.processed])
        #expect(try engine.state(flow["h"]) == .failed)
    }

    @Test(arguments: ["retry", "stall", "return"])
    func `every return of a job goes to waiting-children while an edge counts`(way: String) throws {
        let lease = try leased(
            job("h") {
                $0.attempts = 3
                $0.backoff = Backoff(kind: .fixed, delay: 700, maximum: 0, jitter: 0)
            }
        )
        let added = try engine.addHeld(lease, .child(job("a")))
        switch way {
        case "retry": engine.stageFail(lease)
        case "stall": engine.stageStall(lease)
        default: engine.stageReturn(lease)
        }
        try engine.commit()
        #expect(try engine.state(lease.job) == .waitingChildren)
        try engine.complete(added["a"])
        // A backoff begins at the release.
        #expect(try engine.view(lease.job).dueIn == (way == "retry" ? 700 : 0))
        #expect(try engine.state(lease.job) == (way == "retry" ? .delayed : .waiting))
    }

    @Test(arguments: PolicyTests.table, [true, false])
    func `a child that fails does what its policy says, whether its parent runs or waits`(
        row: PolicyTests.Row,
        isWaiting: Bool
    ) throws {
        let lease = try leased(job("h") { $0.attempts = 5 })
        let added = try engine.addHeld(lease, .child(job("bad"), row.policy), .child(job("other")))
        if isWaiting { #expect(try engine.move(lease)) }
        try engine.fail(added["bad"])
        #expect(try engine.kinds(lease.job) == row.kinds)
        let view = try engine.view(lease.job)
        if isWaiting {
            #expect(view.state == row.state && view.attemptsMade == 0)
        } else if row.policy == .failParent {
            // Its attempt ends, and there is no other.
            #expect(view.state == .failed && view.cause == .dependency && view.attemptsMade == 1)
            #expect(engine.revoked == [lease.job])
            let late = engine.stageComplete(lease)
            try engine.commit()
            #expect(engine.session.code(late) == .fenced)
        } else {
            #expect(view.state == .active && engine.revoked.isEmpty)
            // Only an edge that counts keeps it from completing; `continue` has let go of them.
            let code = engine.stageComplete(lease)
            try engine.commit()
            #expect(engine.session.code(code) == (row.policy == .continue ? .ok : .unresolvedDependencies))
        }
    }

    // MARK: Complete and add

    @Test func `a job completes and what follows it is added, in one transaction`() throws {
        let flow = try engine.add(.flow([job("h")]))
        let lease = try engine.lease(flow["h"])
        let added = try engine.complete(
            lease,
            result: Payload(.json, [4, 2]),
            adding: .single(job("next")),
            .flow([job("x"), job("y", after: [.node("x")])])
        )
        #expect(engine.result.freedSlots == [lease.slot] && engine.result.keptSlots.isEmpty)
        #expect(try engine.view(lease.job).outcome == .result(.json, [4, 2]))
        #expect(try engine.view(added["next"]).flow == flow.flow)
        // The flow goes on with what was added: it was not finished in between.
        #expect(engine.result.finishedFlows.isEmpty)
        #expect(try engine.flow(flow.flow).status == .running)
        try engine.complete(added["next"])
        #expect(engine.result.finishedFlows == [flow.flow])
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `what follows may depend on the job that completes`() throws {
        let lease = try leased()
        let added = try engine.complete(lease, adding: .single(job("next", after: [.job(lease.job)])))
        #expect(try engine.state(added["next"]) == .waiting)
        #expect(try engine.kinds(added["next"]) == [.processed])
    }

    @Test func `where the add is refused, the job has not completed, and its worker goes on`() throws {
        let lease = try leased()
        let next = engine.open.engine.meta.nextJob
        let code = try refusal { try engine.complete(lease, adding: .single(job("a", after: [.job(JobID(99))]))) }
        #expect(code == .unknownDependency)
        #expect(engine.result.keptSlots == [lease.slot] && engine.result.freedSlots.isEmpty)
        engine.open.engine.isOverQuota = true
        #expect(try refusal { try engine.complete(lease, adding: .single(job("a"))) } == .full)
        #expect(engine.result.keptSlots == [lease.slot])
        engine.open.engine.isOverQuota = false
        #expect(engine.open.engine.meta.nextJob == next)
        try engine.complete(lease, adding: .single(job("a")))
        #expect(try engine.state(lease.job) == .completed)
        #expect(try refusal { try engine.complete(lease, adding: .single(job("a"))) } == .fenced)
    }

    @Test func `a completion with an add fails the attempt where children are unresolved, and adds nothing`() throws {
        let lease = try leased()
        try engine.addHeld(lease, .child(job("a")))
        let next = engine.open.engine.meta.nextJob
        let code = try refusal { try engine.complete(lease, adding: .single(job("b"))) }
        #expect(code == .unresolvedDependencies)
        #expect(engine.result.freedSlots == [lease.slot])
        #expect(engine.open.engine.meta.nextJob == next)
        #expect(try engine.state(lease.job) == .failed)
    }

    @Test func `the effects of what follows can't come to the job that completes`() throws {
        let bad = try engine.add(job("bad"))
        try engine.fail(bad)
        let flow = try engine.add(
            .flow([job("h"), job("d", after: [.node("h")], id: "d") { $0.cancelSiblings = true }])
        )
        let lease = try engine.lease(flow["h"])
        // The dependent fails by the add; it would cancel what only it needs.
        try engine.complete(lease, adding: .single(job("d", after: [.job(bad)], id: "d")))
        #expect(try engine.states(flow, "h", "d") == [.completed, .failed])
        #expect(engine.revoked.isEmpty)
    }

    // MARK: Restarts

    @Test func `children and the lease of their parent are there after a restart`() throws {
        let lease = try leased()
        let added = try engine.addHeld(lease, .child(job("a").keyed("k")))
        try engine.restart(after: 1_000)
        #expect(try engine.state(lease.job) == .active)
        let again = try #require(engine.leases[lease.job])
        #expect(try engine.addHeld(again, .child(job("a").keyed("k")))["a"] == added["a"])
        #expect(try engine.move(again))
        try engine.restart()
        try engine.complete(added["a"])
        try engine.complete(lease.job)
    }

    @Test func `a batch that is not committed ends no lease`() {
        var leases = LeaseSet()
        leases.apply([SlotChange(slot: 0, job: JobID(1)), SlotChange(slot: 1, job: JobID(2))])
        leases.end(0, of: JobID(1))
        leases.end(1, of: JobID(3))
        #expect(leases.jobs == [.none, JobID(2)])
        leases.undo()
        #expect(leases.jobs == [JobID(1), JobID(2)])
        leases.end(0, of: JobID(1))
        leases.begin()
        leases.undo()
        #expect(leases.jobs == [.none, JobID(2)])
    }
}
