import Penstock
import PenstockTesting
import TestSupport
import Testing

/// Jobs that are removed, queues that are cleaned, and finished jobs that are kept only so long.
@Suite(.inTurns) struct `Removals` {
    @Test func `a job goes with the dependencies that nothing else needs`() async throws {
        try await withPenstock { _, client in
            var flow = Flow()
            let shared = flow.add("shared", queue: "q")
            let low = flow.add("low", queue: "q")
            let own = flow.add("own", queue: "q", after: low)
            let top = flow.add("top", queue: "q", after: shared, own)
            let other = flow.add("other", queue: "q", after: shared)
            let handle = try await FlowProducer(client).add(flow)
            #expect(try await handle[top].remove() == 3)
            #expect(await code { try await handle[low].info() } == .jobNotFound)
            #expect(try await handle[shared].parentKeys() == [handle[other].key])
            #expect(try await handle[other].remove(children: false) == 1)
            #expect(try await handle[shared].state() == .waiting)
        }
    }

    @Test func `a removed dependency releases the job that waited for it`() async throws {
        try await withPenstock { _, client in
            let handle = try await FlowProducer(client).add(
                FlowJob("parent", queue: "q") { FlowJob("child", queue: "q") }
            )
            #expect(try await handle.jobs[1].remove() == 1)
            #expect(try await handle.root.state() == .waiting)
            #expect(try await handle.root.dependenciesCount().total == 0)
        }
    }

    @Test func `nothing is removed where a job of it runs`() async throws {
        try await withPenstock { _, client in
            let (begun, gate) = (Record<String>(), Gate())
            let worker = Worker(client, queue: "run") { (job: Job<RawPayload>) in
                begun.add(job.name)
                await gate.pass()
            }
            let handle = try await FlowProducer(client).add(
                FlowJob("top", queue: "q") {
                    FlowJob("running", queue: "run")
                    FlowJob("idle", queue: "q")
                }
            )
            try await running(worker) {
                await begun.wait(for: 1)
                let error = await #expect(throws: PenstockError.self) { try await handle.root.remove() }
                #expect(error?.code == .jobLeased)
                #expect(error?.message.contains("\(handle.jobs[1].id)") == true)
                #expect(await code { try await handle.remove() } == .jobLeased)
                let idle = try await handle.jobs[2].state()
                #expect(idle == .waiting)
                // What is neither finished nor running can go.
                let removed = try await handle.root.removeUnprocessedChildren()
                #expect(removed == 1)
                gate.open()
            }
            let summary = try await handle.status()
            #expect((summary.counts.completed, summary.counts.waiting) == (1, 1))
        }
    }

    @Test func `a flow goes whole`() async throws {
        try await withPenstock { _, client in
            let handle = try await FlowProducer(client).add(
                FlowJob("top", queue: "q") {
                    for number in 0..<10 { FlowJob("\(number)", queue: "r") }
                }
            )
            #expect(try await FlowHandle(handle.id, client).remove() == 11)
            #expect(await code { try await handle.root.info() } == .jobNotFound)
            #expect(try await Queue("r", client).counts().total == 0)
        }
    }

    @Test func `drain, clean and obliterate take what they say, and count as cancels`() async throws {
        try await withPenstock { server, client in
            let queue = Queue("q", client)
            let handle = try await FlowProducer(client).add(
                FlowJob("parent", queue: "parents") {
                    FlowJob("child", queue: "q", options: JobOptions(onFailure: .ignore))
                }
            )
            try await queue.addBulk((0..<3).map { _ in NewJob("waiting") })
            let late = try await queue.add("late", options: JobOptions(delay: .seconds(60)))
            #expect(try await queue.drain() == 4)
            #expect(try await handle.root.state() == .waiting)
            #expect(try await late.state() == .delayed)
            #expect(try await queue.drain(delayed: true) == 1)

            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in }
            let jobs = try await queue.addBulk((0..<5).map { _ in NewJob("job") })
            try await running(worker) { for job in jobs { try await job.wait() } }
            #expect(try await queue.clean(.completed, olderThan: .seconds(60)) == 0)
            server.advance(by: .seconds(61))
            #expect(try await queue.clean(.completed, olderThan: .seconds(60), limit: 2) == 2)
            #expect(try await queue.clean(.completed) == 3)

            try await queue.add("last")
            #expect(try await queue.obliterate() == 1)
            #expect(await code { try await queue.drain() } != .timedOut)
        }
    }

    @Test func `a job that is to be removed at once still gives its result to those who wait`() async throws {
        try await withPenstock { server, client in
            let worker = Worker(client, queue: "q") { (job: Job<Int>) in job.data }
            let options = JobOptions(keepCompleted: .removeAtOnce)
            let job = try await Queue("q", client).add("job", data: 7, options: options)
            try await running(worker) {
                let result = try await job.result(as: Int.self)
                #expect(result == 7)
            }
            server.advance(by: .seconds(120))
            #expect(try await eventually { await code { try await job.info() } == .jobNotFound })
        }
    }
}
