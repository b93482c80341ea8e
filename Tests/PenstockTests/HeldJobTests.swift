import DequeModule
import PenstockWire
import Synchronization
import TestSupport
import Testing

@testable import Penstock

/// What a handler does about the job that it runs.
@Suite(.inTurns)
struct HeldJobTests {
    typealias JobID = Penstock.JobID

    private static func square(_ client: PenstockClient) -> Worker {
        Worker(client, queue: "squares", concurrency: 2) { (job: Job<Int>) in job.data * job.data }
    }

    @Test func `a handler adds children, waits for them, and goes on with their values`() async throws {
        try await ClientTests.run { client, server in
            let runs = Counter()
            let sum = Worker(client, queue: "sums") { (job: Job<[Int]>) in
                runs.increment()
                if job.attemptsStarted == 1 {
                    let children = try await job.addChildren(
                        job.data.map { FlowJob("square", queue: "squares", data: $0) }
                    )
                    #expect(children.map(\.name) == ["square", "square", "square"])
                }
                try await job.waitForChildren()
                return try await job.childrenValues(as: Int.self).values.reduce(0, +)
            }
            let job = try await Queue("sums", client).add("sum", data: [1, 2, 3])
            try await ClientTests.working([sum]) {
                while try await job.state() != .waitingChildren { await Task.yield() }
                try await ClientTests.working([Self.square(client)]) {
                    let result = try await job.result(as: Int.self)
                    #expect(result == 14)
                }
            }
            #expect(runs.value == 2)
            #expect(try await server.with { $0.received.map(\.0).filter { $0 == .fail } } == [])
        }
    }

    @Test func `a job moves with new data, and steps on`() async throws {
        struct Steps: Codable, Sendable { var step = 1 }
        try await ClientTests.run { client, _ in
            let steps = Mutex<[Int]>([])
            let worker = Worker(client, queue: "q") { (job: Job<Steps>) in
                var data = job.data
                steps.withLock { $0.append(data.step) }
                data.step += 1
                switch job.data.step {
                case 1: throw Delayed(by: .seconds(1), updating: data)
                case 2:
                    try await job.addChild("square", queue: "squares", data: 3)
                    throw WaitForChildren(updating: data)
                default: return try await job.childrenValues(as: Int.self).values[0]
                }
            }
            let job = try await Queue("q", client).add("job", data: Steps())
            try await ClientTests.working([worker, Self.square(client)]) {
                let result = try await job.result(as: Int.self)
                #expect(result == 9)
            }
            #expect(steps.withLock { $0 } == [1, 2, 3])
            #expect(try await job.info().attemptsMade == 1)
        }
    }

