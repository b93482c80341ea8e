import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

@Suite(.computing) struct OrderTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    private func ready() throws -> [String] { try engine.ready().map { try engine.view($0.job).name } }

    @Test func `priority first, then first in first out, lifo before those that are there`() throws {
        try engine.add(
            .single(job("p1") { $0.priority = 1 }),
            .single(job("a")),
            .single(job("b")),
            .single(job("l1") { $0.lifo = true }),
            .single(job("l2") { $0.lifo = true }),
            .single(
                job("p1l") {
                    $0.priority = 1
                    $0.lifo = true
                }
            )
        )
        #expect(try ready() == ["l2", "l1", "a", "b", "p1l", "p1"])
    }

    @Test func `a retry goes to the tail of its priority, a lifo one too`() throws {
        try engine.add(
            .single(job("x") { $0.attempts = 2 }),
            .single(
                job("l") {
                    $0.lifo = true
                    $0.attempts = 2
                }
            ),
            .single(job("p") { $0.priority = 1 })
        )
        for lease in try engine.lease("q", 2) { engine.stageFail(lease) }
        try engine.commit()
        try engine.add(job("y"))
        #expect(try ready() == ["l", "x", "y", "p"])
    }

    @Test func `a job that is given back or stalls keeps its place`() throws {
        try engine.add(.single(job("a")), .single(job("b")), .single(job("c")))
        let leases = try engine.lease("q", 2)
        engine.stageReturn(leases[0])
        engine.stageStall(leases[1])
        try engine.commit()
        #expect(try ready() == ["a", "b", "c"])
        #expect(engine.result.ready.map(\.job) == leases.map(\.job))
        let (a, b) = (try engine.view(leases[0].job), try engine.view(leases[1].job))
        #expect(a.attemptsStarted == 1 && a.attemptsMade == 0 && a.stalledCount == 0)
        #expect(b.attemptsStarted == 1 && b.attemptsMade == 0 && b.stalledCount == 1)
    }

    @Test func `a delayed job takes its place when it is due, a dependent when it is added`() throws {
        let added = try engine.add(
            .single(job("delayed") { $0.delay = 100 }),
            .single(job("first")),
            .flow([job("d", queue: "other"), job("dependent", after: [.node("d")])]),
            .single(job("last"))
        )
        #expect(engine.result.nextDue == engine.elapsed + 100)
        try engine.complete(added["d"])
        engine.advance(99)
        try engine.promote()
        #expect(engine.result.ready.isEmpty)
        engine.advance(1)
        try engine.promote()
        #expect(engine.result.nextDue == .max)
        #expect(try ready() == ["first", "dependent", "last", "delayed"])
    }

    @Test func `a dependent's delay begins at its release`() throws {
        let added = try engine.add(.flow([job("a"), job("b", after: [.node("a")]) { $0.delay = 500 }]))
        engine.advance(10_000)
        try engine.complete(added["a"])
        #expect(try engine.view(added["b"]).state == .delayed)
        #expect(try engine.view(added["b"]).dueIn == 500)
        engine.advance(500)
        try engine.promote()
        #expect(try engine.state(added["b"]) == .waiting)
    }

    @Test func `what is due is promoted in slices, in the order of the dues`() throws {
        engine.checks = false
        let specs = (0..<2_500).map { index in ItemSpec.single(job("\(index)") { $0.delay = UInt64(2_500 - index) }) }
        let sequence = engine.stageAdd(specs)
        try engine.commit()
        let added = try engine.added(sequence, specs)
        engine.advance(5_000)
        for count in [1_000, 1_000, 500] {
            #expect(engine.result.nextDue <= engine.elapsed)
            try engine.promote()
            #expect(engine.result.ready.count == count)
        }
        #expect(engine.result.nextDue == .max)
        #expect(try engine.ready().map(\.job) == (0..<2_500).reversed().map { added["\($0)"] })
        try engine.check()
    }
}

