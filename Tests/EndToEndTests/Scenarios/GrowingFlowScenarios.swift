import Penstock
import PenstockTesting
import TestSupport
import Testing

/// Handlers that add to the job that they run, wait, and go on.
@Suite(.inTurns) struct `Growing flows` {
    private func squares(_ client: PenstockClient) -> Worker {
        Worker(client, queue: "squares", concurrency: 4) { (job: Job<Int>) in job.data * job.data }
    }

    @Test func `a job adds a child for each day, waits for them, and reports last`() async throws {
        try await withPenstock { _, client in
            let record = Record<String>()
            let days = Worker(client, queue: "days", concurrency: 4) { (job: Job<Int>) in
                record.add("day")
                return job.data
            }
            let reports = Worker(client, queue: "reports") { (job: Job<Int>) in
                // Each run adds the same children: their keys keep them from being added twice.
                try await job.addChildren(
                    (1...job.data).map { FlowJob("day", queue: "days", data: $0, key: "day \($0)") }
                )
                try await job.waitForChildren()
                record.add("report")
                return try await job.childrenValues(as: Int.self).values.reduce(0, +)
            }
            let handle = try await FlowProducer(client).add(FlowJob("report", queue: "reports", data: 30))
            try await running(days, reports) {
                let sum = try await handle.result(as: Int.self)
                #expect(sum == 465)
            }
            #expect(record.entries == Array(repeating: "day", count: 30) + ["report"])
            // The children belong to the flow of the job that added them.
            let status = try await handle.status()
            #expect((status.status, status.counts.completed) == (.completed, 31))
            #expect(try await handle.root.info().attemptsMade == 1)
            #expect(try await handle.graph().dependencies(of: handle.root.id).count == 30)
        }
    }

    @Test func `a job goes step by step, with its data as updated`() async throws {
        struct Order: Codable, Sendable {
            var step = "prepare"
            var parts = 3
        }
        try await withPenstock { server, client in
            let record = Record<String>()
            let worker = Worker(client, queue: "orders") { (job: Job<Order>) in
                var order = job.data
                record.add(order.step)
                switch order.step {
                case "prepare":
                    order.step = "split"
                    throw Delayed(by: .seconds(60), updating: order)
                case "split":
                    order.step = "join"
                    try await job.addChildren {
                        for part in 1...order.parts { FlowJob("part", queue: "squares", data: part) }
                    }
                    throw WaitForChildren(updating: order)
                default: return try await job.childrenValues(as: Int.self).values
                }
            }
            let job = try await Queue("orders", client).add("order", data: Order())
            try await running(worker, squares(client)) {
                await record.wait(for: 1)
                #expect(try await eventually { try await job.state() == .delayed })
                server.advance(by: .seconds(61))
                let result = try await job.result(as: [Int].self)
                #expect(result == [1, 4, 9])
            }
            #expect(record.entries == ["prepare", "split", "join"])
            let info = try await job.info()
            #expect((info.attemptsMade, info.attemptsStarted) == (1, 3))
        }
    }