    @Test func `a handler that throws to wait for nothing runs again in its turn`() async throws {
        try await ClientTests.run { client, server in
            let runs = Counter()
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                runs.increment()
                if job.data == 1 { throw WaitForChildren(updating: 2) }
                return job.data
            }
            let job = try await Queue("q", client).add("job", data: 1)
            try await ClientTests.working([worker]) {
                let result = try await job.result(as: Int.self)
                #expect(result == 2)
            }
            #expect(runs.value == 2)
            #expect(try await server.with { $0.received.map(\.0) } == [.add, .move, .move, .complete])
        }
    }

    @Test func `the lower form answers whether the job has moved, and what follows is dropped`() async throws {
        try await ClientTests.run { client, server in
            let answers = Mutex<[Bool]>([])
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                if job.attemptsStarted == 1 { try await job.addChild("square", queue: "squares", data: 2) }
                let hasMoved = try await job.moveToWaitingChildren()
                answers.withLock { $0.append(hasMoved) }
                if hasMoved { throw UnrecoverableError("nobody hears this") }
                return 5
            }
            let job = try await Queue("q", client).add("job", data: 1)
            try await ClientTests.working([worker]) {
                while try await job.state() != .waitingChildren { await Task.yield() }
                try await ClientTests.working([Self.square(client)]) {
                    let result = try await job.result(as: Int.self)
                    #expect(result == 5)
                }
            }
            #expect(answers.withLock { $0 } == [true, false])
        }
    }

    private static func refusal(ofTwinsIn job: Job<Int>) async -> PenstockError.Code? {
        await refusal {
            try await job.addChildren([
                FlowJob("x", queue: "r", key: "twin"), FlowJob("y", queue: "r", key: "twin"),
            ])
        }
    }

    private static func refusal(ofEmptyKeyIn job: Job<Int>) async -> PenstockError.Code? {
        await refusal { try await job.addChild("x", queue: "r", key: "") }
    }

    /// A function of its own: inlined into a handler, the release compiler can't take it.
    @inline(never)
    private static func refusal(_ body: () async throws -> some Any) async -> PenstockError.Code? {
        do { _ = try await body() } catch let error as PenstockError { return error.code } catch { return nil }
        return nil
    }

    @Test func `children have keys and conditions, and what is below a key has one too`() async throws {
        try await ClientTests.run { client, server in
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                try await job.addChildren {
                    FlowJob("leaf", queue: "r", condition: .whatever, key: "leaf")
                    FlowJob("tree", queue: "r", options: JobOptions(onFailure: .ignore), key: "tree") {
                        FlowJob("left", queue: "r")
                        FlowJob("right", queue: "r", key: "mine")
                    }
                }
                var flow = Flow("whole")
                let a = flow.add("a", queue: "r")
                flow.add("b", queue: "r", after: a)
                let handle = try await job.addFlow(flow, key: "w", onFailure: .wait)
                #expect(handle.jobs.map(\.name) == ["a", "b"])
                #expect(await HeldJobTests.refusal(ofTwinsIn: job) == .duplicateCustomID)
                #expect(await HeldJobTests.refusal(ofEmptyKeyIn: job) == .invalidOption)
                throw UnrecoverableError("enough")
            }
            try await ClientTests.working([worker]) {
                try await Queue("q", client).add("job", data: 1).wait()
            }
            let adds = try await server.with { $0.adds }
            try #require(adds.count == 3)
            let (children, whole) = (adds[1].items, adds[2].items)
            #expect(children.map(\.kind) == [.job, .flow])
            #expect(children.map(\.child) == [ChildFields(condition: .whatever), ChildFields()])
            #expect(children[0].nodes.map(\.childKey) == ["leaf"])
            let keys = Dictionary(uniqueKeysWithValues: children[1].nodes.map { ($0.name, $0.childKey) })
            #expect(keys == ["tree": "tree", "left": "tree/1", "right": "mine"])
            #expect(whole.map(\.child) == [ChildFields(policy: .wait)])
            #expect(whole[0].nodes.map(\.childKey) == ["w/0", "w/1"])
        }
    }

    @Test func `a job completes and adds what follows in one command`() async throws {
        try await ClientTests.run { client, server in
            let ended = OneShot()
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                let flows = try await job.complete(job.data * 2, adding: [FlowJob("next", queue: "r")])
                #expect(flows.count == 1)
                #expect(try await flows[0].root.state() == .waiting)
                ended.fire()
                throw UnrecoverableError("nobody hears this")
            }
            let job = try await Queue("q", client).add("job", data: 21)
            try await ClientTests.working([worker]) {
                let result = try await job.result(as: Int.self)
                #expect(result == 42)
                await ended.wait()
            }
            #expect(try await server.with { $0.received.map(\.0) } == [.add, .addHeld])
        }
    }

    @Test func `a completion with pending children has failed the attempt, and is not told twice`() async throws {
        try await ClientTests.run { client, server in
            try await server.with { $0.scripted[.addHeld] = [WireError(.unresolvedDependencies, "3 are open")] }
            let tried = OneShot()
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                defer { tried.fire() }
                try await job.complete(1, adding: [FlowJob("next", queue: "r")])
            }
            try await Queue("q", client).add("job", data: 1)
            try await ClientTests.working([worker]) { await tried.wait() }
            #expect(try await server.with { $0.received.map(\.0) } == [.add, .addHeld])
        }
    }

    @Test func `a move whose answer is lost moves the job once`() async throws {
        try await ClientTests.run { client, server in
            try await server.with { $0.dropsAfter = .move }
            let runs = Counter()
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                runs.increment()
                if job.attemptsStarted == 1 { throw Delayed(by: .zero) }
                return 1
            }
            let job = try await Queue("q", client).add("job", data: 1)
            try await ClientTests.working([worker]) {
                let result = try await job.result(as: Int.self)
                #expect(result == 1)
            }
            #expect(runs.value == 2)
            #expect(try await server.with { $0.received.map(\.0).filter { $0 == .move }.count } == 1)
        }
    }

    @Test func `a job that can't be moved now is given back, and has not failed`() async throws {
        try await ClientTests.run { client, server in
            try await server.with { $0.scripted[.move] = [WireError(.full, "no room")] }
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                if job.attemptsStarted == 1 { throw Delayed(by: .seconds(1)) }
                return job.data
            }
            let job = try await Queue("q", client).add("job", data: 1)
            try await ClientTests.working([worker]) {
                let result = try await job.result(as: Int.self)
                #expect(result == 1)
            }
            let released = try await server.with { $0.released }
            #expect(released == 1)
            #expect(try await job.info().attemptsMade == 1)
        }
    }

    @Test func `data that is too large for the next run fails the job with a clear message`() async throws {
        try await ClientTests.run { client, _ in
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                throw WaitForChildren(updating: [UInt8](repeating: 0, count: 1 << 20 + 1))
            }
            let job = try await Queue("q", client).add("job", data: 1)
            try await ClientTests.working([worker]) {
                let message = try await job.wait().failure?.message
                #expect(message?.contains("at most 1048576") == true)
            }
        }
    }
}
