import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Delayed jobs that need not wait any longer.
@Suite(.computing) struct PromotionTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    @Test func `a promoted job is ready, behind those of its priority that were ready before`() throws {
        let late = try engine.add(job("late") { $0.delay = 1000 })
        let first = try engine.add(job("first"))
        #expect(try engine.promoteNow(.job(late)) == 1)
        let after = try engine.add(job("after"))
        #expect(try engine.ready().map(\.job) == [first, late, after])
        #expect(try engine.view(late).dueIn == 0)
        engine.advance(2000)
        try engine.promote()
        #expect(try engine.ready().count == 3)
    }

    @Test func `only a delayed job can be promoted`() throws {
        let flow = try engine.add(.flow([job("a"), job("b", after: [.node("a")])]))
        #expect(try refusal { try engine.promoteNow(.job(flow["a"])) } == .wrongState)
        #expect(try refusal { try engine.promoteNow(.job(flow["b"])) } == .wrongState)
        _ = try engine.lease(flow["a"])
        #expect(try refusal { try engine.promoteNow(.job(flow["a"])) } == .wrongState)
        #expect(try refusal { try engine.promoteNow(.job(JobID(99))) } == .jobNotFound)
    }

    @Test func `a job that waits for its next attempt can be promoted`() throws {
        let id = try engine.add(job("a") { $0.attempts = 2 })
        try engine.fail(id, delay: 60_000)
        #expect(try engine.state(id) == .delayed)
        try engine.promoteNow(.job(id))
        try engine.complete(id)
    }

    @Test func `all delayed jobs of a queue are promoted, first due first, and none of another`() throws {
        let ids = try [300, 100, 200].map { delay in try engine.add(job("\(delay)") { $0.delay = UInt64(delay) }) }
        let other = try engine.add(job("other", queue: "o") { $0.delay = 50 })
        #expect(try engine.promoteNow(.queue("q")) == 3)
        #expect(try engine.ready().map(\.job) == [ids[1], ids[2], ids[0]])
        #expect(try engine.state(other) == .delayed)
        #expect(try engine.promoteNow(.queue("q")) == 0)
        #expect(try refusal { try engine.promoteNow(.queue("none")) } == .queueNotFound)
    }

    @Test func `very many are promoted in slices, and over a restart`() throws {
        engine.limits.steps = 10
        engine.limits.sliceSteps = 5
        for index in 0..<40 { try engine.add(job("\(index)") { $0.delay = 1000 + UInt64(index) }) }
        let count = try engine.promoteNow(.queue("q"))
        #expect(count < 40)
        // Neither one that is due before all others nor one that is due behind them is in its way.
        let early = try engine.add(job("early") { $0.delay = 1 })
        let late = try engine.add(job("late") { $0.delay = 5000 })
        try engine.restart()
        try engine.settle()
        #expect(try engine.ready().count == 40)
        #expect(try [early, late].map { try engine.state($0) } == [.delayed, .delayed])
    }
}
