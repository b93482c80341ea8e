import Penstock
import PenstockTesting
import TestSupport
import Testing

/// What anybody may do about jobs and flows that exist.
@Suite(.inTurns) struct `Commands about jobs and flows` {
    private func failing(_ client: PenstockClient, _ queue: String) -> Worker {
        Worker(client, queue: queue) { (job: Job<RawPayload>) in throw UnrecoverableError("no") }
    }

    private func working(_ client: PenstockClient, _ queue: String, _ record: Record<String>) -> Worker {
        Worker(client, queue: queue) { (job: Job<RawPayload>) in record.add(job.name) }
    }

    // MARK: Cancel

    @Test func `a cancelled child never runs, and its parent fails with the reason`() async throws {
        try await withPenstock { _, client in
            let handle = try await FlowProducer(client).add(
                FlowJob("parent", queue: "q") { FlowJob("child", queue: "q") }
            )
            #expect(try await handle.jobs[1].cancel(reason: "not needed") == 1)
            #expect(try await handle.jobs[1].cancel() == 0)
            let child = try await handle.jobs[1].info()
            #expect(child.state == .cancelled)
            #expect(child.failure?.message.contains("not needed") == true)
            let parent = try await handle.root.info()
            #expect((parent.state, parent.cause) == (.failed, .dependency))
            let record = Record<String>()
            try await running(working(client, "q", record)) {
                try await Queue("q", client).add("other").wait()
            }
            #expect(record.entries == ["other"])
        }
    }

