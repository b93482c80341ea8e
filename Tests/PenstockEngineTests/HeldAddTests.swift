import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// What a worker adds to the job that it holds.
@Suite(.computing) struct HeldAddTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    private func leased(_ node: NodeSpec = job("h")) throws -> TestLease { try engine.lease(try engine.add(node)) }

    @Test func `a job that is given children goes on running, and its lease is kept from then on`() throws {
        let lease = try leased()
        let added = try engine.addHeld(lease, .child(job("a")), .child(job("b")))
        #expect(engine.result.freedSlots.isEmpty && engine.result.keptSlots.isEmpty)
        #expect(try engine.record(lease.job)?.state == .active)
        #expect(try engine.view(lease.job).dependencies.unprocessed == 2)
        #expect(try engine.edges(lease.job).map(\.dependency) == [added["a"], added["b"]])
        try engine.complete(added["a"])
        try engine.complete(added["b"])
        // All of them have resolved, and still nothing releases a job that runs.
        #expect(try engine.record(lease.job)?.state == .active)
        try engine.complete(lease.job)
        let view = try engine.view(lease.job)
        #expect(view.state == .completed && view.attemptsMade == 1 && view.attemptsStarted == 1)
    }

    @Test func `what is added beside a held job is no dependency of it`() throws {
        let lease = try leased()
        try engine.addHeld(lease, .single(job("a")), .flow([job("b")]))
        #expect(try engine.record(lease.job)?.state == .waiting)
        try engine.complete(lease.job)
    }

    @Test func `only the sinks of a flow become dependencies`() throws {
        let lease = try leased()
        let added = try engine.addHeld(
            lease,
            .flow([job("a"), job("b", after: [.node("a")]), job("c", after: [.node("a")])]).child()
        )
        #expect(try engine.edges(lease.job).map(\.dependency) == [added["b"], added["c"]])
        #expect(try engine.view(added["b"]).flow == added.flow && added.flow != .none)
        #expect(try engine.flow(added.flow).counts.total == 3)
    }

    @Test func `several adds hang one after the other`() throws {
        let lease = try leased()
        let first = try engine.addHeld(lease, .child(job("a")))
        let second = try engine.addHeld(lease, .child(job("b"), .ignore), .child(job("c")))
        #expect(try engine.edges(lease.job).map(\.dependency) == [first["a"], second["b"], second["c"]])
        #expect(try engine.edges(lease.job).map(\.policy) == [.failParent, .ignore, .failParent])
    }

    @Test func `with a stale token nothing is stored`() throws {
        let lease = try leased()
        engine.stageWrite(lease)
        try engine.commit()
        var stale = lease
        stale.token = LeaseToken(lease.token.rawValue + 1)
        let next = engine.open.engine.meta.nextJob
        #expect(try refusal { try engine.addHeld(stale, .child(job("a"))) } == .fenced)
        #expect(engine.open.engine.meta.nextJob == next)
        #expect(engine.result.freedSlots.isEmpty && engine.result.keptSlots.isEmpty)
        try engine.complete(lease.job)
        #expect(try refusal { try engine.addHeld(lease, .child(job("a"))) } == .fenced)
        #expect(engine.open.engine.meta.nextJob == next)
    }

    @Test func `a refused add leaves the lease as it was`() throws {
        let lease = try leased()
        let next = engine.open.engine.meta.nextJob
        let code = try refusal {
            try engine.addHeld(lease, .child(job("a")), .child(job("b", after: [.job(JobID(999))])))
        }
        #expect(code == .unknownDependency)
        #expect(try engine.record(lease.job)?.state == .waiting)
        #expect(engine.open.engine.meta.nextJob == next)
        engine.open.engine.isOverQuota = true
        #expect(try refusal { try engine.addHeld(lease, .child(job("a"))) } == .full)
        try engine.complete(lease.job)
    }

    // MARK: Stored children

    @Test func `a child that had completed counts at once, and releases nothing`() throws {
        let stored = try engine.add(job("s", id: "s"))
        try engine.complete(stored, .json, [1])
        let lease = try leased()
        let added = try engine.addHeld(lease, .child(job("s", id: "s")))
        #expect(added["s"] == stored)
        #expect(try engine.kinds(lease.job) == [.processed])
        #expect(try engine.record(lease.job)?.state == .active)
        try engine.complete(lease.job)
    }

    @Test(arguments: PolicyTests.table)
    func `a child that had failed does at once what its policy says`(row: PolicyTests.Row) throws {
        let stored = try engine.add(job("s", id: "s"))
        try engine.fail(stored)
        let lease = try leased()
        try engine.addHeld(lease, .child(job("s", id: "s"), row.policy), .child(job("other")))
        #expect(try engine.kinds(lease.job) == row.kinds)
        let view = try engine.view(lease.job)
        if row.policy == .failParent {
            #expect(view.state == .failed && view.cause == .dependency && view.attemptsMade == 1)
            #expect(engine.revoked == [lease.job])
        } else {
            #expect(view.state == .active && view.attemptsMade == 0 && engine.revoked.isEmpty)
        }
    }

    @Test func `an edge that is stored is not new, and a new one can't be given twice`() throws {
        let lease = try leased()
        try engine.addHeld(lease, .child(job("s", id: "s").keyed("k")))
        try engine.addHeld(lease, .child(job("s", id: "s")))
        try engine.addHeld(lease, .child(job("other").keyed("k")))
        #expect(try engine.edges(lease.job).count == 1)
        try engine.addHeld(lease, .flow([job("n", id: "n").keyed("n"), job("m", after: [.node("n")])]).child())
        let code = try refusal { try engine.addHeld(lease, .child(job("p").keyed("n")), .child(job("q", id: "n"))) }
        #expect(code == .duplicateDependency)
        #expect(try engine.edges(lease.job).count == 2)
    }

    @Test func `a child that leads back to the job is refused as a cycle`() throws {
        let flow = try engine.add(.flow([job("h", id: "h"), job("up", after: [.node("h")], id: "up")]))
        let lease = try engine.lease(flow["h"])
        #expect(try refusal { try engine.addHeld(lease, .child(job("up", id: "up"))) } == .cycle)
        #expect(try refusal { try engine.addHeld(lease, .child(job("a", after: [.job(lease.job)]))) } == .cycle)
        #expect(try refusal { try engine.addHeld(lease, .child(job("h", id: "h"))) } == .selfReference)
        let through = try refusal {
            try engine.addHeld(
                lease,
                .flow([job("a", after: [.job(flow["up"])]), job("b", after: [.node("a")])]).child()
            )
        }
        #expect(through == .cycle)
        // Beside the job, what waits for it is welcome.
        let added = try engine.addHeld(lease, .single(job("after", after: [.job(lease.job)])))
        try engine.complete(lease.job)
        #expect(try engine.state(added["after"]) == .waiting)
    }

    // MARK: Keys

    @Test func `a later attempt that adds a child's key again gets the stored job`() throws {
        let lease = try leased(job("h") { $0.attempts = 2 })
        let first = try engine.addHeld(lease, .child(job("a").keyed("k")), .child(job("b").keyed("l")))
        try engine.complete(first["a"])
        try engine.fail(lease.job)
        #expect(try engine.state(lease.job) == .waitingChildren)
        try engine.complete(first["b"])
        let again = try engine.lease(lease.job)
        let second = try engine.addHeld(again, .child(job("a").keyed("k")), .child(job("c").keyed("m")))
        #expect(second["a"] == first["a"])
        #expect(second.items[0].existing.map(\.job) == [first["a"]])
        #expect(try engine.kinds(lease.job) == [.processed, .processed, .unprocessed])
    }

    @Test func `keys belong to their job`() throws {
        let (one, two) = (try leased(job("h")), try leased(job("i")))
        let first = try engine.addHeld(one, .child(job("a").keyed("k")))
        let second = try engine.addHeld(two, .child(job("a").keyed("k")))
        #expect(first["a"] != second["a"])
    }

    @Test func `a key names the stored job of a custom id, too`() throws {
        let stored = try engine.add(job("s", id: "s"))
        let lease = try leased()
        let first = try engine.addHeld(lease, .child(job("s", id: "s").keyed("k")))
        let second = try engine.addHeld(lease, .child(job("other").keyed("k")))
        #expect(first["s"] == stored && second["other"] == stored)
    }

    @Test func `a child that its key finds is not refused for its custom id, which still stands once in an add`() throws
    {
        let lease = try leased()
        let node = job("a", id: "x") { $0.rejectExisting = true }.keyed("k")
        let first = try engine.addHeld(lease, .child(node))
        #expect(try engine.addHeld(lease, .child(node))["a"] == first["a"])
        let code = try refusal { try engine.addHeld(lease, .child(node), .child(job("b", id: "x"))) }
        #expect(code == .duplicateCustomID)
    }

    @Test func `two nodes with one key are refused`() throws {
        let lease = try leased()
        let code = try refusal {
            try engine.addHeld(lease, .child(job("a").keyed("k")), .child(job("b").keyed("k")))
        }
        #expect(code == .duplicateCustomID)
    }

    @Test func `the keys of a job can be deleted, and no other's`() throws {
        let (one, two) = (try leased(job("h")), try leased(job("i")))
        try engine.addHeld(one, .child(job("a").keyed("k")), .child(job("b")), .child(job("c").keyed("l")))
        try engine.addHeld(two, .child(job("a").keyed("k")))
        #expect(try engine.dump().childKeys.map(\.parent) == [one.job, one.job, two.job])
        try engine.open.deleteChildKeys(of: one.job)
        #expect(try engine.dump().childKeys.map(\.parent) == [two.job])
    }

    @Test func `a finished child with a key is kept while the job that it was added under is unfinished`() throws {
        engine.retention = RetentionRules(completed: Retention(count: 0), failed: Retention(count: 0))
        let lease = try leased()
        let specs: [ItemSpec] = [
            .flow([job("a").keyed("a"), job("b", after: [.node("a")]).keyed("b")]).child(),
            .child(job("c").keyed("c"), .remove), .child(job("d")),
        ]
        let first = try engine.addHeld(lease, specs[0], specs[1], specs[2])
        for name in ["a", "b"] { try engine.complete(first[name]) }
        // Its edge is gone: nothing but the key names it.
        try engine.fail(first["c"])
        engine.advance(60_000)
        try engine.retain()
        #expect(try engine.present([first["a"], first["b"], first["c"]]).count == 3)
        let second = try engine.addHeld(lease, specs[0], specs[1])
        for name in ["a", "b", "c"] { #expect(second[name] == first[name]) }
        try engine.complete(first["d"])
        try engine.complete(lease.job)
        engine.advance(60_000)
        try engine.retain()
        try engine.retain()
        #expect(try engine.stored() == [])
        #expect(try engine.dump().childKeys.isEmpty && engine.dump().keyHolders.isEmpty)
    }

    // MARK: Flows

    @Test func `a job added alone belongs to the flow of the job whose worker added it`() throws {
        let flow = try engine.add(.flow([job("h"), job("z")]))
        let lease = try engine.lease(flow["h"])
        let added = try engine.addHeld(lease, .child(job("a")), .single(job("b")), .flow([job("c")]).child())
        #expect(added.items.map { $0.flow != .none } == [false, false, true])
        #expect(try engine.view(added["a"]).flow == flow.flow && engine.view(added["b"]).flow == flow.flow)
        #expect(try engine.view(added["c"]).flow != flow.flow)
        #expect(try engine.flow(flow.flow).counts.total == 4)
        for name in ["a", "c"] { try engine.complete(added[name]) }
        try engine.complete(flow["h"])
        try engine.complete(flow["z"])
        #expect(try engine.flow(flow.flow).status == .running)
        try engine.complete(added["b"])
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `of what was added alone, only what nobody waits for can fail the flow`() throws {
        let flow = try engine.add(.flow([job("h")]))
        let lease = try engine.lease(flow["h"])
        let added = try engine.addHeld(
            lease,
            .child(job("child"), .ignore),
            .single(job("first")),
            .single(job("second", after: [.node("first", .ignore)]))
        )
        for name in ["child", "first"] { try engine.fail(added[name]) }
        try engine.complete(flow["h"])
        try engine.complete(added["second"])
        #expect(try engine.flow(flow.flow).status == .completed)
        let other = try engine.add(.flow([job("h")]))
        let beside = try engine.addHeld(try engine.lease(other["h"]), .single(job("beside")))
        try engine.fail(beside["beside"])
        try engine.complete(other["h"])
        #expect(try engine.flow(other.flow).status == .failed)
    }

    @Test func `a job of the flow that is made a child of another one is no sink any more`() throws {
        let flow = try engine.add(.flow([job("h"), job("s", id: "s"), job("t", id: "t")]))
        let lease = try engine.lease(flow["h"])
        try engine.fail(flow["t"])
        try engine.addHeld(
            lease,
            .child(job("s", id: "s"), .ignore),
            .single(job("u", after: [.job(flow["t"], .ignore)]))
        )
        try engine.fail(flow["s"])
        try engine.complete(flow["h"])
        try engine.complete(try engine.lease("q")[0].job)
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test func `a job that belongs to no flow gives none`() throws {
        let added = try engine.addHeld(try leased(), .child(job("a")), .single(job("b")))
        #expect(try engine.view(added["a"]).flow == .none && engine.view(added["b"]).flow == .none)
    }

    @Test func `a flow that is cancelled takes along what was added to it`() throws {
        let flow = try engine.add(.flow([job("h"), job("z")]))
        let added = try engine.addHeld(try engine.lease(flow["h"]), .child(job("a")), .single(job("b")))
        engine.checks = false
        var writer = WireWriter()
        Cancel(sequence: engine.session.draw(), target: .flow(flow.flow), reason: "").encode(into: &writer)
        let body = engine.batch.keep(writer.span)
        engine.stage(.cancel, engine.session) {
            $0.sequence = engine.session.next - 1
            $0.body = body
        }
        try engine.commit()
        #expect(try engine.states(added, "a", "b") == [.cancelled, .cancelled])
        #expect(try engine.flow(flow.flow).status == .cancelled)
        #expect(engine.revoked == [flow["h"]])
    }
}
