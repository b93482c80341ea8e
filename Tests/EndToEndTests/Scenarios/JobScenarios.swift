import Penstock
import PenstockTesting
import TestSupport
import Testing

@Suite(.inTurns) struct `Jobs` {
    @Test func `a job that fails once succeeds at its second attempt`() async throws {
        try await withPenstock { server, client in
            let job = try await Queue("q", client).add(
                "x",
                options: JobOptions(attempts: 3, backoff: .fixed(.seconds(300)))
            )
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) -> Int in
                if job.attempt == 1 { throw Broken("the first time") }
                return job.attempt
            }
            try await running(worker) {
                #expect(try await eventually { try await job.state() == .delayed })
                let info = try await job.info()
                #expect(info.attemptsMade == 1)
                #expect(info.failure?.message == "the first time")
                #expect(info.dueIn.map { $0 > .seconds(200) } == true)
                server.advance(by: .seconds(200))
                #expect(try await job.state() == .delayed)
                server.advance(by: .seconds(101))
                #expect(try await job.result(as: Int.self) == 2)
                let done = try await job.info()
                #expect((done.attemptsMade, done.attemptsStarted) == (2, 2))
            }
        }
    }

    @Test func `an exponential backoff doubles, up to its maximum`() async throws {
        try await withPenstock { server, client in
            let backoff = Backoff.exponential(.seconds(1000), maximum: .seconds(3000))
            let job = try await Queue("q", client).add("x", options: JobOptions(attempts: 5, backoff: backoff))
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in throw Broken() }
            try await running(worker) {
                for (attempt, wait) in [1000, 2000, 3000, 3000].enumerated() {
                    #expect(
                        try await eventually {
                            let info = try await job.info()
                            return info.state == .delayed && info.attemptsMade == attempt + 1
                        }
                    )
                    let due = try await job.info().dueIn ?? .zero
                    #expect(due > .seconds(wait - 300) && due <= .seconds(wait))
                    server.advance(by: .seconds(wait))
                }
                #expect(try await job.wait().cause == .error)
            }
        }
    }

    @Test func `an unrecoverable error and undecodable data fail at once, RetryAfter waits as it says`() async throws {
        try await withPenstock { server, client in
            let queue = Queue("q", client)
            let fatal = try await queue.add("fatal", data: 1, options: JobOptions(attempts: 5))
            let text = try await queue.add("text", data: "no number", options: JobOptions(attempts: 5))
            let later = try await queue.add("later", data: 2, options: JobOptions(attempts: 5))
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                if job.name == "fatal" { throw UnrecoverableError("never") }
                if job.attempt == 1 { throw RetryAfter(.seconds(77)) }
            }
            try await running(worker) {
                let info = try await fatal.wait()
                #expect((info.cause, info.attemptsMade) == (.unrecoverable, 1))
                #expect(try await text.wait().state == .failed)
                #expect(try await eventually { try await later.state() == .delayed })
                let due = try await later.info().dueIn ?? .zero
                #expect(due > .seconds(70) && due <= .seconds(77))
                server.advance(by: .seconds(78))
                #expect(try await later.wait().state == .completed)
            }
        }
    }

    @Test func `nothing, null and a value are told apart`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            let nothing = try await Queue("void", client).add("x")
            let null = try await queue.add("null")
            let value = try await queue.add("value")
            #expect(try await null.info().result == nil)
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) -> Int? in job.name == "null" ? nil : 5 }
            let void = Worker(client, queue: "void") { (job: Job<RawPayload>) in }
            try await running(worker, void) {
                #expect(try await null.wait().result == RawPayload(bytes: Array("null".utf8), kind: .json))
                #expect(try await null.result(as: Int?.self) == nil)
                #expect(try await value.result(as: Int?.self) == 5)
                let info = try await nothing.wait()
                #expect(info.state == .completed)
                #expect(info.result == RawPayload.none)
            }
            #expect(await code { try await client.job(JobID(rawValue: 4711)) } == .jobNotFound)
            #expect(await code { try await client.flow(FlowID(rawValue: 4711)) } == .flowNotFound)
            #expect(await code { try await queue.job(customID: "none") } == .jobNotFound)
        }
    }

    @Test func `large data and large results come back as they were`() async throws {
        try await withPenstock { _, client in
            let bytes = (0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in
                RawPayload(bytes: job.data.bytes.reversed())
            }
            try await running(worker) {
                let job = try await Queue("q", client).add("x", data: RawPayload(bytes: bytes))
                let info = try await job.wait()
                #expect(info.data.bytes == bytes)
                #expect(info.result?.bytes == bytes.reversed())
            }
        }
    }

    @Test func `many large children's values are all read, however many ask at once`() async throws {
        try await withPenstock { _, client in
            let children = Worker(client, queue: "children", concurrency: 4) { (job: Job<Int>) in
                RawPayload(bytes: [UInt8](repeating: UInt8(job.data), count: 700_000))
            }
            let parents = Worker(client, queue: "parents", concurrency: 16) { (job: Job<RawPayload>) -> Int in
                try await job.childrenValues(as: RawPayload.self).values.reduce(0) { $0 + $1.bytes.count }
            }
            var flow = Flow()
            let nodes = (0..<4).map { flow.add("child", queue: "children", data: $0) }
            for _ in 0..<16 { flow.add("parent", queue: "parents", after: nodes.map { FlowDependency($0) }) }
            let handle = try await FlowProducer(client).add(flow)
            try await running(children, parents) {
                let summary = try await handle.wait()
                #expect(summary.status == .completed)
                for parent in handle.jobs(named: "parent") {
                    #expect(try await parent.result(as: Int.self) == 2_800_000)
                }
            }
        }
    }

    @Test func `priorities come first, then the order of the adds, lifo before it`() async throws {
        try await withPenstock { _, client in
            let record = Record<String>()
            let queue = Queue("q", client)
            for (name, priority) in [("c1", 10), ("a1", 1), ("b1", 5), ("a2", 1), ("c2", 10), ("b2", 5)] {
                try await queue.add(name, options: JobOptions(priority: priority))
            }
            try await queue.add("b0", options: JobOptions(priority: 5, lifo: true))
            try await queue.add("b00", options: JobOptions(priority: 5, lifo: true))
            try await queue.add("first")
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in record.add(job.name) }
            try await running(worker) { await record.wait(for: 9) }
            #expect(record.entries == ["first", "a1", "a2", "b00", "b0", "b1", "b2", "c1", "c2"])
        }
    }

    @Test func `a delayed job waits for its time, a dependent with a delay from its release`() async throws {
        try await withPenstock { server, client in
            let record = Record<String>()
            let delayed = try await Queue("q", client).add("delayed", options: JobOptions(delay: .seconds(3600)))
            var flow = Flow()
            let root = flow.add("root", queue: "q")
            let leaf = flow.add("leaf", queue: "q", options: JobOptions(delay: .seconds(7200)), after: root)
            let handle = try await FlowProducer(client).add(flow)
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in record.add(job.name) }
            try await running(worker) {
                try await handle[root].wait()
                #expect(try await handle[leaf].state() == .delayed)
                #expect(try await delayed.state() == .delayed)
                server.advance(by: .seconds(3601))
                try await delayed.wait()
                #expect(try await handle[leaf].state() == .delayed)
                server.advance(by: .seconds(3601))
                try await handle.wait()
            }
            #expect(record.entries == ["root", "delayed", "leaf"])
        }
    }

    @Test func `delayed jobs fall due after a crash, too`() async throws {
        try await withPenstock { server, client in
            let record = Record<String>()
            let queue = Queue("q", client)
            let soon = try await queue.add("soon", options: JobOptions(delay: .seconds(100)))
            let late = try await queue.add("late", options: JobOptions(delay: .seconds(100_000)))
            server.crash()
            try server.start()
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in record.add(job.name) }
            try await running(worker) {
                server.advance(by: .seconds(101))
                try await soon.wait()
                #expect(try await late.state() == .delayed)
                server.advance(by: .seconds(100_000))
                try await late.wait()
            }
            #expect(record.entries == ["soon", "late"])
        }
    }

    @Test func `a custom id keeps the stored job, or refuses on request`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            let first = try await queue.add("first", data: 1, options: JobOptions(id: "mine"))
            #expect(!first.isExisting)
            let again = try await queue.add("again", data: 2, options: JobOptions(id: "mine"))
            #expect(again.isExisting)
            #expect(again.id == first.id)
            #expect(try await again.info().data(as: Int.self) == 1)
            let other = try await Queue("other", client).add("x", options: JobOptions(id: "mine"))
            #expect(other.id != first.id)
            let strict = JobOptions(id: "mine", rejectExisting: true)
            #expect(await code { try await queue.add("x", options: strict) } == .customIDExists)
            #expect(try await queue.job(customID: "mine").id == first.id)
            #expect(try await queue.counts().total == 1)
        }
    }

    @Test func `a whole flow of custom ids can be added again and changes nothing`() async throws {
        try await withPenstock { _, client in
            func flow() -> Flow {
                var flow = Flow("again")
                let a = flow.add("a", queue: "q", options: JobOptions(id: "a"))
                flow.add("b", queue: "q", options: JobOptions(id: "b"), after: a)
                return flow
            }
            let producer = FlowProducer(client)
            let first = try await producer.add(flow())
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in }
            try await running(worker) { try await first.wait() }
            let second = try await producer.add(flow())
            #expect(second.jobs.map(\.id) == first.jobs.map(\.id))
            let areExisting = second.jobs.map(\.isExisting)
            #expect(areExisting == [true, true])
            #expect(try await Queue("q", client).counts().completed == 2)
            #expect(try await second.jobs[1].info().dependencies.total == 1)
        }
    }

    @Test func `a bulk of jobs is added whole, in order`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            let handles = try await queue.addBulk((0..<500).map { NewJob("n", data: $0) })
            #expect(handles.count == 500)
            #expect(handles.map(\.id) == handles.map(\.id).sorted())
            let bad = [NewJob("good"), NewJob("bad", options: JobOptions(id: "12"))]
            #expect(await code { try await queue.addBulk(bad) } == .invalidCustomID)
            #expect(try await queue.counts().waiting == 500)
        }
    }
}