@Suite(.computing) struct AttemptTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    private func waits(_ backoff: Backoff, attempts: UInt16 = 6) throws -> [UInt64] {
        let id = try engine.add(
            job("a") {
                $0.attempts = attempts
                $0.backoff = backoff
            }
        )
        var waits: [UInt64] = []
        for _ in 1..<attempts {
            try engine.fail(id)
            waits.append(try engine.view(id).dueIn)
            engine.advance(1_000_000)
            try engine.promote()
        }
        try engine.fail(id)
        let view = try engine.view(id)
        #expect(view.state == .failed && view.cause == .error && view.attemptsMade == attempts)
        return waits
    }

    @Test func `backoff is fixed, or doubles up to its maximum`() throws {
        #expect(try waits(Backoff(kind: .fixed, delay: 300, maximum: 0, jitter: 0)) == [300, 300, 300, 300, 300])
        let exponential = Backoff(kind: .exponential, delay: 100, maximum: 500, jitter: 0)
        #expect(try waits(exponential) == [100, 200, 400, 500, 500])
    }

    @Test func `jitter is drawn from the batch's seed`() throws {
        let backoff = Backoff(kind: .fixed, delay: 1_000, maximum: 0, jitter: 500)
        let first = try waits(backoff)
        #expect(Set(first).count > 1 && first.allSatisfy { (500...1_000).contains($0) })
        let again = AttemptTests.engine(seed: 1)
        #expect(try again?.waits(backoff) == first)
    }

    private static func engine(seed: UInt64) -> AttemptTests? { try? AttemptTests() }

    @Test func `without a backoff a retry is ready at once`() throws {
        let id = try engine.add(job("a") { $0.attempts = 2 })
        try engine.fail(id, message: "first")
        var view = try engine.view(id)
        #expect(view.state == .waiting && view.attemptsMade == 1 && view.cause == .error)
        #expect(view.outcome == .failure(message: "first", details: []))
        try engine.complete(id)
        view = try engine.view(id)
        #expect(view.state == .completed && view.attemptsMade == 2 && view.cause == .none && view.outcome == .none)
    }

    @Test func `an unrecoverable failure ends the job whatever attempts it has`() throws {
        let id = try engine.add(job("a") { $0.attempts = 5 })
        try engine.fail(id, unrecoverable: true, message: "never")
        let view = try engine.view(id)
        #expect(view.state == .failed && view.cause == .unrecoverable && view.attemptsMade == 1)
        #expect(view.outcome == .failure(message: "never", details: []))
    }

    @Test func `a failure's own delay replaces the backoff`() throws {
        let id = try engine.add(
            job("a") {
                $0.attempts = 4
                $0.backoff = Backoff(kind: .fixed, delay: 9_000, maximum: 0, jitter: 0)
            }
        )
        try engine.fail(id, delay: 70)
        #expect(try engine.view(id).dueIn == 70)
        engine.advance(70)
        try engine.promote()
        try engine.fail(id, delay: 0)
        #expect(try engine.state(id) == .waiting)
        try engine.fail(id)
        #expect(try engine.view(id).dueIn == 9_000)
    }

    @Test func `a retry of a job with a delay of its own does not wait for it again`() throws {
        let id = try engine.add(
            job("a") {
                $0.delay = 5_000
                $0.attempts = 2
            }
        )
        engine.advance(5_000)
        try engine.promote()
        try engine.fail(id)
        #expect(try engine.state(id) == .waiting)
    }

    @Test func `a retry that is given a dependency does not wait for its first delay at the release`() throws {
        let id = try engine.add(
            job("a", id: "a") {
                $0.delay = 5_000
                $0.attempts = 2
            }
        )
        engine.advance(5_000)
        try engine.promote()
        try engine.fail(id)
        let added = try engine.add(.flow([job("new"), job("a", after: [.node("new")], id: "a")]))
        try engine.complete(added["new"])
        #expect(try engine.state(id) == .waiting)
    }

    @Test func `results stay inline up to 64 bytes, larger ones have a row, and an empty one is a result`() throws {
        for count in [0, 1, 64, 65, 5_000, 1 << 20] {
            let id = try engine.add(job("a") { $0.attempts = 3 })
            let bytes = [UInt8](repeating: 3, count: count)
            // A failure before it, small or large, leaves nothing behind.
            engine.stageFail(try engine.lease(id), message: "x", details: [UInt8](repeating: 1, count: count % 6_000))
            try engine.commit()
            try engine.complete(id, .binary, bytes)
            #expect(try engine.view(id).outcome == .result(.binary, bytes))
        }
        let none = try engine.add(job("a"))
        try engine.complete(none)
        #expect(try engine.view(none).outcome == .none)
    }
}
