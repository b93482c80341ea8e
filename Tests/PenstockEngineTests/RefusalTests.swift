import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Every add that is wrong is refused whole, with its code: the tables have the bytes that they had before.
@Suite(.computing) struct RefusalTests {
    let engine: EngineHarness
    init() throws {
        engine = try EngineHarness()
        try engine.add(.flow("stored", [job("a", id: "a"), job("b", after: [.node("a")], id: "b")]))
    }

    private func stored() throws -> [String: [[UInt8]]] {
        var tables = try bytes(of: engine.open.environment, engine.open.reader)
        // The commit's clock, and the outcome itself.
        tables["meta"] = nil
        tables["outcomes"] = nil
        return tables
    }

    private func expect(_ code: ErrorCode, _ items: ItemSpec..., says words: String...) throws {
        let before = try stored()
        let next = engine.open.engine.meta.nextJob
        let sequence = engine.stageAdd(items)
        try engine.commit()
        let outcome = try #require(engine.session.outcomes[sequence])
        #expect(ErrorCode(rawValue: outcome.status) == code)
        let message = try ErrorBody(reading: outcome.body).message
        for word in words { #expect(message.contains(word), "\(message)") }
        #expect(try stored() == before)
        #expect(engine.open.engine.meta.nextJob == next && engine.result.ready.isEmpty)
    }

    @Test func `references that go nowhere, forward or to oneself`() throws {
        try expect(
            .forwardReference,
            .flow([job("x", after: [.index(1)]), job("y")]),
            says: "Node 0",
            "\"x\"",
            "node 1"
        )
        try expect(.selfReference, .flow([job("y"), job("x", after: [.index(1)])]), says: "Node 1", "itself")
        try expect(.selfReference, .single(job("a", after: [.job(JobID(1))], id: "a")), says: "itself")
        try expect(.unknownDependency, .flow([job("x"), job("y", after: [.job(JobID(77))])]), says: "job 77", "\"y\"")
        try expect(.forwardReference, .flow([job("x")]), .single(job("y", after: [.index(9)])))
    }

    @Test func `what is named twice`() throws {
        try expect(.duplicateDependency, .flow([job("x"), job("y", after: [.index(0), .index(0)])]), says: "twice")
        try expect(.duplicateDependency, .single(job("y", after: [.job(JobID(1)), .job(JobID(1))])), says: "job 1")
        try expect(
            .duplicateDependency,
            .flow([job("a", id: "a"), job("y", after: [.index(0), .job(JobID(1))])]),
            says: "job 1"
        )
        try expect(.duplicateCustomID, .flow([job("x", id: "n")]), .single(job("y", id: "n")), says: "custom id")
        try expect(.customIDExists, .single(job("a", id: "a") { $0.rejectExisting = true }), says: "job 1")
    }

    @Test func `too many and none at all`() throws {
        try expect(.emptyAdd)
        try expect(.emptyAdd, .flow([]))
        try expect(.tooManyJobs, .flow((0...10_000).map { _ in job("x") }), says: "10000")
        try expect(
            .tooManyJobs,
            .flow((0..<6_000).map { _ in job("x") }),
            .flow((0..<6_000).map { _ in job("x") }),
            says: "10000"
        )
    }

    @Test func `names outside their limits`() throws {
        let long = String(repeating: "x", count: 129)
        for queue in ["", "a:b", "a\0b", long] { try expect(.invalidQueueName, .single(job("x", queue: queue))) }
        try expect(.invalidName, .single(job("")))
        let id = String(repeating: "x", count: 256)
        for custom in ["12", "a:b", id, "a\0"] { try expect(.invalidCustomID, .single(job("x", id: custom))) }
        try engine.add(job("x", queue: String(repeating: "x", count: 128), id: String(repeating: "y", count: 255)))
    }

    @Test func `options outside their ranges`() throws {
        try expect(.invalidOption, .single(job("x") { $0.priority = 1 << 21 }), says: "priority")
        try expect(.invalidOption, .single(job("x") { $0.attempts = 0 }), says: "attempts")
        try expect(.invalidOption, .single(job("x") { $0.delay = Limits.delayMillisecondsMax + 1 }), says: "delay")
        try expect(
            .invalidOption,
            .single(job("x") { $0.backoff = Backoff(kind: .fixed, delay: 1, maximum: 0, jitter: 1001) }),
            says: "jitter"
        )
        try expect(
            .invalidOption,
            .single(
                job("x") {
                    $0.backoff = Backoff(kind: .fixed, delay: Limits.delayMillisecondsMax + 1, maximum: 0, jitter: 0)
                }
            ),
            says: "backoff"
        )
        try engine.add(job("x") { $0.priority = (1 << 21) - 1 })
    }

    @Test func `an unknown option that must be understood, and one that need not`() throws {
        func add(tag: UInt16) throws -> ErrorCode? {
            var writer = WireWriter()
            Add(sequence: 1, [.single(job("x"))]).encode(into: &writer)
            writer.truncate(to: writer.count - 1)
            writer.u8(1)
            writer.u16(tag)
            writer.u16(3)
            for _ in 0..<3 { writer.u8(0) }
            let sequence = engine.stageAdd(bytes: writer.bytes)
            try engine.commit()
            return engine.session.code(sequence)
        }
        let before = try stored()
        #expect(try add(tag: 999 | OptionTag.mustUnderstand) == .unknownOption)
        #expect(try stored() == before)
        #expect(try add(tag: 999) == .ok)
    }

    @Test func `bytes that are no add mark the session as malformed, wherever they end`() throws {
        var writer = WireWriter()
        let spec = job("x", after: [.job(JobID(1))], id: "new", data: [1, 2]) { $0.priority = 3 }
        Add(sequence: 1, [.flow("f", [spec, job("y", after: [.index(0)])])]).encode(into: &writer)
        let before = try stored()
        for count in 0..<writer.count {
            let sequence = engine.stageAdd(bytes: Array(writer.bytes.prefix(count)))
            try engine.commit()
            #expect(engine.session.code(sequence) != .ok)
            if engine.session.code(sequence) == .malformed { #expect(engine.result.outcomes[0].malformed) }
        }
        #expect(try stored() == before)
    }

    @Test func `a cycle through stored jobs is refused, with its path`() throws {
        try expect(.cycle, .single(job("a", after: [.job(JobID(2))], id: "a")), says: "1 depends on 2 depends on 1")
        // Over a new node, too.
        try expect(
            .cycle,
            .flow([job("new", after: [.job(JobID(2))]), job("a", after: [.index(0)], id: "a")]),
            says: "1 depends on 3 depends on 2 depends on 1"
        )
        // And where two stored jobs are given edges in one add.
        let (c, d) = (try engine.add(job("c", id: "c")), try engine.add(job("d", id: "d")))
        try expect(
            .cycle,
            .single(job("c", after: [.job(d)], id: "c")),
            .single(job("d", after: [.job(c)], id: "d")),
            says: "\(c) depends on \(d) depends on \(c)"
        )
    }

    @Test func `a search for a cycle has an end`() throws {
        engine.checks = false
        // Every job depends on all of the layer before it: 11 x 9,999 steps and more.
        var last: [JobID] = []
        for layer in 0..<11 {
            let added = try engine.add(
                .flow((0..<100).map { index in job("\(layer).\(index)", after: last.map { .job($0) }) })
            )
            last = (0..<100).map { added["\(layer).\($0)"] }
        }
        try engine.add(job("open", id: "open"))
        // Each job is looked at once: the search is cheap.
        try engine.add(.single(job("open", after: [.job(last[0])], id: "open")))
        let wide = (0..<11).map { part in (0..<9_999).map { job("\(part).\($0)") } }
        var roots: [JobID] = []
        for part in wide {
            let added = try engine.add(.flow(part + [job("root", after: (0..<9_999).map { .index($0) })]))
            roots.append(added["root"])
        }
        try engine.add(job("late", id: "late"))
        try expect(
            .cycleSearchTooLarge,
            .single(job("late", after: roots.map { .job($0) }, id: "late")),
            says: "100000"
        )
    }

    @Test func `a job that runs or has ended takes no new dependencies`() throws {
        let x = try engine.add(job("x"))
        let lease = try engine.lease(JobID(1))
        try expect(.dependentNotOpen, .single(job("a", after: [.job(x)], id: "a")), says: "job 1")
        engine.stageWrite(lease)
        try engine.commit()
        try expect(.dependentNotOpen, .single(job("a", after: [.job(x)], id: "a")))
        try engine.complete(JobID(1))
        try expect(.dependentNotOpen, .single(job("a", after: [.job(x)], id: "a")))
    }
}
