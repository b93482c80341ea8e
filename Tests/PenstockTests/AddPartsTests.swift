import DequeModule
import NIOCore
import PenstockWire
import TestSupport
import Testing

@testable import Penstock

/// Adds that are too large for one frame.
@Suite(.inTurns)
struct AddPartsTests {
    private func plan(flows: Int, jobs: Int, bytes: Int) throws -> AddPlan {
        var plan = AddPlan()
        for number in 0..<flows {
            var flow = Flow("flow \(number)", metadata: number)
            var last: FlowNode?
            for job in 0..<jobs {
                last = flow.add(
                    "job \(job)",
                    queue: "q\(job % 3)",
                    data: [UInt8](repeating: UInt8(job % 256), count: bytes),
                    options: JobOptions(id: "\(number)-\(job)"),
                    after: last.map { [FlowDependency($0)] } ?? []
                )
            }
            try plan.add(flow)
        }
        return plan
    }

    @Test(arguments: [300, 500, 1000, 5000, 100_000]) func `parts add up to the whole, and none is too long`(
        frameBytesMax: Int
    ) throws {
        let plan = try plan(flows: 5, jobs: 37, bytes: 20)
        let parts = AddParts(queues: plan.queues, items: plan.items, frameBytesMax: frameBytesMax)
        var items: [AddItem] = []
        var bytes = 0
        for index in 0..<parts.count {
            let buffer = parts.frame(index, add: 7)
            #expect(buffer.readableBytes <= frameBytesMax)
            let frame = try #require(TestSession.split(buffer).first)
            let stage = try frame.message(Stage.self)
            #expect(stage.add == 7)
            #expect(stage.totals == parts.totals)
            let isLast = index == parts.count - 1
            #expect(stage.part == (isLast ? .last : index == 0 ? .first : .next))
            var tail = try #require(stage.tail)
            #expect(tail.queues == plan.queues)
            // All of the body but the part's own fields.
            bytes += frame.body.count - 29
            if tail.items[0].kind == .more {
                items[items.count - 1].nodes += tail.items[0].nodes
                tail.items.removeFirst()
            }
            items += tail.items
        }
        #expect(items == plan.items)
        #expect(parts.totals == Stage.Totals(jobs: 185, items: 5, bytes: UInt64(bytes)))
        #expect((parts.count == 1) == (frameBytesMax == 100_000))
    }

    @Test func `no part has more jobs than an add may have`() throws {
        let plan = try plan(flows: 3, jobs: 7000, bytes: 0)
        let parts = plan.parts
        #expect(parts.count == 3)
        #expect(parts.totals.jobs == 21_000)
    }

    @Test func `a large add comes back as the handles of one`() async throws {
        try await ClientTests.run { client, server in
            let flows = (0..<3).map { number in
                var flow = Flow("flow \(number)")
                let first = flow.add("first", queue: "q")
                for _ in 0..<5000 { flow.add("next", queue: "q", after: first) }
                return flow
            }
            let handles = try await FlowProducer(client).addBulk(flows)
            #expect(handles.map(\.jobs.count) == [5001, 5001, 5001])
            #expect(handles[2].jobs.last?.id.rawValue == 15_003)
            #expect(try await server.with { $0.commands.map(\.0) } == [.stage, .stage])
        }
    }

    @Test func `a large add that is refused for the time being is sent again whole, as another`() async throws {
        try await ClientTests.run { client, server in
            try await server.with { $0.scripted[.stage] = [WireError(.customIDBusy, "later")] }
            var flow = Flow()
            for _ in 0..<10_001 { flow.add("job", queue: "q") }
            #expect(try await FlowProducer(client).add(flow).jobs.count == 10_001)
            let parts = try await server.with { core in
                core.commands.compactMap { try? Stage(body: $0.1.rawSpan) }.map { "\($0.add) \($0.part)" }
            }
            #expect(parts == ["1 first", "1 abandon", "2 first", "2 last"])
        }
    }

    @Test func `a large add whose task is cancelled is dropped by the server too`() async throws {
        try await ClientTests.run { client, server in
            try await server.with { $0.isHolding = true }
            let add = Task {
                var flow = Flow()
                for _ in 0..<10_001 { flow.add("job", queue: "q") }
                try await FlowProducer(client).add(flow)
            }
            while try await server.with({ $0.commands.isEmpty }) { await Task.yield() }
            add.cancel()
            let error = await #expect(throws: PenstockError.self) { try await add.value }
            #expect(error?.code == .cancelled)
            try await server.with { $0.isHolding = false }
            while try await server.with({ $0.commands.count }) < 2 { await Task.yield() }
            let last = try await server.with { $0.last(Stage.self)?.part }
            #expect(last == .abandon)
        }
    }
}
