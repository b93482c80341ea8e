import PenstockTesting
import PenstockWire
import TestSupport
import Testing

/// Subscriptions: credits are kept to exactly, and the slow are slowed.
@Suite(.inTurns) struct `Subscriptions on the wire` {
    @Test func `no more jobs are delivered than there are credits`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.add(10, queue: "q")
            try client.subscribe(["q"], jobs: 3)
            let deliveries = try client.deliveries(3)
            #expect(try client.deliveredNothing())
            #expect(try client.complete(deliveries[0]) == .ok)
            _ = try client.deliveries(1)
            #expect(try client.deliveredNothing())
            client.send(Credit(jobs: 2, bytes: 0), stream: 1)
            _ = try client.deliveries(2)
            #expect(try client.deliveredNothing())
            let counts = try client.counts("q")
            #expect((counts[.active], counts[.waiting], counts[.completed]) == (5, 4, 1))
        }
    }

    @Test func `credits in bytes are kept to, the last job may overdraw them`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.add(10, queue: "q", bytes: 100)
            try client.subscribe(["q"], jobs: 10, bytes: 250)
            let deliveries = try client.deliveries(3)
            #expect(try client.deliveredNothing())
            // 50 are owed: one hundred of a completion is enough for the next.
            #expect(try client.complete(deliveries[0]) == .ok)
            _ = try client.deliveries(1)
            #expect(try client.deliveredNothing())
            client.send(Credit(jobs: 0, bytes: 50), stream: 1)
            #expect(try client.deliveredNothing())
            client.send(Credit(jobs: 0, bytes: 1), stream: 1)
            _ = try client.deliveries(1)
            #expect(try client.deliveredNothing())
        }
    }

    @Test func `a subscription without credits gets nothing until it has some`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.add(queue: "q")
            try client.subscribe(["q"], jobs: 0, bytes: 0)
            #expect(try client.deliveredNothing())
            client.send(Credit(jobs: 1, bytes: 0), stream: 1)
            #expect(try client.deliveredNothing())
            client.send(Credit(jobs: 0, bytes: 1), stream: 1)
            _ = try client.deliveries(1)
        }
    }

    @Test func `bad requests for jobs are soft errors`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            func code(_ subscribe: Subscribe, stream: UInt32) throws -> ErrorCode? {
                try client.request(subscribe, stream: stream, Subscribed.self).refusal
            }
            #expect(try code(Subscribe(queues: ["q"], creditJobs: 1), stream: 1) == nil)
            #expect(try code(Subscribe(queues: ["q"], creditJobs: 1), stream: 1) == .streamInUse)
            #expect(try code(Subscribe(queues: ["q"], creditJobs: 1), stream: 0) == .unknownStream)
            #expect(try code(Subscribe(queues: ["q", "q"], creditJobs: 1), stream: 2) == .invalidRequest)
            #expect(try code(Subscribe(queues: [], creditJobs: 1), stream: 2) == .invalidRequest)
            #expect(try code(Subscribe(queues: ["a:b"], creditJobs: 1), stream: 2) == .invalidQueueName)
            #expect(try code(Subscribe(queues: [""], creditJobs: 1), stream: 2) == .invalidQueueName)
            #expect(try code(Subscribe(queues: ["q"], creditJobs: 65_537), stream: 2) == .invalidRequest)
            let bytes = UInt32(Limits.creditBytesMax + 1)
            #expect(try code(Subscribe(queues: ["q"], creditJobs: 1, creditBytes: bytes), stream: 2) == .invalidRequest)
            let short = Subscribe(queues: ["q"], creditJobs: 1, lockDuration: 999)
            #expect(try code(short, stream: 2) == .invalidRequest)
            client.send(Credit(jobs: 65_536, bytes: 0), stream: 1)
            #expect(try client.nextError().error == .invalidRequest)
            client.send(Credit(jobs: .max, bytes: .max), stream: 1)
            #expect(try client.nextError().error == .invalidRequest)
            client.send(Credit(jobs: 1, bytes: 1), stream: 7)
            #expect(try client.nextError().error == .unknownStream)
            #expect(try client.request(Unsubscribe(), stream: 7, Unsubscribed.self).refusal == .unknownStream)
            try client.roundTrip()
        }
    }

    @Test func `a connection has at most so many subscriptions, those to new queues too`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            var bytes: [UInt8] = []
            for stream in 1...300 {
                let subscribe = Subscribe(queues: ["new-\(stream)"], creditJobs: 1)
                bytes += WireClient.frame(subscribe, correlation: UInt32(stream), stream: UInt32(stream))
            }
            client.send(bytes: bytes)
            var refused = 0
            for correlation in 1...300 {
                let code = try client.reply(to: UInt32(correlation), Subscribed.self).refusal
                #expect(code == nil || code == .invalidRequest)
                if code != nil { refused += 1 }
            }
            #expect(refused == 300 - Limits.streamsPerConnectionMax)
        }
    }

    @Test func `nothing is delivered after UNSUBSCRIBED`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.add(100, queue: "q")
            try client.subscribe(["q"], jobs: 10)
            let held = try client.deliveries(10)
            _ = try client.request(Unsubscribe(), stream: 1, Unsubscribed.self).get()
            for delivery in held { #expect(try client.complete(delivery) == .ok) }
            try client.add(queue: "q")
            #expect(try client.deliveredNothing())
            #expect(try client.counts("q")[.waiting] == 91)
        }
    }

    @Test func `UNSUBSCRIBE and CREDIT right behind a SUBSCRIBE to a new queue count`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let subscribe = Subscribe(queues: ["new"], creditJobs: 0)
            client.send(
                bytes: WireClient.frame(subscribe, correlation: 1, stream: 1)
                    + WireClient.frame(Unsubscribe(), correlation: 2, stream: 1)
                    + WireClient.frame(Subscribe(queues: ["newer"], creditJobs: 1), correlation: 3, stream: 1)
                    + WireClient.frame(Credit(jobs: 1, bytes: 0), stream: 1)
            )
            #expect(try client.reply(to: 1, Subscribed.self).refusal == nil)
            #expect(try client.reply(to: 2, Unsubscribed.self).refusal == nil)
            #expect(try client.reply(to: 3, Subscribed.self).refusal == nil)
            try client.add(2, queue: "newer")
            try client.add(2, queue: "new")
            _ = try client.deliveries(2)
            #expect(try client.deliveredNothing())
        }
    }

    @Test func `one subscription is served from all its queues in turn`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            for queue in ["a", "b", "c"] { try client.add(10, queue: queue) }
            try client.subscribe(["a", "b", "c"], jobs: 6)
            let queues = try client.deliveries(6).map(\.queue)
            #expect(queues.sorted() == [0, 0, 1, 1, 2, 2])
        }
    }

    @Test func `two subscriptions share a queue fairly`() async throws {
        try await withWireServer { server in
            let clients = try (0..<2).map { _ in try server.openClient() }
            for client in clients { try client.subscribe(["q"], jobs: 10) }
            let adder = try server.openClient()
            try adder.add(10, queue: "q")
            for client in clients { _ = try client.deliveries(5) }
            for client in clients { #expect(try client.deliveredNothing()) }
        }
    }

    @Test func `more data than fits the output at once is delivered as it is read`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            for _ in 0..<20 { try client.add(10, queue: "q", bytes: 20_000) }
            for size in [200_000, 500_000, 1_000_000] {
                for _ in 0..<8 { try client.add(queue: "q", bytes: size) }
            }
            try client.subscribe(["q"], jobs: 1000, bytes: 64 << 20)
            let deliveries = try client.deliveries(224)
            #expect(Set(deliveries.map(\.job)).count == 224)
        }
    }

    @Test func `deliveries to a client that does not read stop, and go on when it does`() async throws {
        try await withWireServer { server in
            let lazy = try server.openClient()
            let other = try server.openClient()
            for _ in 0..<40 { try other.add(queue: "q", bytes: 500_000) }
            try lazy.subscribe(["q"], jobs: 1000, bytes: 64 << 20)
            // The kernel's buffers take some megabytes, the server's own a little more than one.
            var active: UInt32 = 0
            try other.poll { _ in
                let now = try other.counts("q")[.active]
                defer { active = now }
                return now > 0 && now == active
            }
            #expect(try other.counts("q")[.waiting] > 0)
            let deliveries = try lazy.deliveries(40)
            #expect(Set(deliveries.map(\.job)).count == 40)
        }
    }

    @Test func `a client that asks much and reads nothing is held back, and costs little`() async throws {
        try await withWireServer { server in
            let other = try server.openClient()
            let id = try other.add(queue: "q", bytes: 1_000_000)[0]
            let greedy = try server.openClient()
            // 2 GB of answers are asked for in one write.
            var bytes: [UInt8] = []
            for number in 1...2000 {
                bytes += WireClient.frame(GetJob(job: .id(id)), correlation: UInt32(number))
            }
            greedy.send(bytes: bytes)
            try other.roundTrip()
            // Once it reads, it gets all that it asked for, in order.
            for number: UInt32 in 1...40 {
                let frame = try greedy.next { $0.opcode == .getJob }
                #expect(frame.header.correlation == number)
                #expect(frame.error == nil)
            }
            greedy.close()
            try other.poll { $0.connections == 1 }
        }
    }

    @Test func `a client that never reads what it waits for is closed`() async throws {
        try await withWireServer { server in
            let other = try server.openClient()
            let id = try other.add(queue: "q", bytes: 1_000_000)[0]
            let lazy = try server.openClient()
            var bytes: [UInt8] = []
            for number in 1...200 {
                bytes += WireClient.frame(Wait(target: .job(id)), correlation: UInt32(number))
            }
            lazy.send(bytes: bytes)
            lazy.send(GetServer(), correlation: 1000)
            #expect(try lazy.reply(to: 1000, ServerView.self).refusal == nil)
            try other.subscribe(["q"])
            #expect(try other.complete(other.deliveries()[0]) == .ok)
            // Read only now: the answers that fitted, then the reason.
            #expect(try lazy.untilClosed().last?.error == .outputOverflow)
            try other.roundTrip()
        }
    }

    @Test func `nothing is delivered to a connection that is being closed`() async throws {
        try await withWireServer { server in
            let bad = try server.openClient()
            try bad.subscribe(["q"], jobs: 100)
            bad.send(bytes: WireClient.frame(opcode: Opcode.getJob.rawValue, body: [0, 9]))
            #expect(try bad.nextError().error == .malformed)
            // It does not close its own side yet.
            let other = try server.openClient()
            try other.add(5, queue: "q")
            try other.subscribe(["q"], jobs: 5)
            _ = try other.deliveries(5)
        }
    }

    @Test func `WAIT is answered when a job or a flow is finished, or its time is over`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let id = try client.add(queue: "q")[0]
            client.send(Wait(target: .job(id)), correlation: 1)
            client.send(Wait(target: .job(id), timeout: 5000), correlation: 2)
            try client.roundTrip()
            #expect(!client.skipped.contains { $0.opcode == .wait })
            server.advanceLeases(by: .milliseconds(5001))
            #expect(try client.reply(to: 2, JobView.self).refusal == .timedOut)
            #expect(try client.request(Wait(target: .job(JobID(99))), JobView.self).refusal == .jobNotFound)
            #expect(try client.request(Wait(target: .flow(FlowID(99))), FlowView.self).refusal == .flowNotFound)
            try client.subscribe(["q"])
            try client.complete(client.deliveries()[0])
            #expect(try client.reply(to: 1, JobView.self).get().state == .completed)
            #expect(try client.request(Wait(target: .job(id)), JobView.self).get().state == .completed)
        }
    }

    @Test func `a WAIT ends with its connection, also where its place is another one's`() async throws {
        try await withWireServer { server in
            let other = try server.openClient()
            let id = try other.add(queue: "q")[0]
            for _ in 0..<5 {
                let waiting = try server.openClient()
                waiting.send(Wait(target: .job(id), timeout: 60_000), correlation: 1)
                try waiting.roundTrip()
                waiting.close()
            }
            try other.poll { $0.connections == 1 }
            let next = try server.openClient()
            try other.subscribe(["q"])
            try other.complete(other.deliveries()[0])
            try next.roundTrip()
            #expect(!next.skipped.contains { $0.opcode == .wait })
        }
    }

    @Test func `reads of what another session adds to new queues at the same time are answered`() async throws {
        try await withWireServer { server in
            let reader = try server.openClient()
            let adder = try server.openClient()
            for round in 1...300 {
                // Ids come in order: the job is asked for while it is being added.
                let node = AddNode(queue: 0, name: "x")
                adder.send(
                    Add(
                        sequence: adder.newSequence(),
                        queues: ["new-\(round)"],
                        items: [AddItem(isFlow: true, nodes: [node])]
                    )
                )
                var bytes: [UInt8] = []
                for number in 1...40 {
                    bytes += WireClient.frame(
                        GetJob(job: .id(JobID(UInt64(round)))),
                        correlation: UInt32(round * 100 + number)
                    )
                }
                reader.send(bytes: bytes)
                for number in 1...40 {
                    let answer = try reader.reply(to: UInt32(round * 100 + number), JobView.self)
                    if case .success(let job) = answer { #expect(job.queue == "new-\(round)") }
                }
                _ = try adder.outcome(UInt64(round))
                // What was acknowledged is seen for certain.
                reader.send(
                    bytes: WireClient.frame(GetJob(job: .id(JobID(UInt64(round)))), correlation: UInt32(round))
                )
                let job = try reader.reply(to: UInt32(round), JobView.self).get()
                #expect(job.queue == "new-\(round)")
            }
        }
    }
}
