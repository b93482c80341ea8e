import Penstock
import PenstockTesting
import TestSupport
import Testing

@Suite(.inTurns) struct `Queues` {
    @Test func `25: one of 25 jobs runs, 24 wait, and the bound of the queue holds for all of its workers`()
        async throws
    {
        try await withPenstock { _, client in
            let queue = Queue("one", client)
            try await queue.setConcurrency(1)
            let (begun, gate) = (Record<Int>(), Gate())
            let workers = (0..<2).map { number in
                Worker(client, queue: "one", concurrency: 4) { (job: Job<Int>) in
                    begun.add(job.data)
                    if job.data == 0 { await gate.pass() }
                }
            }
            try await queue.addBulk((0..<25).map { NewJob("n", data: $0) })
            try await running(workers[0], workers[1]) {
                await begun.wait(for: 1)
                let counts = try await queue.counts()
                #expect((counts.active, counts.waiting) == (1, 24))
                gate.open()
                await begun.wait(for: 25)
            }
            #expect(begun.entries == Array(0..<25))
            #expect(try await queue.settings().concurrency == 1)
        }
    }

    @Test func `27: three jobs of a rate begin in a window, on two workers together, and the rest waits`() async throws
    {
        try await withPenstock { server, client in
            let queue = Queue("q", client)
            try await queue.setRateLimit(RateLimit(max: 3, per: .seconds(15)))
            let begun = Record<Int>()
            let workers = (0..<2).map { _ in
                Worker(client, queue: "q", concurrency: 3) { (job: Job<Int>) in begun.add(job.data) }
            }
            try await queue.addBulk((0..<8).map { NewJob("n", data: $0) })
            try await running(workers[0], workers[1]) {
                for window in 1...3 {
                    let expected = min(3 * window, 8)
                    await begun.wait(for: expected)
                    #expect(try await eventually { try await queue.counts().completed == expected })
                    let info = try await queue.info()
                    #expect(info.counts.waiting == 8 - expected && begun.count == expected)
                    #expect((info.limitedFor != nil) == (window < 3))
                    if window < 3 { server.advanceLeases(by: .seconds(15)) }
                }
            }
            #expect(Set(begun.entries) == Set(0..<8))
        }
    }

