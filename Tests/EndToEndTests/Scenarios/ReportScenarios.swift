import Foundation
import Penstock
import PenstockTesting
import TestSupport
import Testing

@Suite(.inTurns) struct `Reports and changes` {
    private struct Step: Codable, Equatable, Sendable {
        var done: Int
        var of: Int
    }

    @Test func `progress and log of a running job are seen by everybody, and stay with it`() async throws {
        try await withPenstock { server, client in
            let (reported, gate) = (Record<Int>(), Gate())
            let worker = Worker(client, queue: "q", options: .init(name: "w1")) { (job: Job<RawPayload>) in
                try await job.updateProgress(Step(done: 1, of: 2))
                try await job.log("begun", "half way")
                reported.add(job.attempt)
                await gate.pass()
            }
            let job = try await Queue("q", client).add("n")
            try await running(worker) {
                await reported.wait(for: 1)
                try await PenstockClient.withClient(server.address) { other in
                    let seen = try await Queue("q", other).job(job.id)
                    let info = try await seen.info()
                    #expect(info.state == .active)
                    #expect(try info.progress(as: Step.self) == Step(done: 1, of: 2))
                    let page = try await seen.logs()
                    #expect(page.lines.map(\.text) == ["begun", "half way"] && page.total == 2 && page.next == nil)
                    let attempts = try await seen.attempts()
                    #expect(attempts.map(\.ending) == [.running] && attempts[0].worker == "w1")
                }
                gate.open()
                try await job.wait(timeout: .seconds(5))
            }
            try server.restart()
            #expect(try await job.info().progress(as: Step.self) == Step(done: 1, of: 2))
            #expect(try await job.logs(count: 1).lines.map(\.text) == ["begun"])
            try await job.clearLogs()
            #expect(try await job.logs().lines.isEmpty)
        }
    }

    @Test func `a long log is kept to its newest lines and read in pages`() async throws {
        try await withPenstock { _, client in
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in
                try await job.log((1...700).map { "line \($0)" })
            }
            let job = try await Queue("q", client).add("n", options: JobOptions(keepLogs: 500))
            try await running(worker) { try await job.wait(timeout: .seconds(10)) }
            var numbers: [Int] = []
            for try await page in job.logPages(count: 150) { numbers += page.lines.map(\.number) }
            #expect(numbers == Array(201...700))
        }
    }

    @Test func `a handler changes its job's data for the next attempt`() async throws {
        try await withPenstock { _, client in
            let seen = Record<Int>()
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                seen.add(job.data)
                try await job.update(data: job.data + 1)
                if job.attempt < 3 { throw Broken() }
            }
            let job = try await Queue("q", client).add("n", data: 1, options: JobOptions(attempts: 3))
            try await running(worker) { try await job.wait(timeout: .seconds(5)) }
            #expect(seen.entries == [1, 2, 3])
            #expect(try await job.info().data(as: Int.self) == 4)
        }
    }

    @Test func `a waiting job is changed by anybody, a running one is not`() async throws {
        try await withPenstock { server, client in
            let queue = Queue("q", client)
            let first = try await queue.add("first", data: 1)
            let second = try await queue.add("second", data: 2)
            let delayed = try await queue.add("delayed", data: 3, options: JobOptions(delay: .seconds(3600)))
            try await first.changePriority(9)
            try await second.update(data: 20)
            try await delayed.changeDelay(.seconds(60))
            #expect(await code { try await first.changeDelay(.seconds(1)) } == .wrongState)
            let (seen, gate) = (Record<Int>(), Gate())
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                seen.add(job.data)
                await gate.pass()
            }
            try await running(worker) {
                await seen.wait(for: 1)
                #expect(await code { try await second.update(data: 5) } == .jobLeased)
                gate.open()
                try await first.wait(timeout: .seconds(5))
                server.advance(by: .seconds(60))
                try await delayed.wait(timeout: .seconds(5))
            }
            #expect(seen.entries == [20, 1, 3])
            #expect(await code { try await first.changePriority(1) } == .wrongState)
        }
    }

    @Test func `a job at a wall time goes by the wall clock, forward and back`() async throws {
        try await withPenstock { server, client in
            func time(in seconds: Double) -> Date {
                Date(timeIntervalSince1970: Double(server.wallMilliseconds) / 1000 + seconds)
            }
            let queue = Queue("q", client)
            let job = try await queue.add("n", options: JobOptions(at: time(in: 3600)))
            let plain = try await queue.add("plain", options: JobOptions(delay: .seconds(3600)))
            #expect(try await job.state() == .delayed)
            server.setWallClock(forward: .seconds(3601))
            #expect(try await eventually { try await job.state() == .waiting })
            // A duration is none of the wall clock's business.
            #expect(try await plain.state() == .delayed)
            let later = try await queue.add("later", options: JobOptions(at: time(in: 60)))
            server.setWallClock(forward: .seconds(-600))
            server.advance(by: .seconds(120))
            try await client.settled(queue)
            #expect(try await later.state() == .delayed)
            server.advance(by: .seconds(600))
            #expect(try await eventually { try await later.state() == .waiting })
            #expect(
                await code {
                    try await queue.add("both", options: JobOptions(delay: .seconds(1), at: time(in: 60)))
                } == .invalidOption
            )
        }
    }
}

extension PenstockClient {
    /// Returns when what was due has been looked at: a command that comes behind it is durable.
    fileprivate func settled(_ queue: Queue) async throws {
        for _ in 0..<2 { _ = try await queue.add("marker", options: JobOptions(delay: .seconds(86_400))) }
    }
}
