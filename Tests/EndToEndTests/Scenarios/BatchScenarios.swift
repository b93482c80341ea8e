import Penstock
import PenstockTesting
import TestSupport
import Testing

/// Several jobs to one handler.
@Suite(.inTurns) struct `Batches` {
    @Test func `a full batch runs at once, and the last one when it has waited long enough`() async throws {
        try await withPenstock { _, client in
            let sizes = Record<Int>()
            let batches = BatchOptions(size: 4, longestWait: .milliseconds(200))
            let worker = Worker(client, queue: "q", batches: batches) { (batch: JobBatch<Int>) in
                sizes.add(batch.jobs.count)
                for job in batch.jobs { batch.complete(job, job.data + 1) }
            }
            let jobs = try await Queue("q", client).addBulk((0..<10).map { NewJob("n", data: $0) })
            try await running(worker) {
                for (index, job) in jobs.enumerated() {
                    let result = try await job.result(as: Int.self)
                    #expect(result == index + 1)
                }
            }
            #expect(sizes.entries == [4, 4, 2])
        }
    }

    @Test func `each job of a batch has its own outcome`() async throws {
        try await withPenstock { _, client in
            let batches = BatchOptions(size: 5, longestWait: .seconds(20))
            let worker = Worker(client, queue: "q", batches: batches) { (batch: JobBatch<Int>) in
                // Each comes by a slot of its own, whichever is the first.
                let jobs = batch.jobs.sorted { $0.data < $1.data }
                batch.complete(jobs[0], "fine")
                batch.fail(jobs[1], UnrecoverableError("never"))
                batch.fail(jobs[2], Broken("again"))
                batch.fail(jobs[3], Delayed(by: .seconds(60)))
                // The first outcome of a job counts.
                batch.complete(jobs[1])
                throw Broken("the rest")
            }
            let jobs = try await Queue("q", client).addBulk(
                (0..<5).map { NewJob("n", data: $0, options: .init(attempts: 2, backoff: .fixed(.seconds(60)))) }
            )
            try await running(worker) {
                #expect(try await jobs[0].result(as: String.self) == "fine")
                let failed = try await jobs[1].wait()
                #expect((failed.state, failed.attemptsMade, failed.failure?.message) == (.failed, 1, "never"))
                for (index, attempts) in [(2, 1), (3, 0), (4, 1)] {
                    #expect(try await eventually { try await jobs[index].state() == .delayed })
                    #expect(try await jobs[index].info().attemptsMade == attempts)
                }
            }
        }
    }

