import Foundation
import Penstock
import PenstockTesting
import TestSupport
import Testing

/// Workers in processes of their own, which are killed or frozen in mid-job.
@Suite(.inTurns) struct `Worker processes` {
    private func worker(_ server: TestServer, _ name: String, _ mode: String) throws -> ChildProcess {
        try ChildProcess("TestWorker", ["\(server.port)", "q", name, mode])
    }

    @Test func `the job of a worker process that is killed stalls, and another process completes it`() async throws {
        try await withPenstock { server, client in
            let job = try await Queue("q", client).add("n")
            let first = try worker(server, "first", "hold")
            #expect(await first.line() == "begun \(job.id)")
            first.kill()
            let second = try worker(server, "second", "finish")
            #expect(try await eventually { try await client.workers().contains { $0.name == "second" } })
            #expect(try await job.state() == .active)
            server.advanceLeases(by: .seconds(40))
            #expect(try await job.result(as: String.self) == "second")
            let info = try await job.info()
            #expect((info.stalledCount, info.attemptsMade, info.attemptsStarted) == (1, 1, 2))
            second.kill()
        }
    }

    @Test func `the late answer of a worker process that was frozen is refused`() async throws {
        try await withPenstock { server, client in
            let job = try await Queue("q", client).add("n")
            let first = try worker(server, "first", "hold")
            #expect(await first.line() == "begun \(job.id)")
            first.signal(SIGSTOP)
            let second = try worker(server, "second", "finish")
            #expect(try await eventually { try await client.workers().contains { $0.name == "second" } })
            server.advanceLeases(by: .seconds(40))
            #expect(try await job.result(as: String.self) == "second")
            // Its handler returns as soon as it is awake again, whether it has heard of the loss or not.
            try first.tell()
            first.signal(SIGCONT)
            let answer = await first.line()
            #expect(answer == "refused" || answer == "cancelled leaseLost")
            let info = try await job.info()
            #expect(try info.result(as: String.self) == "second")
            #expect((info.stalledCount, info.attemptsMade, info.attemptsStarted) == (1, 1, 2))
            second.kill()
        }
    }
}
