import Penstock
import PenstockTesting
import TestSupport
import Testing

/// One job at a time, without a worker.
@Suite(.inTurns) struct `One job at a time` {
    @Test func `a call takes one job, and its end is stored when it returns`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            let jobs = try await queue.addBulk((0..<3).map { NewJob("n", data: $0) })
            for (index, job) in jobs.enumerated() {
                let wasOne = try await client.processNext(from: ["q"], within: .seconds(20)) { (job: Job<Int>) in
                    job.data * 10
                }
                #expect(wasOne)
                let info = try await job.info()
                #expect((info.state, info.attemptsStarted) == (.completed, 1))
                #expect(try info.result(as: Int.self) == index * 10)
                #expect(try await queue.counts().waiting == 2 - index)
            }
            let wasOne = try await client.processNext(from: ["q"], within: .milliseconds(20)) { (_: Job<Int>) in }
            #expect(!wasOne)
            #expect(try await client.workers().isEmpty)
        }
    }

    @Test func `a call waits for a job as long as it may`() async throws {
        try await withPenstock { _, client in
            async let wasOne = client.processNext(from: ["a", "b"], within: .seconds(30)) { (_: Job<RawPayload>) in }
            #expect(try await eventually { try await client.workers().count == 1 })
            let job = try await Queue("b", client).add("n")
            #expect(try await wasOne)
            #expect(try await job.state() == .completed)
        }
    }

    // A job that fails once and then succeeds; and one whose retry has a delay.
    @Test func `what the handler throws fails the attempt, and the next call makes the next`() async throws {
        try await withPenstock { server, client in
            let job = try await Queue("q", client).add(
                "n",
                options: .init(attempts: 3, backoff: .fixed(.seconds(300)))
            )
            func process(
                within limit: Duration = .seconds(20),
                _ body: @escaping @Sendable (Job<RawPayload>) async throws -> Void
            ) async throws -> Bool {
                try await client.processNext(from: ["q"], within: limit, handler: body)
            }
            #expect(try await process { _ in throw Broken() })
            var info = try await job.info()
            #expect((info.state, info.attemptsMade) == (.delayed, 1))
            #expect(try await !process(within: .milliseconds(100)) { _ in })
            server.advance(by: .seconds(301))
            #expect(try await process { _ in })
            info = try await job.info()
            #expect((info.state, info.attemptsMade) == (.completed, 2))
        }
    }

    @Test func `a lease that was lost meanwhile is an error of the call`() async throws {
        try await withPenstock { _, client in
            let (begun, gate) = (Record<Int>(), Gate())
            let job = try await Queue("q", client).add("n")
            let call = Task {
                try await client.processNext(from: ["q"], within: .seconds(20)) { (_: Job<RawPayload>) in
                    begun.add(1)
                    await gate.pass()
                }
            }
            await begun.wait(for: 1)
            try await job.cancel(reason: "no")
            gate.open()
            // Revoked before its end, so that nothing is sent, or fenced at it: the same for who calls.
            #expect(await code { _ = try await call.value } == .fenced)
            #expect(try await job.state() == .cancelled)
        }
    }

    @Test func `typed handlers take one job at a time as well`() async throws {
        try await withPenstock { _, client in
            let price = try await Queue("shop", client).add(Price(article: "rug"))
            try await client.processNext(
                from: ["shop"],
                within: .seconds(20),
                handlers: [JobHandler(Price.self) { job in job.data.article.count }]
            )
            #expect(try await price.job.info().result(as: Int.self) == 3)
        }
    }

    @Test func `a call that can't reach the server says so`() async throws {
        try await PenstockClient.withClient(.tcp(host: "127.0.0.1", port: 1)) { client in
            let code = await code {
                try await client.processNext(from: ["q"], within: .milliseconds(5)) { (_: Job<Int>) in }
            }
            #expect(code == .timedOut)
        }
    }

    @Test func `a call lets go of its handler before its time is over`() async throws {
        final class Token: Sendable {}
        try await withPenstock { _, client in
            try await Queue("q", client).add("n")
            func process() async throws -> @Sendable () -> Bool {
                let token = Token()
                try await client.processNext(from: ["q"], within: .seconds(3600)) { (_: Job<RawPayload>) in
                    withExtendedLifetime(token) {}
                }
                return { [weak token] in token == nil }
            }
            let isGone = try await process()
            #expect(try await eventually { isGone() })
        }
    }
}