    @Test func `a job that runs is taken from its worker`() async throws {
        try await withPenstock { _, client in
            let (begun, cancelled) = (Record<String>(), Record<String>())
            let gate = Gate()
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in
                await withTaskCancellationHandler {
                    begun.add(job.name)
                    await gate.pass()
                } onCancel: {
                    cancelled.add("cancelled")
                    gate.open()
                }
            }
            let job = try await Queue("q", client).add("long")
            try await running(worker) {
                await begun.wait(for: 1)
                #expect(try await job.cancel(reason: "enough") == 1)
                await cancelled.wait(for: 1)
                let info = try await job.wait()
                #expect(info.state == .cancelled)
            }
        }
    }

    @Test func `a flow is cancelled as one, and retried as one`() async throws {
        try await withPenstock { _, client in
            let handle = try await FlowProducer(client).add(
                FlowJob("top", queue: "q") {
                    FlowJob("left", queue: "q") { FlowJob("low", queue: "q") }
                    FlowJob("right", queue: "q")
                }
            )
            #expect(try await handle.cancel(reason: "weekend") == 4)
            let cancelled = try await handle.wait()
            #expect(cancelled.status == .cancelled)
            #expect(cancelled.counts.cancelled == 4)
            #expect(try await handle.cancel() == 0)
            // From another process all that is known is the number.
            let flow = FlowHandle(handle.id, client)
            #expect(try await flow.retry() == 4)
            let record = Record<String>()
            try await running(working(client, "q", record)) {
                let summary = try await flow.wait()
                #expect(summary.status == .completed)
            }
            #expect(Set(record.entries.prefix(3)) == ["low", "left", "right"])
            #expect(record.entries.last == "top")
        }
    }

    @Test func `a tree is cancelled without what others need`() async throws {
        try await withPenstock { _, client in
            var flow = Flow()
            let shared = flow.add("shared", queue: "q")
            let own = flow.add("own", queue: "q")
            let top = flow.add("top", queue: "q", after: shared, own)
            let other = flow.add("other", queue: "q", after: shared)
            let handle = try await FlowProducer(client).add(flow)
            #expect(try await handle[top].cancelTree() == 2)
            #expect(try await handle[own].state() == .cancelled)
            #expect(try await handle[shared].state() == .waiting)
            #expect(try await handle[other].state() == .waitingChildren)
        }
    }

    @Test func `with cancelSiblings the others are not run for a parent that has failed`() async throws {
        try await withPenstock { _, client in
            let handle = try await FlowProducer(client).add(
                FlowJob("parent", queue: "none", options: JobOptions(cancelSiblings: true)) {
                    FlowJob("bad", queue: "bad")
                    FlowJob("sibling", queue: "none") { FlowJob("below", queue: "none") }
                }
            )
            try await running(failing(client, "bad")) {
                let summary = try await handle.wait()
                #expect(summary.counts.cancelled == 2)
            }
            #expect(try await handle.root.info().options.cancelSiblings)
            #expect(try await handle.jobs[1].retry() == 3)
            #expect(try await handle.status().counts[.cancelled] == 0)
        }
    }

    // MARK: Retry

    @Test func `a retry with other data makes the whole chain complete`() async throws {
        try await withPenstock { _, client in
            let worker = Worker(client, queue: "q", concurrency: 2) { (job: Job<String>) in
                if job.data == "bad" { throw UnrecoverableError("bad data") }
                return job.data
            }
            let handle = try await FlowProducer(client).add(
                FlowJob("top", queue: "q", data: "top") {
                    FlowJob("middle", queue: "q", data: "middle") { FlowJob("low", queue: "q", data: "bad") }
                }
            )
            try await running(worker) {
                let failed = try await handle.wait()
                #expect((failed.status, failed.counts.failed) == (.failed, 3))
                try await handle.jobs[2].retry(data: "good")
                let result = try await handle.result(as: String.self)
                #expect(result == "top")
            }
            #expect(try await handle.jobs[2].info().data(as: String.self) == "good")
            #expect(try await handle.status().status == .completed)
            let notFailed = await code { try await handle.jobs[2].retry() }
            #expect(notFailed == .notRetryable)
        }
    }

    @Test func `a retry of a queue reaches every failed job, with its counters kept on request`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            let jobs = try await queue.addBulk((0..<5).map { NewJob("\($0)") })
            try await running(failing(client, "q")) {
                for job in jobs { try await job.wait() }
            }
            #expect(try await queue.retryAll(keepCounters: true) == 5)
            #expect(try await jobs[0].info().attemptsMade == 1)
            #expect(try await queue.counts().waiting == 5)
            #expect(await code { try await Queue("none", client).retryAll() } == .queueNotFound)
        }
    }

    @Test func `a completed job can be rerun until a dependent has started`() async throws {
        try await withPenstock { _, client in
            let record = Record<String>()
            let handle = try await FlowProducer(client).add(
                FlowJob("parent", queue: "parents") { FlowJob("child", queue: "q") }
            )
            let child = handle.jobs[1]
            try await running(working(client, "q", record)) {
                try await child.wait()
                try await child.rerun()
                await record.wait(for: 2)
                try await child.wait()
            }
            try await running(working(client, "parents", record)) { try await handle.wait() }
            #expect(await code { try await child.rerun() } == .dependentStarted)
        }
    }

    @Test func `whatever names a job leads to it`() async throws {
        try await withPenstock { _, client in
            let handle = try await FlowProducer(client).add(
                FlowJob("parent", queue: "parents") {
                    FlowJob("bad", queue: "bad", options: JobOptions(onFailure: .wait))
                }
            )
            let bad = handle.jobs[1]
            try await running(failing(client, "bad")) { try await bad.wait() }
            let graph = try await FlowHandle(handle.id, client).graph()
            let failed = try #require(graph.nodes.first { $0.state == .failed })
            let info = try await JobHandle(failed, client).info()
            #expect(try await JobHandle(info, client).retry() == 1)
            let dependency = try #require(try await handle.root.allDependencies(.unprocessed).first)
            #expect(try await JobHandle(dependency, client).cancel() == 1)
            let node = try #require(try await handle.root.tree().node(bad.id))
            #expect(node.state == .cancelled)
            try await JobHandle(node, client).retry()
            #expect(try await bad.state() == .waiting)
        }
    }

    // MARK: By hand

    @Test func `jobs are completed and failed by hand`() async throws {
        try await withPenstock { _, client in
            let handle = try await FlowProducer(client).add(
                FlowJob("sum", queue: "sums") {
                    FlowJob("one", queue: "nobody")
                    FlowJob("two", queue: "nobody", options: JobOptions(onFailure: .ignore))
                }
            )
            try await handle.jobs[1].complete(41)
            try await handle.jobs[2].fail("lost", details: [1])
            let worker = Worker(client, queue: "sums") { (job: Job<RawPayload>) in
                let failures = try await job.ignoredChildrenFailures()
                #expect(failures.map(\.message) == ["lost"])
                return try await job.childrenValues(as: Int.self).values(named: "one")[0] + failures.count
            }
            try await running(worker) {
                let result = try await handle.result(as: Int.self)
                #expect(result == 42)
            }
            #expect(try await handle.jobs[2].info().failure?.details == [1])
            #expect(await code { try await handle.jobs[1].complete() } == .alreadyFinished)
            // All that can be asked of a running job can be asked of a finished one.
            #expect(try await handle.root.childrenValues(as: Int.self).value(of: handle.jobs[1].id) == 41)
            #expect(try await handle.root.dependenciesCount([.processed, .ignored]) == [.processed: 1, .ignored: 1])
            #expect(try await handle.jobs[1].parentKeys() == [handle.root.key])
        }
    }

    @Test func `an edge that a failure holds is decided by hand`() async throws {
        try await withPenstock { _, client in
            let handle = try await FlowProducer(client).add(
                FlowJob("parent", queue: "parents") {
                    FlowJob("bad", queue: "bad", options: JobOptions(onFailure: .wait))
                }
            )
            try await running(failing(client, "bad")) { try await handle.jobs[1].wait() }
            #expect(try await handle.status().status == .blocked)
            try await handle.root.resolve(handle.jobs[1].id, as: .ignored)
            #expect(try await handle.root.state() == .waiting)
            #expect(try await handle.root.dependenciesCount().ignored == 1)
            let none = await code { try await handle.root.resolve(JobID(rawValue: 9999), as: .removed) }
            #expect(none == .edgeNotFound)
        }
    }

    // MARK: Conditions

    @Test func `after a failure the mending runs, after a success it is skipped`() async throws {
        for isGood in [true, false] {
            try await withPenstock { _, client in
                let record = Record<String>()
                var order = Flow("order")
                let charge = order.add("charge", queue: "payments")
                let ship = order.add("ship", queue: "q", after: charge)
                let apologize = order.add("apologize", queue: "q", after: [.init(charge, condition: .failure)])
                let close = order.add("close", queue: "q", after: [.init(charge, condition: .whatever)])
                let handle = try await FlowProducer(client).add(order)
                let payments = isGood ? working(client, "payments", record) : failing(client, "payments")
                try await running(payments, working(client, "q", record)) {
                    let summary = try await handle.wait()
                    #expect(summary.status == (isGood ? .completed : .failed))
                }
                #expect(try await handle[close].state() == .completed)
                let mending = try await handle[apologize].info()
                #expect(mending.state == (isGood ? .cancelled : .completed))
                #expect(mending.isSkipped == isGood)
                #expect(try await handle[ship].state() == (isGood ? .completed : .failed))
                let edges = try await handle.edges()
                #expect(Set(edges.map(\.condition)) == [.success, .failure, .whatever])
            }
        }
    }
}
