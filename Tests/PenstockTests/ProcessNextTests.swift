import DequeModule
import PenstockWire
import TestSupport
import Testing

@testable import Penstock

/// What a call for one job says where the server does not say everything.
@Suite(.inTurns)
struct ProcessNextTests {
    @Test func `a put-off of which nobody knows is an error, and the job is given back`() async throws {
        try await ClientTests.run { client, server in
            try await server.with { $0.scripted[.move] = [WireError(.draining, "about to stop")] }
            try await Queue("q", client).add("job")
            let error = await #expect(throws: PenstockError.self) {
                try await client.processNext(from: ["q"], within: .seconds(20)) { (_: Job<RawPayload>) in
                    throw Delayed(by: .seconds(1))
                }
            }
            #expect(error?.code == .draining)
            while try await server.with({ $0.released }) == 0 { await Task.yield() }
        }
    }
}
