import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Removals that do not fit one transaction.
@Suite(.computing) struct LargeRemovalTests {
    let engine: EngineHarness
    init() throws {
        engine = try EngineHarness()
        engine.checks = false
    }

    /// A job over `mids`, each of which depends on all of `leaves`.
    private func dense(_ leaves: Int, _ mids: Int) throws -> Added {
        let below = (0..<leaves).map { NodeSpec.Dependency.index($0) }
        let middle = (0..<mids).map { job("mid-\($0)", queue: "m", after: below) }
        let top = job("top", queue: "t", after: (leaves..<leaves + mids).map { .index($0) })
        return try engine.add(.flow((0..<leaves).map { job("leaf-\($0)") } + middle + [top]))
    }

    @Test func `a large removal is carried out in slices, over a restart, and nobody sees half of it`() throws {
        let flow = try dense(200, 120)
        #expect(try engine.remove(flow["top"]) == 321)
        #expect(engine.isCarryingOn)
        #expect(try engine.flow(flow.flow).status == .settling)
        #expect(try refusal { try engine.remove(flow["leaf-3"]) } == .settling)
        #expect(try refusal { try engine.remove(.flow(flow.flow)) } == .settling)
        let other = try engine.add(job("other"))
        try engine.remove(other)
        for _ in 0..<3 {
            engine.stage(.carryOn, engine.session)
            try engine.commit()
            try engine.restart()
        }
        #expect(engine.isCarryingOn)
        #expect(try engine.carryOnToTheEnd() > 1)
        #expect(engine.result.finishedFlows.contains(flow.flow))
        #expect(try engine.stored() == [])
        #expect(try refusal { _ = try engine.flow(flow.flow) } == .flowNotFound)
        try engine.check()
        #expect(try engine.dump().edges.isEmpty)
    }

    @Test func `a large flow is removed in slices, and none of its jobs is released meanwhile`() throws {
        let flow = try dense(200, 120)
        let outside = try engine.add(job("outside", after: [.job(flow["leaf-0"]), .job(flow["top"])]))
        #expect(try engine.remove(.flow(flow.flow)) == 321)
        #expect(engine.isCarryingOn)
        #expect(engine.result.ready.isEmpty)
        while engine.isCarryingOn {
            engine.stage(.carryOn, engine.session)
            try engine.commit()
            #expect(engine.result.ready.map(\.job).allSatisfy { $0 == outside })
        }
        #expect(try engine.stored() == [outside])
        #expect(try engine.state(outside) == .waiting)
        try engine.check()
    }

    @Test func `very many dependents are released in slices, and those with a result keep it`() throws {
        let base = try engine.add(job("base"))
        var first: [JobID] = []
        for round in 0..<3 {
            let added = try engine.add(
                .flow((0..<9_000).map { job("\(round)-\($0)", queue: "d", after: [.job(base)]) })
            )
            first.append(added["\(round)-0"])
        }
        #expect(try engine.remove(base) == 1)
        #expect(try refusal { _ = try engine.view(base) } == .jobNotFound)
        #expect(try engine.queue("d")[.waitingChildren] > 0)
        try engine.restart()
        try engine.carryOnToTheEnd()
        #expect(try engine.queue("d")[.waiting] == 27_000)
        #expect(try engine.present(first) == first)
        #expect(try engine.dump().jobs[base] == nil)
        try engine.check()
    }

    @Test func `a removal that would look at too much is refused, and the flow can be removed`() throws {
        let flow = try dense(1_000, 101)
        let before = try engine.untouched()
        #expect(try refusal { try engine.remove(flow["top"]) } == .effectTooLarge)
        #expect(try engine.untouched() == before)
        #expect(try engine.remove(flow["top"], keepingDependencies: true) == 1)
        #expect(try engine.remove(.flow(flow.flow)) == 1_101)
        try engine.carryOnToTheEnd()
        #expect(try engine.stored() == [])
        try engine.check()
    }
}
