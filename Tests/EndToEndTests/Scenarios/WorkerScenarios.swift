import Penstock
import PenstockTesting
import TestSupport
import Testing

@Suite(.inTurns) struct `Workers` {
    @Test func `concurrency 4 runs four at a time, concurrency 1 takes one and leaves the rest`() async throws {
        try await withPenstock { _, client in
            let (begun, gate) = (Record<String>(), Gate())
            let four = Worker(client, queue: "four", concurrency: 4) { (job: Job<RawPayload>) in
                begun.add(job.name)
                await gate.pass()
            }
            let one = Worker(client, queue: "one") { (job: Job<RawPayload>) in
                begun.add(job.name)
                await gate.pass()
            }
            try await Queue("four", client).addBulk((0..<8).map { _ in NewJob("four") })
            try await Queue("one", client).addBulk((0..<25).map { _ in NewJob("one") })
            try await running(four, one) {
                await begun.wait(for: 5)
                let counts = (try await Queue("four", client).counts(), try await Queue("one", client).counts())
                #expect((counts.0.active, counts.0.waiting) == (4, 4))
                #expect((counts.1.active, counts.1.waiting) == (1, 24))
                gate.open()
                await begun.wait(for: 33)
            }
            #expect(try await Queue("one", client).counts().completed == 25)
        }
    }

    @Test func `two workers share a queue`() async throws {
        try await withPenstock { server, first in
            try await PenstockClient.withClient(server.address) { second in
                let (a, b) = (Record<Int>(), Record<Int>())
                let workers = [(first, a), (second, b)].map { client, record in
                    Worker(client, queue: "q") { (job: Job<Int>) in
                        record.add(job.data)
                        await Task.yield()
                    }
                }
                try await running(workers[0], workers[1]) {
                    let jobs = try await Queue("q", first).addBulk((0..<400).map { NewJob("n", data: $0) })
                    for job in jobs { try await job.wait() }
                }
                #expect(Set(a.entries + b.entries) == Set(0..<400))
                #expect(a.count + b.count == 400)
                #expect(min(a.count, b.count) > 40)
            }
        }
    }

