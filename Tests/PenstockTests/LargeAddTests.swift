import DequeModule
import PenstockWire
import TestSupport
import Testing

@testable import Penstock

/// Adds of more than one part, and sessions that are lost between two of them.
@Suite(.inTurns)
struct LargeAddTests {
    private func flow() -> Flow {
        var flow = Flow()
        for _ in 0..<25_000 { flow.add("n", queue: "q") }
        return flow
    }

    @Test func `a large add whose session is lost between its parts is sent again`() async throws {
        try await ClientTests.run { client, server in
            try await server.with { $0.scripted[.stage] = [WireError(.outcomeUnknown, "lost")] }
            let handle = try await FlowProducer(client).add(flow())
            #expect(handle.jobs.count == 25_000)
            #expect(try await server.with { $0.jobs.count } == 25_000)
        }
    }

    @Test func `a large add that is lost with its last part may have been stored, and is not sent again`() async throws
    {
        try await ClientTests.run { client, server in
            let lost = WireError(.outcomeUnknown, "lost")
            let flow = flow()
            try await server.with { $0.refusedStage = (.last, lost) }
            let error = await #expect(throws: PenstockError.self) { try await FlowProducer(client).add(flow) }
            #expect(error?.code == .outcomeUnknown)
        }
    }

    @Test func `a large add that gets no answer in time says that nothing of it is stored`() async throws {
        try await TestServer.run { server in
            let configuration = PenstockClient.Configuration(
                requestTimeout: .milliseconds(200),
                shutdownTimeout: .milliseconds(1)
            )
            try await PenstockClient.withClient(server.address, configuration: configuration) { client in
                try await server.with { $0.isHolding = true }
                let error = await #expect(throws: PenstockError.self) { try await FlowProducer(client).add(flow()) }
                #expect(error?.code == .timedOut)
                try await server.with { $0.isHolding = false }
            }
        }
    }
}
