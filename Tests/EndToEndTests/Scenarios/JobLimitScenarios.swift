import Penstock
import PenstockTesting
import TestSupport
import Testing

@Suite(.inTurns) struct `Limits of a job` {
    /// A worker whose handler runs until it is cancelled, and then returns a result all the same.
    private func stubborn(
        _ client: PenstockClient,
        _ begun: Record<Int>,
        _ ended: Record<Int>
    ) -> Worker {
        Worker(client, queue: "q", options: .init(name: "stubborn")) { (job: Job<RawPayload>) -> String in
            begun.add(job.attempt)
            do { try await Task.sleep(for: .seconds(600)) } catch {}
            ended.add(job.attempt)
            return "late"
        }
    }

    @Test func `a job whose last attempt takes too long has timed out, and a late result is refused`() async throws {
        try await withPenstock { server, client in
            let (begun, ended) = (Record<Int>(), Record<Int>())
            let job = try await Queue("q", client).add("slow", options: JobOptions(timeout: .seconds(1)))
            try await running(stubborn(client, begun, ended)) {
                await begun.wait(for: 1)
                server.advanceLeases(by: .seconds(1))
                // The handler is cancelled, and what it returns comes too late.
                await ended.wait(for: 1)
                let info = try await job.wait(timeout: .seconds(5))
                #expect((info.state, info.cause) == (.failed, .timeout))
                #expect(info.failure?.message == "The attempt took longer than its timeout of 1000 ms.")
            }
            let info = try await job.info()
            #expect((info.state, info.attemptsMade, info.result) == (.failed, 1, nil))
            let attempts = try await job.attempts()
            #expect(attempts.map(\.ending) == [.timedOut])
            #expect(attempts[0].worker == "stubborn")
        }
    }

    @Test func `an attempt that times out is made again, and never are two of them accepted`() async throws {
        try await withPenstock { server, client in
            let (begun, ended) = (Record<Int>(), Record<Int>())
            let job = try await Queue("q", client).add(
                "slow",
                options: JobOptions(attempts: 3, timeout: .seconds(1))
            )
            try await running(stubborn(client, begun, ended)) {
                for attempt in 1...3 {
                    await begun.wait(for: attempt)
                    server.advanceLeases(by: .seconds(1))
                    await ended.wait(for: attempt)
                }
                let info = try await job.wait(timeout: .seconds(5))
                #expect((info.state, info.cause, info.attemptsMade) == (.failed, .timeout, 3))
            }
            #expect(begun.entries == [1, 2, 3])
            #expect(try await job.attempts().map(\.ending) == [.timedOut, .timedOut, .timedOut])
        }
    }

    @Test func `what is left of an attempt's time goes on over a restart`() async throws {
        try await withPenstock { server, client in
            let (begun, ended) = (Record<Int>(), Record<Int>())
            let job = try await Queue("q", client).add("slow", options: JobOptions(timeout: .seconds(5)))
            try await running(stubborn(client, begun, ended)) {
                await begun.wait(for: 1)
                server.advanceLeases(by: .seconds(3))
                // A clean stop writes every lease.
                try server.restart()
                #expect(try await job.state() == .active)
                server.advanceLeases(by: .seconds(3))
                await ended.wait(for: 1)
                #expect(try await job.wait(timeout: .seconds(5)).cause == .timeout)
            }
        }
    }

    @Test func `a job that nobody starts in time expires, and its flow learns of it`() async throws {
        try await withPenstock { server, client in
            let flow = try await FlowProducer(client).add(
                FlowJob("parent", queue: "q") {
                    FlowJob("child", queue: "q", options: JobOptions(ttl: .seconds(60)))
                }
            )
            let child = try #require(try await flow.nodes().first { $0.name == "child" })
            server.advance(by: .seconds(61))
            let parent = try await flow.root.wait(timeout: .seconds(5))
            #expect((parent.state, parent.cause, parent.failedDependency) == (.failed, .dependency, child.id))
            let info = try await JobHandle(child, client).info()
            #expect((info.state, info.cause, info.attemptsStarted) == (.failed, .expired, 0))
            #expect(info.failure?.message == "Nobody started the job within its ttl of 60000 ms.")
        }
    }

    @Test func `a job that expired while the server was down is not run`() async throws {
        try await withPenstock { server, client in
            let job = try await Queue("q", client).add("short", options: JobOptions(ttl: .seconds(60)))
            server.stop()
            server.advance(by: .seconds(61))
            try server.start()
            let begun = Record<Int>()
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in begun.add(job.attempt) }
            try await running(worker) {
                let info = try await job.wait(timeout: .seconds(5))
                #expect(info.cause == .expired)
            }
            #expect(begun.count == 0)
        }
    }

    @Test func `headers travel with a job, over any number of attempts`() async throws {
        try await withPenstock { _, client in
            let seen = Record<[String: String]>()
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in
                seen.add(job.headers)
                if job.attempt == 1 { throw Broken() }
            }
            let headers = ["traceparent": "00-ab-cd-01", "tenant": "é"]
            let job = try await Queue("q", client).add("n", options: JobOptions(attempts: 2, headers: headers))
            try await running(worker) { try await job.wait(timeout: .seconds(5)) }
            #expect(seen.entries == [headers, headers])
            let info = try await job.info()
            #expect(info.options == JobOptions(attempts: 2, headers: headers))
            let attempts = try await job.attempts()
            #expect(attempts.map(\.ending) == [.failed, .completed])
            #expect(attempts[0].message == "broken")
        }
    }
}
