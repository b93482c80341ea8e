import Penstock
import PenstockTesting
import TestSupport
import Testing

/// Adds that count as one.
@Suite(.inTurns) struct `Deduplication of jobs` {
    @Test func `an id is held until its job has completed`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            let options = JobOptions(deduplication: .init("order"))
            let first = try await queue.add("first", data: 1, options: options)
            #expect(!first.isExisting && !first.isDeduplicated)
            let second = try await queue.add("second", data: 2, options: options)
            #expect(second.id == first.id && second.isExisting && second.isDeduplicated && !second.isKept)
            #expect(try await first.info().options.deduplication == .init("order"))
            #expect(try await queue.deduplication("order")?.job == first.id)
            #expect(try await queue.deduplication("order")?.endsIn == nil)
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in job.data }
            try await running(worker) {
                let result = try await second.result(as: Int.self)
                #expect(result == 1)
            }
            #expect(try await queue.deduplication("order") == nil)
            let third = try await queue.add("third", data: 3, options: options)
            #expect(third.id != first.id && !third.isExisting)
            #expect(try await queue.counts().total == 2)
        }
    }

    @Test func `a throttled id is held for its time, though its job has completed`() async throws {
        try await withPenstock { server, client in
            let queue = Queue("q", client)
            let options = JobOptions(deduplication: .throttled("alert", for: .seconds(300)))
            let first = try await queue.add("first", options: options)
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in }
            try await running(worker) { try await first.wait() }
            server.advance(by: .seconds(299))
            #expect(try await queue.add("second", options: options).id == first.id)
            server.advance(by: .seconds(2))
            #expect(try await queue.deduplication("alert") == nil)
            #expect(try await !queue.add("third", options: options).isExisting)
        }
    }

    @Test func `of a debounced burst the last job runs, once its delay has passed`() async throws {
        try await withPenstock { server, client in
            let queue = Queue("q", client)
            let options = JobOptions(
                delay: .seconds(5),
                deduplication: .debounced("index", for: .seconds(5))
            )
            var last: JobHandle?
            for number in 0..<5 {
                let job = try await queue.add("n", data: number, options: options)
                #expect(!job.isExisting)
                if let last { #expect(await code { try await last.info() } == .jobNotFound) }
                last = job
                server.advance(by: .seconds(4))
            }
            #expect(try await queue.counts().delayed == 1)
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in job.data }
            try await running(worker) {
                server.advance(by: .seconds(2))
                let result = try await last?.result(as: Int.self)
                #expect(result == 4)
            }
            #expect(try await queue.counts().total == 1)
        }
    }

    @Test func `a delayed job gives way to the next one, and one that waits does not`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            let replacing = Deduplication("preview", replace: true)
            let first = try await queue.add("n", options: .init(delay: .seconds(60), deduplication: replacing))
            let second = try await queue.add("n", options: .init(deduplication: replacing))
            #expect(second.id != first.id && !second.isExisting)
            let third = try await queue.add("n", options: .init(deduplication: replacing))
            #expect(third.id == second.id && third.isDeduplicated)
            #expect(try await queue.counts().total == 1)
        }
    }

    @Test func `the last add while the job runs is kept, and runs after it`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            let options = JobOptions(deduplication: .init("sync", keepLastIfActive: true))
            let (record, gate) = (Record<Int>(), Gate())
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                record.add(job.data)
                await gate.pass()
            }
            let first = try await queue.add("n", data: 0, options: options)
            try await running(worker) {
                await record.wait(for: 1)
                for number in 1...3 {
                    let job = try await queue.add("n", data: number, options: options)
                    #expect(job.id == first.id && job.isKept)
                }
                let info = try await queue.deduplication("sync")
                #expect(info?.job == first.id && info?.endsIn == nil && info?.hasKept == true)
                gate.open()
                await record.wait(for: 2)
            }
            #expect(record.entries == [0, 3])
            let counts = try await queue.counts()
            #expect((counts.completed, counts.total) == (2, 2))
        }
    }

    @Test func `an id can be freed, whoever holds it or where one job does`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            let options = JobOptions(deduplication: .throttled("a", for: .seconds(300)))
            #expect(await code { try await queue.removeDeduplication("a") } == .queueNotFound)
            #expect(await code { try await queue.deduplication("a") } == .queueNotFound)
            let first = try await queue.add("first", options: options)
            #expect(try await queue.removeDeduplication("a"))
            #expect(try await !queue.removeDeduplication("a"))
            let second = try await queue.add("second", options: options)
            #expect(second.id != first.id)
            #expect(try await !queue.removeDeduplication("a", heldBy: first.id))
            #expect(try await queue.removeDeduplication("a", heldBy: second.id))
            #expect(await code { try await queue.removeDeduplication("") } == .invalidOption)
        }
    }

    @Test func `of thirty-two connections that add one id at once, one makes a job`() async throws {
        try await withTestServer { server in
            let ids = try await withThrowingTaskGroup(of: [JobHandle].self) { group in
                for number in 0..<32 {
                    group.addTask {
                        try await PenstockClient.withClient(server.address) { client in
                            let queue = Queue("q", client)
                            var jobs: [JobHandle] = []
                            for round in 0..<10 {
                                let options = JobOptions(deduplication: .init("round \(round)"))
                                if number % 2 == 0 {
                                    jobs.append(try await queue.add("n", data: number, options: options))
                                } else {
                                    let two = (0..<2).map { _ in NewJob("n", data: number, options: options) }
                                    jobs += try await queue.addBulk(two)
                                }
                            }
                            return jobs
                        }
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(ids.count == 16 * 10 + 16 * 20)
            #expect(Set(ids.map(\.id)).count == 10)
            #expect(ids.count { !$0.isExisting } == 10)
            try await PenstockClient.withClient(server.address) { client in
                let counts = try await Queue("q", client).counts()
                #expect((counts.waiting, counts.total) == (10, 10))
            }
        }
    }

    @Test func `ids are held over a restart and a crash, and what is kept is there`() async throws {
        try await withPenstock { server, client in
            let queue = Queue("q", client)
            let simple = JobOptions(delay: .seconds(9_000), deduplication: .init("simple"))
            let throttled = JobOptions(delay: .seconds(9_000), deduplication: .throttled("time", for: .seconds(300)))
            let kept = JobOptions(deduplication: .init("kept", keepLastIfActive: true))
            let first = try await queue.add("simple", options: simple)
            let second = try await queue.add("time", options: throttled)
            let (record, gate) = (Record<String>(), Gate())
            let worker = Worker(client, queue: "q") { (job: Job<String>) in
                record.add(job.data)
                await gate.pass()
            }
            let third = try await queue.add("n", data: "first", options: kept)
            try await running(worker) {
                await record.wait(for: 1)
                let job = try await queue.add("n", data: "last", options: kept)
                #expect(job.isKept)
                for isCrash in [true, false] {
                    if isCrash { server.crash() } else { server.stop() }
                    try server.start()
                    let again = try await queue.add("simple", options: simple)
                    #expect(again.id == first.id)
                    let later = try await queue.add("time", options: throttled)
                    #expect(later.id == second.id)
                    let info = try await queue.deduplication("kept")
                    #expect(info?.job == third.id && info?.hasKept == true)
                }
                gate.open()
                _ = try await eventually { record.entries.last == "last" }
            }
            #expect(record.entries.last == "last")
            server.advance(by: .seconds(301))
            #expect(try await queue.add("time", options: throttled).id != second.id)
        }
    }

    @Test func `jobs of a flow are deduplicated where they have nothing to do with the others`() async throws {
        try await withPenstock { _, client in
            let single = JobOptions(deduplication: .init("a"))
            let first = try await Queue("q", client).add("first", options: single)
            var flow = Flow("f")
            flow.add("same", queue: "q", options: single)
            let own = flow.add("own", queue: "q")
            flow.add("end", queue: "q", after: own)
            let handle = try await FlowProducer(client).add(flow)
            #expect(handle.jobs.map(\.isDeduplicated) == [true, false, false])
            #expect(handle.jobs[0].id == first.id)
            #expect(try await handle.status().counts.total == 2)
        }
    }

    @Test func `a deduplication is refused where it has no meaning`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            let producer = FlowProducer(client)
            let options = JobOptions(deduplication: .init("a"))
            func refused(_ options: JobOptions) async -> Bool {
                await code { try await queue.add("n", options: options) } == .invalidOption
            }
            #expect(await refused(JobOptions(deduplication: .init(""))))
            #expect(await refused(JobOptions(deduplication: .init(String(repeating: "x", count: 256)))))
            #expect(await refused(JobOptions(deduplication: .init("a", ttl: .zero))))
            #expect(await refused(JobOptions(deduplication: .init("a", extend: true))))
            #expect(await refused(JobOptions(deduplication: .init("a", ttl: .seconds(1), keepLastIfActive: true))))
            #expect(await refused(JobOptions(id: "own", deduplication: .init("a", keepLastIfActive: true))))
            #expect(await refused(JobOptions(repeatEvery: .seconds(1), deduplication: .init("a"))))
            let parent = FlowJob("parent", queue: "q", options: options) { FlowJob("child", queue: "q") }
            #expect(await code { try await producer.add(parent) } == .invalidOption)
            let child = FlowJob("parent", queue: "q") { FlowJob("child", queue: "q", options: options) }
            #expect(await code { try await producer.add(child) } == .invalidOption)
            #expect(await code { try await queue.setDefaults(options) } == .invalidOption)
            let defaults = FlowProducer(client, defaults: options)
            #expect(await code { try await defaults.add("n", queue: "q") } == .invalidOption)
            #expect(
                await code {
                    try await client.schedulers.upsert(
                        "s",
                        .every(.seconds(1)),
                        adds: .job("n", queue: "q", options: options)
                    )
                } == .invalidOption
            )
            var many = Flow()
            for _ in 0..<10_001 { many.add("n", queue: "q", options: options) }
            let large = many
            #expect(await code { try await producer.add(large) } == .addTooLarge)
            #expect(await code { try await queue.counts() } == .queueNotFound)
        }
    }

    @Test func `what a handler adds has no deduplication`() async throws {
        try await withPenstock { _, client in
            let codes = Record<PenstockError.Code?>()
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in
                let child = FlowJob("child", queue: "c", options: JobOptions(deduplication: .init("a")))
                codes.add(await code { try await job.addChildren([child]) })
            }
            let job = try await Queue("q", client).add("n")
            try await running(worker) { try await job.wait() }
            #expect(codes.entries == [.invalidOption])
        }
    }
}