    @Test func `a paused queue keeps its jobs, and goes on where it was`() async throws {
        try await withPenstock { server, client in
            let queue = Queue("q", client)
            let (begun, gate) = (Record<Int>(), Gate())
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                begun.add(job.data)
                if job.data == 0 { await gate.pass() }
            }
            try await queue.addBulk((0..<5).map { NewJob("n", data: $0) })
            try await running(worker) {
                await begun.wait(for: 1)
                try await queue.pause()
                gate.open()
                #expect(try await eventually { try await queue.counts().completed == 1 })
                try server.restart()
                let info = try await queue.info()
                #expect(info.settings.isPaused && info.counts.waiting == 4 && begun.count == 1)
                try await queue.resume()
                await begun.wait(for: 5)
            }
            #expect(begun.entries == [0, 1, 2, 3, 4])
        }
    }

    @Test func `the options of a queue are those of jobs that do not give them`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            let defaults = JobOptions(
                priority: 5,
                attempts: 3,
                backoff: .fixed(.seconds(2)),
                onFailure: .ignore,
                keepCompleted: Retention(count: 7)
            )
            try await queue.setDefaults(defaults)
            #expect(try await queue.settings().defaults == defaults)
            let plain = try await queue.add("plain").info().options
            #expect((plain.priority, plain.attempts, plain.onFailure) == (5, 3, .ignore))
            #expect(plain.backoff == .fixed(.seconds(2)))
            // What is given wins, also where it is what it would be without any default.
            let own = try await queue.add("own", options: JobOptions(priority: 0, attempts: 1)).info().options
            #expect((own.priority, own.attempts, own.onFailure) == (0, 1, .ignore))
            let producer = FlowProducer(client, defaults: JobOptions(attempts: 2))
            let produced = try await producer.add("produced", queue: "q").info().options
            #expect((produced.priority, produced.attempts) == (5, 2))
            #expect(await code { try await queue.setDefaults(JobOptions(id: "one")) } == .invalidOption)
            try await queue.setDefaults(JobOptions())
            #expect(try await queue.add("later").info().options.attempts == 1)
        }
    }

    @Test func `a full queue refuses adds, and takes the retries of its own jobs`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            try await queue.setMaximumLength(2)
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in
                if job.attemptsMade == 0 { throw Broken() }
            }
            let job = try await queue.add("a", options: JobOptions(attempts: 2))
            let other = try await queue.add("b", options: JobOptions(attempts: 2))
            #expect(await code { try await queue.add("c") } == .queueFull)
            try await running(worker) {
                for job in [job, other] {
                    let info = try await job.wait()
                    #expect(info.state == .completed)
                }
            }
            try await queue.add("c")
            #expect(await code { try await queue.setMaximumLength(0) } == .invalidOption)
            try await queue.setMaximumLength(nil)
            try await queue.addBulk((0..<5).map { NewJob("\($0)") })
        }
    }

    @Test func `a handler that meets a rate gives its job back, and its queue rests`() async throws {
        try await withPenstock { server, client in
            let queue = Queue("q", client)
            let begun = Record<Int>()
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                begun.add(job.data)
                if job.attemptsStarted == 1 && job.data == 0 { throw RateLimited(for: .seconds(15)) }
            }
            let jobs = try await queue.addBulk((0..<2).map { NewJob("n", data: $0) })
            try await running(worker) {
                await begun.wait(for: 1)
                let rests = try await eventually { try await queue.info().limitedFor != nil }
                #expect(rests)
                let waiting = try await queue.counts().waiting
                #expect(waiting == 2)
                server.advanceLeases(by: .seconds(15))
                for job in jobs { try await job.wait() }
            }
            #expect(begun.entries == [0, 0, 1])
            let info = try await jobs[0].info()
            #expect((info.attemptsMade, info.attemptsStarted) == (1, 2))
        }
    }

    @Test func `delayed jobs are promoted, one or all`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            let hour = JobOptions(delay: .seconds(3600))
            let jobs = try await queue.addBulk((0..<3).map { NewJob("\($0)", options: hour) })
            try await jobs[2].promote()
            #expect(await code { try await jobs[2].promote() } == .wrongState)
            #expect(try await queue.promoteAll() == 2)
            var waiting: [JobID] = []
            for try await page in queue.jobs(in: .waiting, count: 2) { waiting += page.map(\.id) }
            #expect(waiting == [jobs[2].id, jobs[0].id, jobs[1].id])
        }
    }

    @Test func `jobs, priorities and queues are listed page by page`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            let flow = try await FlowProducer(client).add(
                FlowJob("parent", queue: "q", options: JobOptions(id: "mine")) { FlowJob("child", queue: "children") }
            )
            let jobs = try await queue.addBulk(
                (0..<7).map { NewJob("\($0)", options: JobOptions(priority: $0 % 3)) }
            )
            var names: [[String]] = []
            for try await page in queue.jobs(in: .waiting, count: 3) { names.append(page.map(\.name)) }
            #expect(names == [["0", "3", "6"], ["1", "4", "2"], ["5"]])
            names = []
            for try await page in queue.jobs(in: .waiting, order: .descending, count: 5) {
                names.append(page.map(\.name))
            }
            #expect(names == [["5", "2", "4", "1", "6"], ["3", "0"]])
            for try await page in queue.jobs(in: .waitingChildren) {
                #expect(page.map(\.id) == [flow.root.id] && page[0].customID == "mine" && page[0].flow != nil)
            }
            var counts: [PriorityCount] = []
            for try await page in queue.priorities(count: 2) { counts += page }
            #expect(counts.map(\.priority) == [0, 1, 2] && counts.map(\.waiting) == [3, 2, 2])
            try await Queue("paused", client).pause()
            var queues: [QueueSummary] = []
            for try await page in client.queues(count: 2) { queues += page }
            #expect(Set(queues.map(\.name)) == ["q", "children", "paused"])
            #expect(queues.filter(\.isPaused).map(\.name) == ["paused"])
            #expect(queues.first { $0.name == "q" }?.counts.waiting == 7)
            #expect(await code { for try await _ in Queue("none", client).jobs(in: .failed) {} } == .queueNotFound)
            #expect(try await queue.obliterate() == 8)
            #expect(jobs.count == 7)
        }
    }
}
