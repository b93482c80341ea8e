import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

@Suite(.computing) struct AtomicityTests {
    @Test func `a full database takes nothing of the batch, and completions when adds are refused`() throws {
        let engine = try EngineHarness(mapSize: 600 * 4_096)
        engine.checks = false
        let large = [UInt8](repeating: 5, count: 100_000)
        let flow = try engine.add(
            .flow((0..<30).map { job("\($0)") } + [job("end", after: (0..<30).map { .index($0) })])
        )
        var filled = 0
        while true {
            let tables = try bytes(of: engine.open.environment, engine.open.reader)
            let next = engine.session.next
            let lease = try #require(try engine.lease("q").first)
            let completion = engine.stageComplete(lease, .json, [1])
            let add = engine.stageAdd([.single(job("large", queue: "new\(filled)", data: large))])
            do {
                try engine.commit()
                filled += 1
                continue
            } catch EngineError.full {}
            // The map is full: memory and tables are what they were.
            #expect(try bytes(of: engine.open.environment, engine.open.reader) == tables)
            #expect(engine.result.outcomes.isEmpty && engine.result.ready.isEmpty && engine.result.finishedJobs.isEmpty)
            try engine.check()
            #expect(engine.open.engine.queueIDs["new\(filled)"] == nil)
            // The same batch without its adds.
            try engine.commit(refusingAdds: true)
            try engine.check()
            #expect(engine.session.code(completion) == .ok && engine.session.code(add) == .full)
            #expect(engine.session.next == next + 2)
            break
        }
        #expect(filled > 5)
        // Completions go on to the end.
        while try engine.state(flow["end"]) != .completed {
            guard let lease = try engine.lease("q").first else { break }
            engine.stageComplete(lease, .json, [2])
            try engine.commit(refusingAdds: true)
            engine.confirm(engine.session, upTo: engine.session.next - 1)
            try engine.check()
        }
        #expect(try engine.flow(flow.flow).status == .completed)
    }

    @Test(arguments: [4_711, 4_712, 4_713] as [UInt64])
    func `the same batches make the same bytes in every table`(seed: UInt64) throws {
        func run() throws -> [String: [[UInt8]]] {
            var history = try History(seed: seed)
            history.run.engine.checks = false
            // At its end a history empties the queues.
            try history.run(steps: 40, finishes: false)
            let open = history.run.engine.open!
            return try bytes(of: open.environment, open.reader)
        }
        let (first, second) = (try run(), try run())
        for name in Tables.names { #expect(first[name] == second[name], "table \(name)") }
        #expect(first["jobs"]!.count > 100)
    }
}
