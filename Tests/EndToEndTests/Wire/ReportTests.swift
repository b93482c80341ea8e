import PenstockTesting
import PenstockWire
import TestSupport
import Testing

/// REPORT: who may say something of a job, and what a limit means.
@Suite(.inTurns) struct `Reports on the wire` {
    private func report(
        _ client: WireClient,
        _ delivery: Delivery,
        progress: Payload? = Payload(.json, [1]),
        lines: [String] = []
    ) throws -> ErrorCode? {
        let sequence = client.newSequence()
        client.send(
            Report(
                sequence: sequence,
                slot: delivery.slot,
                token: delivery.token,
                progress: progress,
                lines: lines
            )
        )
        return ErrorCode(rawValue: try client.outcome(sequence).status)
    }

    @Test func `only the holder of the lease reports, and only while it holds it`() async throws {
        try await withWireServer { server in
            let owner = try server.openClient()
            let thief = try server.openClient()
            let id = try owner.add(queue: "q")[0]
            try owner.subscribe(["q"])
            let delivery = try owner.deliveries()[0]
            #expect(try report(thief, delivery) == .fenced)
            #expect(try report(owner, delivery) == .ok)
            #expect(try owner.complete(delivery) == .ok)
            #expect(try report(owner, delivery, progress: Payload(.json, [2])) == .fenced)
            #expect(try thief.job(id).progress == Payload(.json, [1]))
        }
    }

    @Test func `what is too large is refused, and the lease stays`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.add(queue: "q")
            try client.subscribe(["q"])
            let delivery = try client.deliveries()[0]
            let progress = Payload(.binary, [UInt8](repeating: 1, count: Limits.progressBytesMax + 1))
            #expect(try report(client, delivery, progress: progress) == .payloadTooLarge)
            let line = String(repeating: "x", count: Limits.logLineBytesMax + 1)
            #expect(try report(client, delivery, lines: [line]) == .payloadTooLarge)
            let lines = [String](repeating: "", count: Limits.logLinesPerReportMax + 1)
            #expect(try report(client, delivery, lines: lines) == .invalidOption)
            #expect(try report(client, delivery, progress: nil) == .invalidOption)
            #expect(try client.complete(delivery) == .ok)
        }
    }

    @Test func `an attempt that takes too long is revoked with its reason, and heartbeats do not help it`() async throws
    {
        try await withWireServer { server in
            let client = try server.openClient()
            var options = NodeOptions()
            options.timeout = 12_000
            options.attempts = 2
            let id = try client.add(queue: "q", options: options)[0]
            try client.subscribe(["q"])
            let first = try client.deliveries()[0]
            for _ in 0..<3 {
                #expect(try report(client, first) == .ok)
                server.advanceLeases(by: .seconds(4))
            }
            let revoked = try client.next(Revoked.self)
            #expect(revoked.leases.map(\.token) == [first.token] && revoked.leases.map(\.reason) == [.timeout])
            let second = try client.deliveries()[0]
            #expect(second.job == id && second.attemptsMade == 1)
            #expect(try client.complete(first) == .fenced)
            #expect(try client.complete(second) == .ok)
        }
    }
}