    @Test func `a worker that shuts down finishes what runs and takes nothing more`() async throws {
        try await withPenstock { _, client in
            let (begun, gate) = (Record<Int>(), Gate())
            let worker = Worker(client, queue: "q", concurrency: 2) { (job: Job<Int>) in
                begun.add(job.data)
                await gate.pass()
            }
            let jobs = try await Queue("q", client).addBulk((0..<6).map { NewJob("n", data: $0) })
            try await running(worker) {
                await begun.wait(for: 2)
                worker.shutDown()
                gate.open()
            }
            for job in jobs[..<2] { #expect(try await job.wait(timeout: .seconds(5)).state == .completed) }
            for job in jobs[2...] {
                let info = try await job.info()
                #expect((info.state, info.attemptsMade, info.stalledCount) == (.waiting, 0, 0))
            }
        }
    }

    @Test func `a worker that vanishes stalls its job, another completes it, and the old one's end is refused`()
        async throws
    {
        try await withTestServer { server in
            let (begun, cancelled, gate) = (Record<String>(), Record<String>(), Gate())
            try await PenstockClient.withClient(server.address) { client in
                let job = try await Queue("q", client).add("x", data: "payload")
                // The first worker's own client, which stops reading as a frozen process would.
                try await PenstockClient.withClient(server.address) { lost in
                    let first = Worker(lost, queue: "q") { (job: Job<String>) -> String in
                        begun.add("first")
                        do {
                            try await Task.sleep(for: .seconds(600))
                        } catch {
                            cancelled.add("first")
                        }
                        return "old"
                    }
                    try await running(first) {
                        await begun.wait(for: 1)
                        // More than the lease, all at once: nobody could have renewed it.
                        server.advanceLeases(by: .seconds(40))
                        let second = Worker(client, queue: "q") { (job: Job<String>) -> String in
                            begun.add("second")
                            await gate.pass()
                            return "new"
                        }
                        // The first one is told as soon as it is back, and its handler is cancelled.
                        await cancelled.wait(for: 1)
                        first.shutDown()
                        try await running(second) {
                            gate.open()
                            let result = try await job.result(as: String.self)
                            #expect(result == "new")
                        }
                    }
                }
                let info = try await job.info()
                #expect((info.stalledCount, info.attemptsMade) == (1, 1))
            }
        }
    }

    @Test func `clients go on after a restart, with the job that was being run`() async throws {
        try await withPenstock { server, client in
            let (begun, gate) = (Record<Int>(), Gate())
            let worker = Worker(client, queue: "q") { (job: Job<Int>) -> Int in
                begun.add(job.data)
                if job.data == 0 { await gate.pass() }
                return job.data
            }
            let queue = Queue("q", client)
            let first = try await queue.add("x", data: 0)
            try await running(worker) {
                await begun.wait(for: 1)
                try server.restart()
                gate.open()
                #expect(try await first.result(as: Int.self) == 0)
                let second = try await queue.add("x", data: 1)
                #expect(try await second.result(as: Int.self) == 1)
                // The lease was kept over the clean stop: it ran once.
                #expect(try await first.info().attemptsStarted == 1)
            }
            #expect(begun.entries == [0, 1])
        }
    }

    @Test(arguments: [false, true])
    func `nothing is lost and nothing is added twice over restarts under load`(_ isCrash: Bool) async throws {
        try await withPenstock { server, client in
            let done = Record<Int>()
            let queue = Queue("q", client)
            let worker = Worker(client, queue: "q", concurrency: 8) { (job: Job<Int>) in done.add(job.data) }
            try await running(worker) {
                let handles = try await withThrowingTaskGroup(of: [JobHandle].self) { group in
                    for part in 0..<8 {
                        group.addTask {
                            var handles: [JobHandle] = []
                            for number in 0..<60 {
                                handles.append(try await queue.add("n", data: part * 1000 + number))
                            }
                            return handles
                        }
                    }
                    for round in 1...4 {
                        await done.wait(for: round * 50)
                        if isCrash { server.crash() } else { server.stop() }
                        try server.start()
                    }
                    return try await group.reduce(into: []) { $0 += $1 }
                }
                #expect(Set(handles.map(\.id)).count == 480)
                for handle in handles { #expect(try await handle.wait().state == .completed) }
                let counts = try await queue.counts()
                #expect(counts.completed == 480)
                #expect(counts.total == 480)
            }
            let all = (0..<8).flatMap { part in (0..<60).map { part * 1000 + $0 } }
            #expect(Set(done.entries) == Set(all))
        }
    }

    @Test func `flows in flight complete over crashes`() async throws {
        try await withPenstock { server, client in
            let done = Record<String>()
            let worker = Worker(client, queue: "q", concurrency: 4) { (job: Job<RawPayload>) in done.add(job.name) }
            let flows = (0..<40).map { number -> Flow in
                var flow = Flow("\(number)")
                let start = flow.add("start", queue: "q")
                let sides = (0..<3).map { _ in flow.add("side", queue: "q", after: start) }
                flow.add("end", queue: "q", after: sides.map { FlowDependency($0) })
                return flow
            }
            try await running(worker) {
                let handles = try await FlowProducer(client).addBulk(flows)
                for round in 1...3 {
                    await done.wait(for: round * 40)
                    server.crash()
                    try server.start()
                }
                for handle in handles {
                    let summary = try await handle.wait()
                    #expect(summary.status == .completed)
                    #expect(summary.counts.completed == 5)
                }
            }
        }
    }

    @Test func `a wait goes on over a crash`() async throws {
        try await withPenstock { server, client in
            let job = try await Queue("q", client).add("x")
            let result = Task { try await job.wait() }
            #expect(try await eventually { try await job.state() == .waiting })
            server.crash()
            try server.start()
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in }
            try await running(worker) {
                let state = try await result.value.state
                #expect(state == .completed)
            }
        }
    }
}