    @Test func `a job that waits for nothing goes on, and one that throws to do so runs again`() async throws {
        try await withPenstock { _, client in
            let record = Record<Bool>()
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                if job.name == "throwing" {
                    record.add(true)
                    if job.data == 1 { throw WaitForChildren(updating: 2) }
                    return job.data
                }
                record.add(try await job.moveToWaitingChildren())
                try await job.waitForChildren()
                return job.data
            }
            let queue = Queue("q", client)
            try await running(worker) {
                let going = try await queue.add("going", data: 7).result(as: Int.self)
                let throwing = try await queue.add("throwing", data: 1).result(as: Int.self)
                #expect((going, throwing) == (7, 2))
            }
            #expect(record.entries == [false, true, true])
        }
    }

    @Test func `a whole flow is a child: the job goes on after its last jobs`() async throws {
        try await withPenstock { _, client in
            let added = Record<FlowHandle>()
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                var flow = Flow("part", metadata: ["for": "\(job.id)"])
                let start = flow.add("start", queue: "squares", data: 2)
                flow.add("left", queue: "squares", data: 3, after: start)
                flow.add("right", queue: "squares", data: 4, after: start)
                added.add(try await job.addFlow(flow, key: "part"))
                try await job.waitForChildren()
                return try await job.childrenValues(as: Int.self).values.reduce(0, +)
            }
            let job = try await Queue("q", client).add("job", data: 0)
            try await running(worker, squares(client)) {
                let sum = try await job.result(as: Int.self)
                #expect(sum == 25)
            }
            let flows = added.entries
            #expect(flows.count == 2)
            #expect(flows[0].jobs.map(\.id) == flows[1].jobs.map(\.id))
            #expect(flows[1].jobs.filter(\.isExisting).count == 3)
            #expect(try await flows[0].status().status == .completed)
        }
    }

    @Test func `a child that fails does to its parent what its policy says`() async throws {
        try await withPenstock { _, client in
            let bad = Worker(client, queue: "bad") { (job: Job<RawPayload>) in throw UnrecoverableError("no") }
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                try await job.addChild("bad", queue: "bad", options: JobOptions(onFailure: .ignore), key: "a")
                try await job.addChild("bad", queue: "bad", condition: .whatever, key: "b")
                try await job.waitForChildren()
                return try await job.ignoredChildrenFailures().count
            }
            let job = try await Queue("q", client).add("job", data: 0)
            try await running(worker, bad) {
                let failures = try await job.result(as: Int.self)
                #expect(failures == 2)
            }
        }
    }

    @Test func `a job that completes with unfinished children has failed its attempt`() async throws {
        try await withPenstock { _, client in
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                try await job.addChild("child", queue: "nobody", key: "child")
                return 1
            }
            let job = try await Queue("q", client).add("job", data: 0)
            try await running(worker) {
                let info = try await job.wait()
                #expect(info.state == .failed)
                #expect(info.failure != nil)
            }
        }
    }

    @Test func `a job completes and adds what follows, both or neither`() async throws {
        try await withPenstock { _, client in
            let record = Record<FlowHandle>()
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                var next = Flow("next")
                let a = next.add("square", queue: "squares", data: job.data)
                next.add("square", queue: "squares", data: 5, after: [.init(a), .init(job: job.id)])
                let refused = await code { try await job.complete(0, adding: [Flow("empty")]) }
                #expect(refused == .emptyAdd)
                for flow in try await job.complete(job.data + 1, adding: [next]) { record.add(flow) }
                throw UnrecoverableError("dropped: the job has ended")
            }
            let job = try await Queue("q", client).add("job", data: 3)
            try await running(worker, squares(client)) {
                let result = try await job.result(as: Int.self)
                #expect(result == 4)
                await record.wait(for: 1)
                let last = try await record.entries[0].result(as: Int.self)
                #expect(last == 25)
            }
            #expect(try await job.info().state == .completed)
        }
    }

    @Test func `a child that would wait for its own parent is refused as a cycle`() async throws {
        try await withPenstock { _, client in
            let record = Record<PenstockError.Code?>()
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                var round = Flow("round")
                round.add("child", queue: "q", data: 1, after: [.init(job: job.id)])
                record.add(await code { try await job.addFlow(round) })
                return 1
            }
            let job = try await Queue("q", client).add("job", data: 0)
            try await running(worker) { try await job.wait() }
            #expect(record.entries == [.cycle])
            #expect(try await Queue("q", client).counts().total == 1)
        }
    }

    @Test func `what is done under a lease that was lost is refused`() async throws {
        try await withPenstock { server, client in
            let (begun, gate, codes) = (Record<Int>(), Gate(), Record<PenstockError.Code?>())
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                begun.add(job.attemptsStarted)
                await gate.pass()
                // The task is cancelled with its job; what follows asks all the same.
                let error = await Task { await code { try await job.addChild("late", queue: "q", data: 1) } }.value
                codes.add(error)
                return 1
            }
            let job = try await Queue("q", client).add("job", data: 0)
            try await running(worker) {
                await begun.wait(for: 1)
                try await job.cancel()
                gate.open()
                await codes.wait(for: 1)
            }
            #expect(codes.entries == [.fenced])
            #expect(try await Queue("q", client).counts().total == 1)
        }
    }

    @Test func `a move goes on over a restart of the server`() async throws {
        try await withPenstock { server, client in
            let begun = Record<Int>()
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in
                begun.add(job.attemptsStarted)
                try await job.addChild("square", queue: "squares", data: 6, key: "square")
                try await job.waitForChildren()
                return try await job.childrenValues(as: Int.self).values[0]
            }
            let job = try await Queue("q", client).add("job", data: 0)
            try await running(worker) {
                #expect(try await eventually { try await job.state() == .waitingChildren })
                try server.restart()
                try await running(squares(client)) {
                    let result = try await job.result(as: Int.self)
                    #expect(result == 36)
                }
            }
            #expect(begun.count == 2)
        }
    }
}
