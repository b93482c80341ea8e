import Logging
import NIOCore
import PenstockWire
import TestSupport
import Testing

@testable import Penstock

/// The client against a small server, over a socket.
@Suite(.inTurns)
struct ClientTests {
    struct Step: Codable, Sendable, Equatable {
        var place: String
        var coats = 1
    }

    /// A client with a server, both for the time of `body`.
    static func run(
        _ body: @escaping @Sendable (PenstockClient, TestServer) async throws -> Void
    ) async throws {
        try await TestServer.run { server in
            try await PenstockClient.withClient(server.address) { client in try await body(client, server) }
        }
    }

    /// Runs workers for the time of `body`.
    static func working(_ workers: [Worker], _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in workers { group.addTask { try await worker.run() } }
            do { try await body() } catch {
                group.cancelAll()
                throw error
            }
            for worker in workers { worker.shutDown() }
            try await group.waitForAll()
        }
    }

    @Test func `a job is added, run, and its result read`() async throws {
        try await Self.run { client, _ in
            let worker = Worker(client, queue: "steps", concurrency: 2) { (job: Job<Step>) in
                #expect(job.queue == "steps")
                #expect(job.name == "paint")
                #expect(job.attempt == 1)
                #expect(job.flow == nil)
                return job.data.coats * 10
            }
            try await Self.working([worker]) {
                let job = try await Queue("steps", client).add("paint", data: Step(place: "wall", coats: 3))
                #expect(try await job.result(as: Int.self) == 30)
                let info = try await job.info()
                #expect(info.state == .completed)
                #expect(try info.data(as: Step.self) == Step(place: "wall", coats: 3))
            }
        }
    }

    @Test func `a tree runs from its leaves, and the parent reads its children's values in order`() async throws {
        try await Self.run { client, _ in
            let steps = Worker(client, queue: "steps", concurrency: 4) { (job: Job<Step>) in job.data.coats }
            let renovate = Worker(client, queue: "renovate") { job in
                let costs = try await job.childrenValues(as: Int.self)
                #expect(costs.map(\.name) == ["paint", "paint", "fix"])
                return costs.values.reduce(0, +)
            }
            try await Self.working([steps, renovate]) {
                let flow = try await FlowProducer(client).add(
                    FlowJob("renovate-interior", queue: "renovate") {
                        for coats in 1...2 { FlowJob("paint", queue: "steps", data: Step(place: "wall", coats: coats)) }
                        FlowJob("fix", queue: "steps", data: Step(place: "floor", coats: 5))
                    }
                )
                #expect(flow.jobs.map(\.name) == ["renovate-interior", "paint", "paint", "fix"])
                #expect(try await flow.root.result(as: Int.self) == 8)
            }
        }
    }

    @Test func `a graph gives its nodes their jobs`() async throws {
        try await Self.run { client, _ in
            var flow = Flow("nightly")
            let load = flow.add("load", queue: "warehouse", dependsOn: ["clean"])
            let extract = flow.add("extract", queue: "etl")
            flow.add("clean", queue: "etl", id: "clean", after: extract)
            let handle = try await FlowProducer(client).add(flow)
            #expect(handle[load].name == "load")
            #expect(handle[extract].queue == "etl")
            #expect(handle["clean"]?.name == "clean")
            #expect(handle.root.name == "load")
            #expect(handle[extract].id < handle[load].id)
            #expect(try await handle[load].info().name == "load")
            #expect(try await handle[load].state() == .waitingChildren)
        }
    }

    @Test func `a failed job tells why`() async throws {
        try await Self.run { client, _ in
            struct Broken: Error {}
            let worker = Worker(client, queue: "q") { job in
                if job.name == "text" { throw UnrecoverableError("no paint") }
                throw Broken()
            }
            try await Self.working([worker]) {
                let first = try await Queue("q", client).add("text")
                let second = try await Queue("q", client).add("type")
                let error = try await #require(throws: JobFailedError.self) { try await first.result(as: Int.self) }
                #expect(error.message == "no paint")
                #expect(error.state == .failed)
                let info = try await second.wait()
                #expect(info.failure?.message == "Broken()")
            }
        }
    }

    @Test func `data that can't be decoded fails the job with a clear message`() async throws {
        try await Self.run { client, _ in
            let worker = Worker(client, queue: "q") { (_: Job<Step>) in Issue.record("the handler ran") }
            try await Self.working([worker]) {
                let job = try await Queue("q", client).add("paint", data: "no step")
                let info = try await job.wait()
                #expect(info.failure?.message.contains("can't be decoded as Step") == true)
            }
        }
    }

    @Test func `nothing returned is no result`() async throws {
        try await Self.run { client, _ in
            let worker = Worker(client, queue: "q") { _ in }
            try await Self.working([worker]) {
                let info = try await Queue("q", client).add("void").wait()
                #expect(info.result == RawPayload.none)
                #expect(try info.result(as: Int?.self) == nil)
            }
        }
    }

    @Test func `an answer that the broken connection took with it comes after the resume`() async throws {
        try await Self.run { client, server in
            try await server.with { $0.dropsAfter = .add }
            let job = try await Queue("q", client).add("once")
            #expect(job.id == JobID(rawValue: 1))
            #expect(try await server.with { $0.jobs.count } == 1)
            #expect(try await server.with { $0.received.count } == 1)
        }
    }

    @Test func `an add that the broken connection took with it is sent again`() async throws {
        try await Self.run { client, server in
            try await server.with { $0.dropsBefore = .add }
            let job = try await Queue("q", client).add("once")
            #expect(job.id == JobID(rawValue: 1))
            #expect(try await server.with { $0.received.map(\.1) } == [1])
        }
    }

    @Test func `a completion survives its connection, before and after it was applied`() async throws {
        for isApplied in [true, false] {
            try await Self.run { client, server in
                try await server.with {
                    if isApplied { $0.dropsAfter = .complete } else { $0.dropsBefore = .complete }
                }
                let runs = Counter()
                let worker = Worker(client, queue: "q") { _ in runs.increment() }
                try await Self.working([worker]) {
                    let job = try await Queue("q", client).add("once")
                    #expect(try await job.wait().state == .completed)
                }
                #expect(runs.value == 1)
                #expect(try await server.with { $0.completed } == 1)
            }
        }
    }

    @Test func `jobs that run keep their leases over a resume, and their credits come back`() async throws {
        try await Self.run { client, server in
            let (started, open) = (Counter(), OneShot())
            let worker = Worker(client, queue: "q", concurrency: 2) { _ in
                started.increment()
                await open.wait()
            }
            try await Self.working([worker]) {
                let queue = Queue("q", client)
                let jobs = try await queue.addBulk((0..<4).map { NewJob("job \($0)") })
                await started.wait(for: 2)
                try await server.with { $0.connections.forEach { $0.drop() } }
                _ = try await queue.job(jobs[0].id)
                open.fire()
                for job in jobs { #expect(try await job.wait().state == .completed) }
            }
            #expect(started.value == 4)
            #expect(try await server.with { $0.released } == 0)
        }
    }

    @Test func `a session that the server forgot fails what was sent and goes on with the rest`() async throws {
        try await Self.run { client, server in
            let queue = Queue("q", client)
            try await queue.add("first")
            try await server.with { $0.isHolding = true }
            async let lost: JobHandle = queue.add("lost")
            while try await server.with({ $0.jobs.count }) < 2 { await Task.yield() }
            try await server.with {
                $0.sessions = [:]
                $0.isHolding = false
                $0.connections.forEach { $0.drop() }
            }
            do {
                _ = try await lost
                Issue.record("the outcome was known")
            } catch {
                let error = try #require(error as? PenstockError)
                #expect(error.code == .outcomeUnknown)
                #expect(!error.isRetryable)
            }
            #expect(try await queue.add("next").id == JobID(rawValue: 3))
        }
    }

    @Test func `a revoked job's task is cancelled, and the slot goes on`() async throws {
        try await Self.run { client, server in
            let (started, cancelled) = (OneShot(), OneShot())
            let worker = Worker(client, queue: "q") { job in
                guard job.name == "long" else { return }
                await withTaskCancellationHandler {
                    started.fire()
                    await cancelled.wait()
                } onCancel: {
                    cancelled.fire()
                }
                #expect(Task.isCancelled)
            }
            try await Self.working([worker]) {
                let long = try await Queue("q", client).add("long")
                await started.wait()
                let id = long.id.rawValue
                try await server.with { $0.revoke(job: id) }
                await cancelled.wait()
                let next = try await Queue("q", client).add("next")
                #expect(try await next.wait().state == .completed)
                #expect(try await long.state() == .cancelled)
            }
        }
    }

    @Test func `a worker that shuts down lets its jobs finish, and gives back what it has not begun`() async throws {
        try await Self.run { client, server in
            let (started, open) = (OneShot(), OneShot())
            let worker = Worker(client, queue: "q") { _ in
                started.fire()
                await open.wait()
            }
            let job = try await Queue("q", client).add("running")
            async let running: Void = worker.run()
            await started.wait()
            worker.shutDown()
            open.fire()
            try await running
            #expect(try await job.wait().state == .completed)
            #expect(try await server.with { $0.connections.allSatisfy(\.streams.isEmpty) })
        }
    }

    @Test func `a worker cancels what does not finish in time, and gives it back`() async throws {
        try await Self.run { client, server in
            let (started, cancelled) = (OneShot(), OneShot())
            let worker = Worker(client, queue: "q", options: .init(shutdownTimeout: .milliseconds(1))) { _ in
                await withTaskCancellationHandler {
                    started.fire()
                    await cancelled.wait()
                } onCancel: {
                    cancelled.fire()
                }
                try Task.checkCancellation()
            }
            let job = try await Queue("q", client).add("running")
            async let running: Void = worker.run()
            await started.wait()
            worker.shutDown()
            try await running
            // Nobody waits for the answer to a give-back; it has been sent when run() returns.
            while try await server.with({ $0.released }) == 0 { await Task.yield() }
            #expect(try await job.state() == .waiting)
        }
    }

    @Test func `the end of the client waits for outcomes, and says goodbye`() async throws {
        try await TestServer.run { server in
            try await PenstockClient.withClient(server.address) { client in
                try await Queue("q", client).add("job")
            }
            #expect(try await server.with { $0.sessions.isEmpty })
        }
    }

    @Test func `after the end requests fail, and run() can't be called again`() async throws {
        try await TestServer.run { server in
            let client = PenstockClient(server.address)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await client.run() }
                try await Queue("q", client).add("job")
                client.shutDown()
                try await group.waitForAll()
            }
            let late = await #expect(throws: PenstockError.self) { try await Queue("q", client).add("late") }
            #expect(late?.code == .shutDown)
            let again = await #expect(throws: PenstockError.self) { try await client.run() }
            #expect(again?.code == .alreadyRunning)
        }
    }

    @Test func `a request whose task is cancelled ends, connected or not`() async throws {
        let client = PenstockClient(.tcp(host: "127.0.0.1", port: 1))
        let add = Task { try await Queue("q", client).add("job") }
        add.cancel()
        let error = await #expect(throws: PenstockError.self) { try await add.value }
        #expect(error?.code == .cancelled)
    }

    @Test func `a client that never reaches its server ends when it is asked to`() async throws {
        try await PenstockClient.withClient(.tcp(host: "127.0.0.1", port: 1)) { client in
            let timeout = await #expect(throws: PenstockError.self) {
                try await client.wait(JobView.self, .job(.init(1)), timeout: .milliseconds(1))
            }
            #expect(timeout?.code == .timedOut)
        }
    }

    @Test func `thousands of jobs run once each, over many slots`() async throws {
        try await Self.run { client, server in
            let sum = Counter()
            let worker = Worker(client, queue: "q", concurrency: 64) { (job: Job<Int>) in
                if job.data % 7 == 0 { await Task.yield() }
                sum.increment(by: job.data)
            }
            try await Self.working([worker]) {
                let jobs = try await Queue("q", client).addBulk((1...5000).map { NewJob("n", data: $0) })
                for job in jobs { try await job.wait() }
            }
            #expect(sum.value == 5000 * 5001 / 2)
            #expect(try await server.with { $0.completed } == 5000)
        }
    }
}
