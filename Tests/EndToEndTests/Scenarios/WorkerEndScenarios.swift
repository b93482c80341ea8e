import Penstock
import PenstockTesting
import TestSupport
import Testing

/// When a worker has ended, what its handlers ended with is stored.
@Suite(.inTurns) struct `The end of a worker` {
    @Test func `whoever reads after the end of a worker sees every outcome`() async throws {
        try await withPenstock { server, client in
            try await PenstockClient.withClient(server.address) { other in
                for round in 0..<20 {
                    let queue = Queue("q-\(round)", other)
                    try await queue.addBulk((0..<50).map { NewJob("n", data: $0) })
                    let done = Record<Int>()
                    let worker = Worker(client, queue: "q-\(round)", concurrency: 8) { (job: Job<Int>) in
                        done.add(job.data)
                        if job.data % 5 == 0 { throw Broken() }
                    }
                    try await running(worker) { await done.wait(for: 50) }
                    let counts = try await queue.counts()
                    #expect((counts.completed, counts.failed, counts.active) == (40, 10, 0))
                }
            }
        }
    }

    @Test func `though its connection broke in between`() async throws {
        try await withPassage { passage, client, distant in
            let (begun, ended, gate) = (Record<Int>(), Record<Int>(), Gate())
            let queue = Queue("q", client)
            try await queue.addBulk((0..<6).map { NewJob("n", data: $0) })
            let worker = Worker(distant, queue: "q", concurrency: 6) { (job: Job<Int>) in
                begun.add(job.data)
                await gate.pass()
                defer { ended.add(job.data) }
                if job.data == 3 { throw Broken() }
            }
            try await running(worker) {
                await begun.wait(for: 6)
                passage.block()
                gate.open()
                await ended.wait(for: 6)
                worker.shutDown()
                // What was sent till now is lost on the way.
                passage.cut()
                passage.unblock()
            }
            let counts = try await queue.counts()
            #expect((counts.completed, counts.failed, counts.active) == (5, 1, 0))
        }
    }

    @Test func `a task that is cancelled waits for it too, while the server can be reached`() async throws {
        try await withPenstock { _, client in
            let done = Record<Int>()
            let queue = Queue("q", client)
            try await queue.addBulk((0..<40).map { NewJob("n", data: $0) })
            let worker = Worker(client, queue: "q", concurrency: 40) { (job: Job<Int>) in
                if job.data % 2 == 0 { try await Task.sleep(for: .seconds(3600)) }
                done.add(job.data)
            }
            let task = Task { try await worker.run() }
            await done.wait(for: 20)
            task.cancel()
            try await task.value
            #expect(try await queue.counts().completed == done.count)
        }
    }

    @Test func `without a server it ends in a bound, and what it owes is stored later`() async throws {
        try await withTestServer { server in
            var configuration = PenstockClient.Configuration()
            configuration.shutdownTimeout = .milliseconds(300)
            let (begun, gate) = (Record<Int>(), Gate())
            try await PenstockClient.withClient(server.address, configuration: configuration) { client in
                let job = try await Queue("q", client).add("n", data: 1)
                let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                    begun.add(job.data)
                    await gate.pass()
                }
                try await running(worker) {
                    await begun.wait(for: 1)
                    server.stop()
                    gate.open()
                }
                try server.start()
                #expect(try await job.wait().state == .completed)
                #expect(begun.count == 1)
            }
        }
    }
}