    @Test func `a handler that throws fails the jobs without an outcome, one that returns completes them`()
        async throws
    {
        try await withPenstock { _, client in
            let batches = BatchOptions(size: 2, longestWait: .seconds(20))
            let worker = Worker(client, queue: "q", batches: batches) { (batch: JobBatch<Bool>) in
                if batch.jobs[0].data { throw Broken() }
            }
            let queue = Queue("q", client)
            try await running(worker) {
                for isFailing in [true, false] {
                    let jobs = try await queue.addBulk((0..<2).map { _ in NewJob("n", data: isFailing) })
                    for job in jobs { #expect(try await job.wait().state == (isFailing ? .failed : .completed)) }
                }
            }
        }
    }

    @Test func `data that can't be decoded fails its job alone`() async throws {
        try await withPenstock { _, client in
            let batches = BatchOptions(size: 2, longestWait: .milliseconds(5))
            let worker = Worker(client, queue: "q", batches: batches) { (_: JobBatch<Int>) in }
            let jobs = try await Queue("q", client).addBulk([NewJob("n", data: "text"), NewJob("n", data: 1)])
            try await running(worker) {
                let states = (try await jobs[0].wait().state, try await jobs[1].wait().state)
                #expect(states == (.failed, .completed))
            }
        }
    }

    @Test func `a cancelled job leaves its batch, and the batch is cancelled with its last one`() async throws {
        try await withPenstock { _, client in
            let (begun, ended) = (Record<Int>(), Record<Bool>())
            let batches = BatchOptions(size: 2, longestWait: .seconds(20))
            let worker = Worker(client, queue: "q", batches: batches) { (batch: JobBatch<Int>) in
                begun.add(batch.jobs.count)
                do { try await Task.sleep(for: .seconds(600)) } catch { ended.add(Task.isCancelled) }
            }
            let queue = Queue("q", client)
            let jobs = try await queue.addBulk([NewJob("n", data: 1), NewJob("n", data: 2)])
            try await running(worker) {
                await begun.wait(for: 1)
                try await jobs[0].cancel()
                #expect(try await queue.counts().active == 1)
                #expect(ended.count == 0)
                try await jobs[1].cancel()
                await ended.wait(for: 1)
                #expect(ended.entries == [true])
                // The place of the batch is free again.
                try await queue.addBulk([NewJob("n", data: 3), NewJob("n", data: 4)])
                await begun.wait(for: 2)
                try await queue.obliterate(force: true)
            }
        }
    }

    @Test func `so many batches run at the same time as the concurrency says, and it can be changed`() async throws {
        try await withPenstock { _, client in
            let (begun, gate) = (Record<Int>(), Gate())
            let batches = BatchOptions(size: 3, longestWait: .zero)
            let worker = Worker(client, queue: "q", batches: batches, concurrency: 1) { (batch: JobBatch<Int>) in
                begun.add(batch.jobs.count)
                await gate.pass()
            }
            let queue = Queue("q", client)
            try await queue.addBulk((0..<9).map { NewJob("n", data: $0) })
            try await running(worker) {
                await begun.wait(for: 1)
                let active = try await queue.counts().active
                #expect(active == 3)
                worker.concurrency = 3
                #expect(try await eventually { try await queue.counts().active == 9 })
                gate.open()
                #expect(try await eventually { try await queue.counts().completed == 9 })
            }
        }
    }

    @Test func `a batch is cancelled with its last job that has no outcome`() async throws {
        try await withPenstock { _, client in
            let (begun, ended) = (Record<Int>(), Record<Bool>())
            let batches = BatchOptions(size: 2, longestWait: .seconds(20))
            let worker = Worker(client, queue: "q", batches: batches) { (batch: JobBatch<Int>) in
                for job in batch.jobs where job.data % 2 == 1 { batch.complete(job) }
                begun.add(batch.jobs.count)
                do { try await Task.sleep(for: .seconds(600)) } catch { ended.add(Task.isCancelled) }
            }
            let queue = Queue("q", client)
            let jobs = try await queue.addBulk([NewJob("n", data: 1), NewJob("n", data: 2)])
            try await running(worker) {
                await begun.wait(for: 1)
                try await jobs[0].wait()
                try await jobs[1].cancel()
                await ended.wait(for: 1)
                // The place of the batch is free again.
                let more = try await queue.addBulk([NewJob("n", data: 3), NewJob("n", data: 4)])
                await begun.wait(for: 2)
                try await more[1].cancel()
                await ended.wait(for: 2)
            }
        }
    }

    @Test func `a worker ends after the handlers of its batches, also those without a job`() async throws {
        try await withPenstock { _, client in
            let (begun, gate, ends) = (Record<Int>(), Gate(), Record<String>())
            // With an outcome for every job the handler holds none any more.
            let worker = Self.worker(client, grace: .seconds(600)) { job in
                begun.add(job)
                try? await Task.sleep(for: .seconds(600))
                await gate.pass()
                ends.add("handler")
            }
            let job = try await Queue("q", client).add("n", data: 1)
            let running = Task {
                try await worker.run()
                ends.add("worker")
            }
            await begun.wait(for: 1)
            try await job.wait()
            worker.shutDown()
            #expect(try await eventually { try await client.workers().isEmpty })
            gate.open()
            try await running.value
            #expect(ends.entries == ["handler", "worker"])
        }
    }

    @Test func `a worker does not wait longer than their grace for the handlers of its batches`() async throws {
        try await withPenstock { _, client in
            let (begun, gate, ends) = (Record<Int>(), Gate(), Record<String>())
            let worker = Self.worker(client, grace: .zero) { job in
                begun.add(job)
                await gate.pass()
                ends.add("handler")
            }
            let job = try await Queue("q", client).add("n", data: 1)
            try await running(worker) {
                await begun.wait(for: 1)
                try await job.wait()
            }
            #expect(ends.count == 0)
            gate.open()
        }
    }

    /// A worker whose handlers complete their jobs, and are cancelled with the worker's end.
    private static func worker(
        _ client: PenstockClient,
        grace: Duration,
        _ handler: @escaping @Sendable (Int) async -> Void
    ) -> Worker {
        let options = Worker.Options(shutdownTimeout: .zero, cancellationGrace: grace)
        return Worker(client, queue: "q", batches: BatchOptions(size: 1), options: options) { (batch: JobBatch<Int>) in
            batch.complete(batch.jobs[0])
            await handler(batch.jobs[0].data)
        }
    }

    @Test func `a pause and the end give back the jobs that wait for a full batch`() async throws {
        try await withPenstock { _, client in
            let batches = BatchOptions(size: 3, longestWait: .seconds(6000))
            let options = Worker.Options(shutdownTimeout: nil)
            let worker = Worker(client, queue: "q", batches: batches, options: options) { (_: JobBatch<Int>) in
                Issue.record("a batch that was not full has run")
            }
            let queue = Queue("q", client)
            try await queue.addBulk([NewJob("n", data: 1), NewJob("n", data: 2)])
            try await running(worker) {
                let areHere = try await eventually { try await queue.counts().active == 2 }
                #expect(areHere)
                worker.pause()
                #expect(try await eventually { try await queue.counts().waiting == 2 })
                worker.resume()
                #expect(try await eventually { try await queue.counts().active == 2 })
            }
            #expect(try await eventually { try await queue.counts().waiting == 2 })
        }
    }

    @Test func `a lower concurrency gives back the jobs that are too many to begin`() async throws {
        try await withPenstock { _, client in
            let (begun, gate) = (Record<Int>(), Gate())
            let batches = BatchOptions(size: 2, longestWait: .seconds(6000))
            let worker = Worker(client, queue: "q", batches: batches, concurrency: 2) { (batch: JobBatch<Int>) in
                for job in batch.jobs { batch.complete(job) }
                begun.add(1)
                await gate.pass()
            }
            let queue = Queue("q", client)
            try await queue.addBulk((0..<8).map { NewJob("n", data: $0) })
            try await running(worker) {
                // Two batches run on without their jobs, and four jobs wait for them.
                await begun.wait(for: 2)
                let areHere = try await eventually { try await queue.counts().active == 4 }
                #expect(areHere)
                worker.concurrency = 1
                #expect(try await eventually { try await queue.counts().waiting == 2 })
                gate.open()
                #expect(try await eventually { try await queue.counts().completed == 8 })
            }
        }
    }
}
