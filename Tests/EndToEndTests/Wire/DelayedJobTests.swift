import PenstockTesting
import PenstockWire
import TestSupport
import Testing
import UV

/// Delayed jobs, and what the clocks do to them, through the socket.
@Suite(.inTurns(limit: .seconds(120))) struct `Delayed jobs on the wire` {
    private static let hour = Duration.seconds(3600)
    private static let milliseconds: UInt64 = 3_600_000

    @Test func `10,000 jobs that are due at one instant are delivered once each, in the order of their adds`()
        async throws
    {
        try await withWireServer { server in
            let client = try server.openClient()
            let jobs = try Self.addDelayed(10_000, client)
            try client.subscribe(["q"], jobs: 10_000)
            #expect(try client.deliveredNothing())
            server.advance(by: Self.hour - .milliseconds(1))
            #expect(try client.deliveredNothing())
            server.advance(by: .milliseconds(1))
            let deliveries = try client.deliveries(jobs.count)
            #expect(deliveries.map(\.job) == jobs)
            try Self.complete(deliveries, client)
            #expect(try client.counts("q")[.completed] == 10_000)
        }
    }

    @Test func `10,000 jobs that are due at the instant of a crash are all run after it`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let jobs = try Self.addDelayed(10_000, client)
            try client.subscribe(["q"], jobs: 100)
            server.advance(by: Self.hour)
            let first = try client.deliveries(100)
            try Self.complete(first, client)
            server.crash()
            try server.start()
            // What the lost session held, if that was written, comes back when its time is over.
            server.advanceLeases(by: .seconds(31))
            let other = try server.openClient()
            try other.subscribe(["q"], jobs: 10_000)
            let rest = try other.deliveries(jobs.count - first.count)
            #expect(Set((first + rest).map(\.job)) == Set(jobs) && first.count + rest.count == jobs.count)
            try Self.complete(rest, other)
            #expect(try other.counts("q")[.completed] == 10_000)
        }
    }

    private static func addDelayed(_ count: Int, _ client: WireClient) throws -> [JobID] {
        var options = NodeOptions()
        options.delay = milliseconds
        return try client.add(count, queue: "q", options: options)
    }

    private static func complete(_ deliveries: [Delivery], _ client: WireClient) throws {
        for start in stride(from: 0, to: deliveries.count, by: Limits.completionsPerFrameMax) {
            let part = deliveries[start..<min(start + Limits.completionsPerFrameMax, deliveries.count)]
            let message = Complete(
                sequence: client.newSequence(count: part.count),
                completions: part.map { Completion(slot: $0.slot, token: $0.token, result: []) }
            )
            client.send(bytes: WireClient.frame(message, capacity: 1 << 20))
        }
        #expect(try client.outcome(client.sequence).status == 0)
    }

    @Test func `a wall clock that jumps a day forward and two back fires, starves and deletes nothing`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.subscribe(["done", "again"], jobs: 10)
            var options = NodeOptions()
            options.keepCompleted = Retention(age: Self.milliseconds)
            let kept = try client.add(queue: "done", options: options)[0]
            try client.complete(try client.deliveries()[0])
            options = NodeOptions()
            options.attempts = 2
            options.backoff = Backoff(kind: .fixed, delay: Self.milliseconds, maximum: 0, jitter: 0)
            let retried = try client.add(queue: "again", options: options)[0]
            try client.fail(try client.deliveries()[0])
            options = NodeOptions()
            options.delay = Self.milliseconds
            let delayed = try client.add(queue: "q", options: options)[0]
            options = NodeOptions()
            options.ttl = Self.milliseconds
            let expiring = try client.add(queue: "q", options: options)[0]

            func states() throws -> [JobState?] {
                try [kept, retried, delayed, expiring].map {
                    try client.request(GetJob(job: .id($0)), JobView.self).success?.state
                }
            }
            for jump in [Duration.seconds(86_400), .seconds(-2 * 86_400)] {
                server.setWallClock(forward: jump)
                // A command that comes behind it is stored after what was due.
                for _ in 0..<2 { try client.add(queue: "marker") }
                #expect(try states() == [.completed, .delayed, .delayed, .waiting])
                #expect(try client.deliveredNothing())
            }
            server.advance(by: Self.hour + .seconds(1))
            #expect(try client.deliveries()[0].job == retried)
            try client.poll { _ in try states() == [nil, .active, .waiting, .failed] }
        }
    }
}

extension Result where Failure == WireRefusal {
    fileprivate var success: Success? { try? get() }
}
