import Penstock
import PenstockTesting
import TestSupport
import Testing

/// Workers that are changed while they run.
@Suite(.inTurns) struct `Workers that are changed while they run` {
    @Test func `a worker's concurrency can be raised and lowered while it runs`() async throws {
        try await withPenstock { _, client in
            let (begun, gates) = (Record<Int>(), (0..<12).map { _ in Gate() })
            let worker = Worker(client, queue: "q", concurrency: 2) { (job: Job<Int>) in
                begun.add(job.data)
                await gates[job.data].pass()
            }
            let queue = Queue("q", client)
            try await queue.addBulk((0..<12).map { NewJob("n", data: $0) })
            try await running(worker) {
                await begun.wait(for: 2)
                let active = try await queue.counts().active
                #expect(active == 2)
                worker.concurrency = 5
                await begun.wait(for: 5)
                #expect(try await queue.counts().active == 5)
                worker.concurrency = 1
                // Four of the five end, and nothing comes in their place.
                for gate in gates[0..<4] { gate.open() }
                #expect(try await eventually { try await queue.counts().completed == 4 })
                #expect(try await queue.counts().active == 1)
                #expect(begun.count == 5)
                gates[4].open()
                await begun.wait(for: 6)
                // The end of the one before is stored a moment later than the next begins.
                #expect(try await eventually { try await queue.counts().active == 1 })
                worker.concurrency = 12
                for gate in gates { gate.open() }
                await begun.wait(for: 12)
            }
            #expect(try await queue.counts().completed == 12)
        }
    }

    @Test func `a paused worker takes nothing, what runs goes on, and a resumed one takes the rest`() async throws {
        try await withPenstock { _, client in
            let (begun, gate) = (Record<Int>(), Gate())
            let worker = Worker(client, queue: "q", concurrency: 2) { (job: Job<Int>) in
                begun.add(job.data)
                await gate.pass()
            }
            let queue = Queue("q", client)
            let first = try await queue.addBulk([NewJob("n", data: 0), NewJob("n", data: 1)])
            try await running(worker) {
                await begun.wait(for: 2)
                worker.pause()
                #expect(worker.isPaused)
                let later = try await queue.addBulk((2..<6).map { NewJob("n", data: $0) })
                gate.open()
                for job in first { #expect(try await job.wait().state == .completed) }
                #expect(try await eventually { try await queue.workers().first?.free == 0 })
                #expect(begun.count == 2)
                #expect(try await queue.counts().waiting == 4)
                worker.resume()
                for job in later { #expect(try await job.wait().state == .completed) }
            }
        }
    }

    @Test func `a worker that was paused and changed over a restart has its credits right after it`() async throws {
        try await withPenstock { server, client in
            let (begun, gate) = (Record<Int>(), Gate())
            let worker = Worker(client, queue: "q", concurrency: 3) { (job: Job<Int>) in
                begun.add(job.data)
                await gate.pass()
            }
            let queue = Queue("q", client)
            try await queue.addBulk((0..<8).map { NewJob("n", data: $0) })
            try await running(worker) {
                await begun.wait(for: 3)
                worker.pause()
                try server.restart()
                worker.concurrency = 2
                worker.resume()
                gate.open()
                #expect(try await eventually { try await queue.counts().completed == 8 })
                // Nothing is held any more: what the server can give is the whole concurrency.
                #expect(try await eventually { try await queue.workers().map(\.free) == [2] })
            }
        }
    }

    @Test func `a worker can be paused before it runs`() async throws {
        try await withPenstock { _, client in
            let done = Record<Int>()
            let worker = Worker(client, queue: "q", concurrency: 3) { (job: Job<Int>) in done.add(job.data) }
            worker.pause()
            let job = try await Queue("q", client).add("n", data: 1)
            try await running(worker) {
                let isThere = try await eventually { try await Queue("q", client).workers().count == 1 }
                #expect(isThere)
                #expect(done.count == 0)
                worker.resume()
                #expect(try await job.wait().state == .completed)
            }
        }
    }

    @Test func `the queues of a worker give as many jobs in turn as they weigh`() async throws {
        try await withPenstock { _, client in
            let done = Record<String>()
            let options = Worker.Options(weights: ["a": 3, "b": 2])
            let worker = Worker(client, queues: ["a", "b", "c"], options: options) { (job: Job<RawPayload>) in
                done.add(job.queue)
            }
            for name in ["a", "b", "c"] {
                try await Queue(name, client).addBulk((0..<12).map { _ in NewJob("n") })
            }
            try await running(worker) { await done.wait(for: 36) }
            let twelve = Array(done.entries.prefix(12))
            #expect(twelve.count { $0 == "a" } == 6)
            #expect(twelve.count { $0 == "b" } == 4)
            #expect(twelve.count { $0 == "c" } == 2)
            // A queue without jobs is passed over.
            #expect(done.entries.suffix(4) == ["c", "c", "c", "c"])
        }
    }

    @Test func `a weight that is out of bounds, or of another queue, is refused`() async throws {
        try await withPenstock { _, client in
            for weights in [["q": 0], ["q": 256], ["other": 1]] {
                let worker = Worker(client, queue: "q", options: .init(weights: weights)) { (job: Job<RawPayload>) in }
                #expect(await code { try await worker.run() } == .invalidOption)
            }
        }
    }

    @Test func `the list of workers says who works on what, and what each holds`() async throws {
        try await withPenstock { server, client in
            let (begun, gate) = (Record<JobID>(), Gate())
            let holder = Worker(client, queues: ["a", "b"], concurrency: 3, options: .init(name: "host-1")) {
                (job: Job<RawPayload>) in
                begun.add(job.id)
                await gate.pass()
            }
            let idle = Worker(client, queue: "c", options: .init(name: "host-2")) { (job: Job<RawPayload>) in }
            let jobs = [try await Queue("a", client).add("n"), try await Queue("b", client).add("n")]
            try await running(holder, idle) {
                await begun.wait(for: 2)
                #expect(try await eventually { try await client.workers().count == 2 })
                let workers = try await client.workers()
                let first = try #require(workers.first { $0.name == "host-1" })
                #expect(first.queues == ["a", "b"] && first.isConnected && !first.peer.isEmpty)
                #expect((first.held, first.free) == (2, 1))
                #expect(Set(first.jobs.map(\.job)) == Set(jobs.map(\.id)))
                #expect(Set(first.jobs.map(\.queue)) == ["a", "b"])
                let second = try #require(workers.first { $0.name == "host-2" })
                #expect((second.held, second.free, second.jobs) == (0, 1, []))
                #expect(try await Queue("b", client).workers().map(\.name) == ["host-1"])
                #expect(await code { try await Queue("nowhere", client).workers() } == .queueNotFound)
                gate.open()
            }
            #expect(try await eventually { try await client.workers().isEmpty })
        }
    }
}
