import Penstock
import PenstockTesting
import TestSupport
import Testing

/// Workers that have their next jobs at hand.
@Suite(.inTurns) struct `Prefetch` {
    /// A worker that prefetches and does nothing.
    private func idle(_ client: PenstockClient, _ queue: String) -> Worker {
        Worker(client, queue: queue, options: .init(prefetch: 1)) { (job: Job<RawPayload>) in }
    }

    private func recorder(_ client: PenstockClient, _ record: Record<Int>) -> Worker {
        Worker(client, queue: "q") { (job: Job<Int>) in record.add(job.data) }
    }

    /// The one worker comes to run so many jobs, and to have so many at hand.
    private func holds(_ client: PenstockClient, _ held: Int, _ reserved: Int) async throws -> Bool {
        try await eventually {
            let info = try await client.workers().first
            return info?.held == held && info?.reserved == reserved
        }
    }

    @Test(arguments: [(0, 1), (3, 4)])
    func `while the way to the server takes its time, a worker runs what it has at hand`(
        prefetch: Int,
        expected: Int
    ) async throws {
        try await withPassage { passage, client, distant in
            let (begun, ended, gate) = (Record<Int>(), Record<Int>(), Gate())
            let queue = Queue("q", client)
            try await queue.addBulk((0..<10).map { NewJob("n", data: $0) })
            let worker = Worker(distant, queue: "q", options: .init(prefetch: prefetch)) { (job: Job<Int>) in
                begun.add(job.data)
                await gate.pass()
                ended.add(job.data)
            }
            try await running(worker) {
                await begun.wait(for: 1)
                passage.block()
                gate.open()
                // Nothing comes from the server, and no more can begin than has come before.
                await ended.wait(for: expected)
                #expect(begun.entries == Array(0..<expected))
                passage.unblock()
                await ended.wait(for: 10)
            }
            #expect(try await eventually { try await queue.counts().completed == 10 })
            #expect(begun.entries == Array(0..<10))
        }
    }

    @Test func `a paused queue has nothing at hand, and what never began was never started`() async throws {
        try await withPenstock { _, client in
            let (begun, gate) = (Record<Int>(), Gate())
            let queue = Queue("q", client)
            let jobs = try await queue.addBulk((0..<6).map { NewJob("n", data: $0) })
            let worker = Worker(client, queue: "q", options: .init(prefetch: 3)) { (job: Job<Int>) in
                begun.add(job.data)
                if job.data == 0 { await gate.pass() }
            }
            try await running(worker) {
                await begun.wait(for: 1)
                #expect(try await eventually { try await queue.workers().first?.reserved == 3 })
                #expect(try await eventually { try await queue.workers().first?.held == 1 })
                let counts = try await queue.counts()
                #expect((counts.active, counts.waiting) == (1, 5))
                try await queue.pause()
                #expect(try await eventually { try await queue.workers().first?.reserved == 0 })
                gate.open()
                #expect(try await jobs[0].wait().state == .completed)
                for job in jobs[1...] {
                    let info = try await job.info()
                    #expect((info.state, info.attemptsStarted, info.stalledCount) == (.waiting, 0, 0))
                }
                #expect(begun.entries == [0])
                try await queue.resume()
                for job in jobs {
                    let info = try await job.wait()
                    #expect((info.state, info.attemptsStarted) == (.completed, 1))
                }
            }
        }
    }

