import PenstockWire
import Synchronization
import TestSupport
import Testing

@testable import Penstock

/// What interceptors see and may do.
@Suite(.inTurns)
struct InterceptorTests {
    final class Journal: Sendable {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
        func note(_ line: String) { lines.withLock { $0.append(line) } }
    }

    struct Noting: FlowInterceptor {
        let name: String
        let journal: Journal
        func intercept(_ flows: inout [Flow]) async throws {
            for flow in flows {
                let jobs = flow.jobs.map { "\($0.name) in \($0.queue)" }.joined(separator: ", ")
                journal.note("\(name): \(flow.isJobAlone ? "alone" : flow.name): \(jobs)")
            }
        }
    }

    struct Changing: FlowInterceptor {
        let change: @Sendable (inout [Flow]) throws -> Void
        func intercept(_ flows: inout [Flow]) async throws { try change(&flows) }
    }

    struct Forbidden: Error {}

    @Test func `interceptors see every flow and every job alone, in the order of their registration`() async throws {
        try await ClientTests.run { client, _ in
            let journal = Journal()
            let rename = Changing { flows in
                for index in flows.indices { flows[index].updateJobs { $0.queue = "acme-\($0.queue)" } }
            }
            let flows = FlowProducer(
                client,
                interceptors: [Noting(name: "first", journal: journal), rename, Noting(name: "last", journal: journal)]
            )
            try await flows.add(FlowJob("top", queue: "q") { FlowJob("low", queue: "r") })
            let alone = try await flows.add("single", queue: "q")
            #expect(alone.queue == "acme-q")
            #expect(
                journal.all == [
                    "first: top: top in q, low in r", "last: top: top in acme-q, low in acme-r",
                    "first: alone: single in q", "last: alone: single in acme-q",
                ]
            )
        }
    }

    @Test func `an interceptor may change data and metadata and add jobs, which get the defaults`() async throws {
        try await ClientTests.run { client, server in
            let change = Changing { flows in
                flows[0].metadata = ["by": "test"]
                flows[0].updateJobs { if let number = $0.data as? Int { $0.data = number + 1 } }
                flows[0].add("audit", queue: "audits")
            }
            let flows = FlowProducer(client, defaults: JobOptions(attempts: 4), interceptors: [change])
            let handle = try await flows.add(FlowJob("top", queue: "q", data: 1, options: JobOptions(attempts: 2)))
            #expect(handle.jobs.map(\.name) == ["top", "audit"])
            let item = try #require(try await server.with { $0.adds.last?.items.first })
            #expect(item.metadata?.bytes == Array(#"{"by":"test"}"#.utf8))
            #expect(item.nodes.map(\.data) == [Array("2".utf8), []])
            #expect(item.nodes.map(\.options.attempts) == [2, 4])
        }
    }

    @Test func `an interceptor that throws refuses the add, and nothing is sent`() async throws {
        try await ClientTests.run { client, server in
            let refusing = FlowProducer(client, interceptors: [Changing { _ in throw Forbidden() }])
            let error = await #expect(throws: PenstockError.self) { try await refusing.add("a", queue: "q") }
            #expect(error?.code == .refusedByInterceptor)
            #expect(error?.message.contains("Forbidden()") == true)
            let own = Changing { _ in throw PenstockError(.full, "not today") }
            let passing = await #expect(throws: PenstockError.self) {
                try await FlowProducer(client, interceptors: [own]).add(FlowJob("a", queue: "q"))
            }
            #expect(passing == PenstockError(.full, "not today"))
            let isSilent = try await server.with { $0.received.isEmpty }
            #expect(isSilent)
        }
    }

    @Test func `an interceptor can't take flows away or put others in their place`() async throws {
        try await ClientTests.run { client, server in
            let changes: [Changing] = [
                Changing { flows in flows.removeAll() },
                Changing { flows in flows[0] = Flow("other") },
                Changing { flows in flows.append(Flow("more")) },
            ]
            for change in changes {
                let error = await #expect(throws: PenstockError.self) {
                    try await FlowProducer(client, interceptors: [change]).add(FlowJob("a", queue: "q"))
                }
                #expect(error?.code == .invalidRequest)
            }
            let isSilent = try await server.with { $0.received.isEmpty }
            #expect(isSilent)
        }
    }
}