    @Test func `a worker that pauses, or ends, leaves what it has at hand to others`() async throws {
        try await withPenstock { _, client in
            let (first, second, gate) = (Record<Int>(), Record<Int>(), Gate())
            let queue = Queue("q", client)
            let jobs = try await queue.addBulk((0..<8).map { NewJob("n", data: $0, options: .init(maxStarted: 1)) })
            let holder = Worker(client, queue: "q", options: .init(name: "holder", prefetch: 7)) { (job: Job<Int>) in
                first.add(job.data)
                await gate.pass()
            }
            try await running(holder) {
                await first.wait(for: 1)
                #expect(try await eventually { try await queue.workers().first?.reserved == 7 })
                holder.pause()
                try await running(recorder(client, second)) { await second.wait(for: 7) }
                #expect(second.entries == Array(1..<8))
                holder.resume()
                let more = try await queue.addBulk((8..<12).map { NewJob("n", data: $0) })
                #expect(try await eventually { try await queue.workers().first?.reserved == 4 })
                holder.shutDown()
                try await running(recorder(client, second)) { await second.wait(for: 11) }
                gate.open()
                for job in more { #expect(try await job.wait().attemptsStarted == 1) }
            }
            for job in jobs { #expect(try await job.wait().attemptsStarted == 1) }
            #expect(first.entries == [0])
        }
    }

    @Test func `prefetch goes with several queues, weights, and a concurrency that changes`() async throws {
        try await withPenstock { _, client in
            let (done, gates) = (Record<String>(), (0..<30).map { _ in Gate() })
            let options = Worker.Options(weights: ["a": 2], prefetch: 4)
            let worker = Worker(client, queues: ["a", "b"], options: options) { (job: Job<Int>) in
                await gates[job.data].pass()
                done.add(job.queue)
            }
            try await Queue("a", client).addBulk((0..<20).map { NewJob("n", data: $0) })
            try await Queue("b", client).addBulk((20..<30).map { NewJob("n", data: $0) })
            try await running(worker) {
                let isFull = try await holds(client, 1, 4)
                #expect(isFull)
                worker.concurrency = 3
                #expect(try await holds(client, 3, 4))
                worker.concurrency = 1
                // Three run still: of what is at hand, as much goes back as is too much.
                #expect(try await holds(client, 3, 2))
                for gate in gates { gate.open() }
                await done.wait(for: 30)
                #expect(try await eventually { try await client.workers().first?.free == 5 })
            }
            #expect(done.entries.count { $0 == "a" } == 20)
            // Roughly as many of a queue in turn as it weighs: two went back, and three ran at once.
            #expect((8...12).contains(done.entries.prefix(15).count { $0 == "a" }))
        }
    }

    @Test func `the jobs of a batch start when it begins, and can be recalled before`() async throws {
        try await withPenstock { _, client in
            let (begun, queue) = (Record<[Int]>(), Queue("q", client))
            let batches = BatchOptions(size: 3, longestWait: .seconds(3600))
            let worker = Worker(client, queue: "q", batches: batches, options: .init(prefetch: 1)) {
                (batch: JobBatch<Int>) in begun.add(batch.jobs.map(\.data))
            }
            let jobs = try await queue.addBulk((0..<2).map { NewJob("n", data: $0) })
            try await running(worker) {
                #expect(try await eventually { try await queue.workers().first?.reserved == 2 })
                #expect(try await queue.counts().active == 0)
                try await queue.pause()
                #expect(try await eventually { try await queue.workers().first?.reserved == 0 })
                for job in jobs { #expect(try await job.info().attemptsStarted == 0) }
                try await queue.resume()
                try await queue.add("n", data: 2)
                await begun.wait(for: 1)
                #expect(begun.entries == [[0, 1, 2]])
                for job in jobs { #expect(try await job.wait().attemptsStarted == 1) }
                // Four at a time at most: three in a batch, and one at hand.
                #expect(try await eventually { try await queue.workers().first?.free == 4 })
            }
        }
    }

    @Test func `a worker that loses its connection goes on with what it has at hand, and nothing runs twice`()
        async throws
    {
        try await withPassage { passage, client, distant in
            let begun = Record<Int>()
            let queue = Queue("q", client)
            let jobs = try await queue.addBulk((0..<60).map { NewJob("n", data: $0) })
            let options = Worker.Options(prefetch: 5)
            let worker = Worker(distant, queue: "q", concurrency: 2, options: options) { (job: Job<Int>) in
                begun.add(job.data)
                if job.data % 12 == 3 { passage.cut() }
            }
            try await running(worker) {
                for job in jobs {
                    let info = try await job.wait()
                    #expect((info.state, info.attemptsStarted, info.stalledCount) == (.completed, 1, 0))
                }
            }
            #expect(begun.entries.sorted() == Array(0..<60))
        }
    }

    @Test func `a restart forgets what is at hand, and nothing of it has been started`() async throws {
        try await withPenstock { server, client in
            let (begun, gate) = (Record<Int>(), Gate())
            let queue = Queue("q", client)
            let jobs = try await queue.addBulk((0..<5).map { NewJob("n", data: $0) })
            let worker = Worker(client, queue: "q", options: .init(prefetch: 4)) { (job: Job<Int>) in
                begun.add(job.data)
                await gate.pass()
            }
            try await running(worker) {
                await begun.wait(for: 1)
                #expect(try await eventually { try await queue.workers().first?.held == 1 })
                try server.restart()
                #expect(try await eventually { try await queue.workers().first?.reserved == 4 })
                gate.open()
                for job in jobs {
                    let info = try await job.wait()
                    #expect((info.state, info.attemptsStarted, info.stalledCount) == (.completed, 1, 0))
                }
            }
            #expect(begun.entries.sorted() == Array(0..<5))
        }
    }

    // MARK: Refusals

    @Test func `a worker that prefetches from a limited queue ends with an error`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            try await queue.setRateLimit(RateLimit(max: 5, per: .seconds(1)))
            let worker = idle(client, "q")
            let refusal = await code { try await worker.run() }
            #expect(refusal == .prefetchLimited)
        }
    }

    @Test func `a queue gets no limit while somebody prefetches from it`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            let worker = idle(client, "q")
            try await running(worker) {
                let isThere = try await eventually { try await client.workers().count == 1 }
                let rate = await code { try await queue.setRateLimit(RateLimit(max: 5, per: .seconds(1))) }
                let slots = await code { try await queue.setConcurrency(2) }
                #expect(isThere && rate == .prefetchLimited && slots == .prefetchLimited)
            }
            // It can when nobody does.
            try await queue.setConcurrency(2)
        }
    }

    @Test func `a prefetch out of bounds, and one for a single job, are refused`() async throws {
        try await withPenstock { _, client in
            for prefetch in [-1, 65_536] {
                let options = Worker.Options(prefetch: prefetch)
                let worker = Worker(client, queue: "q", options: options) { (job: Job<RawPayload>) in }
                #expect(await code { try await worker.run() } == .invalidOption)
            }
            let isRefused = await code {
                try await client.processNext(from: ["q"], options: .init(prefetch: 1)) { (job: Job<RawPayload>) in }
            }
            #expect(isRefused == .invalidOption)
        }
    }
}
