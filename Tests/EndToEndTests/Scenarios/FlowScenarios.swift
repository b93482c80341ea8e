import Penstock
import PenstockTesting
import TestSupport
import Testing

@Suite(.inTurns) struct `Flows` {
    /// A worker that records the name of each job.
    private func recorder(_ client: PenstockClient, _ queue: String, _ record: Record<String>, concurrency: Int = 1)
        -> Worker
    {
        Worker(client, queue: queue, concurrency: concurrency) { (job: Job<RawPayload>) in record.add(job.name) }
    }

    @Test func `a diamond runs its start first and its final last`() async throws {
        try await withPenstock { _, client in
            let record = Record<String>()
            var flow = Flow("diamond")
            let start = flow.add("start", queue: "q")
            let a = flow.add("process_a", queue: "q", after: start)
            let b = flow.add("process_b", queue: "q", after: start)
            let final = flow.add("final", queue: "q", after: a, b)
            let handle = try await FlowProducer(client).add(flow)
            #expect(handle.root.id == handle[final].id)
            try await running(recorder(client, "q", record)) {
                let summary = try await handle.wait()
                #expect(summary.status == .completed)
                #expect(summary.counts.completed == 4)
                #expect(summary.progress == 1)
            }
            #expect(record.entries == ["start", "process_a", "process_b", "final"])
        }
    }

    @Test func `an assembly line makes chassis, wheels and engine in that order`() async throws {
        try await withPenstock { _, client in
            let record = Record<String>()
            let worker = Worker(client, queue: "assembly-line", concurrency: 4) { (job: Job<String>) in
                record.add(job.data)
            }
            let tree = FlowJob("car", queue: "assembly-line", data: "engine") {
                FlowJob("car", queue: "assembly-line", data: "wheels") {
                    FlowJob("car", queue: "assembly-line", data: "chassis")
                }
            }
            try await running(worker) {
                try await FlowProducer(client).add(tree).wait()
            }
            #expect(record.entries == ["chassis", "wheels", "engine"])
        }
    }

    @Test func `before any worker the root waits and its dependent waits for it`() async throws {
        try await withPenstock { _, client in
            var flow = Flow()
            let root = flow.add("root", queue: "q")
            let leaf = flow.add("leaf", queue: "q", after: root)
            let handle = try await FlowProducer(client).add(flow)
            #expect(try await handle[root].state() == .waiting)
            #expect(try await handle[leaf].state() == .waitingChildren)
            let unprocessed = try await handle[leaf].allDependencies(.unprocessed)
            #expect(unprocessed.map(\.key) == [handle[root].key])
            #expect(try await handle[root].parentKeys() == [handle[leaf].key])
            let status = try await handle.status()
            #expect(status.status == .running)
            #expect((status.counts.waiting, status.counts.waitingChildren) == (1, 1))
            #expect(status.progress == 0)
        }
    }

    @Test func `roots alone are taken in the order of the flow`() async throws {
        try await withPenstock { _, client in
            let record = Record<String>()
            var flow = Flow()
            for number in 0..<20 { flow.add("\(number)", queue: "q") }
            let handle = try await FlowProducer(client).add(flow)
            try await running(recorder(client, "q", record)) { try await handle.wait() }
            #expect(record.entries == (0..<20).map { "\($0)" })
        }
    }

    @Test func `a flow with one bad member is refused whole`() async throws {
        try await withPenstock { _, client in
            let producer = FlowProducer(client)
            var oversized = Flow()
            oversized.add("good", queue: "q")
            oversized.add("bad", queue: "q", data: [UInt8](repeating: 0, count: 1 << 20 + 1))
            #expect(await code { try await producer.add(oversized) } == .payloadTooLarge)
            var unencodable = Flow()
            unencodable.add("good", queue: "q")
            unencodable.add("bad", queue: "q", data: Double.nan)
            #expect(await code { try await producer.add(unencodable) } == .encodingFailed)
            var missing = Flow()
            missing.add("good", queue: "q")
            missing.add("bad", queue: "q", after: [.init(job: JobID(rawValue: 99))])
            #expect(await code { try await producer.add(missing) } == .unknownDependency)
            #expect(await code { try await Queue("q", client).counts() } == .queueNotFound)
        }
    }

    @Test func `cycles and twins are refused with their names, and nothing is stored`() async throws {
        try await withPenstock { _, client in
            let producer = FlowProducer(client)
            var two = Flow()
            two.add("a", queue: "q", id: "a", dependsOn: ["b"])
            two.add("b", queue: "q", id: "b", dependsOn: ["a"])
            let error = await #expect(throws: PenstockError.self) { try await producer.add(two) }
            #expect(error?.code == .cycle)
            #expect(error?.message.contains("a") == true && error?.message.contains("b") == true)
            var one = Flow()
            one.add("a", queue: "q", id: "a", dependsOn: ["a"])
            let own = await code { try await producer.add(one) }
            #expect(own == .cycle || own == .selfReference)
            var twins = Flow()
            twins.add("a", queue: "q", options: JobOptions(id: "twin"))
            twins.add("b", queue: "q", options: JobOptions(id: "twin"))
            #expect(await code { try await producer.add(twins) } == .duplicateCustomID)
            #expect(await code { try await Queue("q", client).counts() } == .queueNotFound)
        }
    }

    @Test func `a job that was added before releases what is added to wait for it`() async throws {
        try await withPenstock { _, client in
            let record = Record<String>()
            let first = try await Queue("q", client).add("first")
            var flow = Flow()
            let second = flow.add("second", queue: "q", after: [.init(job: first.id)])
            let handle = try await FlowProducer(client).add(flow)
            #expect(try await handle[second].state() == .waitingChildren)
            try await running(recorder(client, "q", record)) { try await handle.wait() }
            #expect(record.entries == ["first", "second"])
            // Added after it has completed: its result counts at once.
            var late = Flow()
            let third = late.add("third", queue: "other", after: [.init(job: first.id)])
            #expect(try await FlowProducer(client).add(late)[third].state() == .waiting)
        }
    }

    @Test func `300 pairs in one add complete while a worker runs`() async throws {
        try await withPenstock { _, client in
            let record = Record<String>()
            try await running(recorder(client, "q", record, concurrency: 16)) {
                let flows = (0..<300).map { number -> Flow in
                    var flow = Flow("pair-\(number)")
                    let root = flow.add("root", queue: "q")
                    flow.add("leaf", queue: "q", after: root)
                    return flow
                }
                let handles = try await FlowProducer(client).addBulk(flows)
                #expect(handles.map(\.name) == flows.map(\.name))
                for handle in handles { try await handle.wait() }
                let counts = try await Queue("q", client).counts()
                #expect(counts.completed == 600)
                #expect(counts.total == 600)
            }
            #expect(record.count == 600)
        }
    }

    @Test func `100 diamonds one by one complete while two workers run`() async throws {
        try await withPenstock { _, client in
            let record = Record<String>()
            let producer = FlowProducer(client)
            try await running(
                recorder(client, "q", record, concurrency: 4),
                recorder(client, "q", record, concurrency: 4)
            ) {
                var handles: [FlowHandle] = []
                for number in 0..<100 {
                    var flow = Flow("\(number)")
                    let start = flow.add("start", queue: "q")
                    let left = flow.add("left", queue: "q", after: start)
                    let right = flow.add("right", queue: "q", after: start)
                    flow.add("end", queue: "q", after: left, right)
                    handles.append(try await producer.add(flow))
                }
                for handle in handles { #expect(try await handle.wait().status == .completed) }
            }
            #expect(record.count == 400)
        }
    }

    @Test func `a fan-in of 1,000 children gives their values in order, page by page`() async throws {
        try await withPenstock { _, client in
            let map = Worker(client, queue: "map", concurrency: 32) { (job: Job<Int>) in job.data * 2 }
            let reduce = Worker(client, queue: "reduce") { (job: Job<RawPayload>) in
                let values = try await job.childrenValues(as: Int.self)
                #expect(values.values == (0..<1000).map { $0 * 2 })
                #expect(values.keys.allSatisfy { $0.hasPrefix("map:") })
                return values.values.reduce(0, +)
            }
            let tree = FlowJob("reduce", queue: "reduce") {
                for number in 0..<1000 { FlowJob("map", queue: "map", data: number) }
            }
            let handle = try await FlowProducer(client).add(tree)
            var seen: [String] = []
            var cursor: DependencyCursor? = .start
            while let position = cursor {
                let page = try await handle.root.dependencies(.unprocessed, after: position, count: 300)
                #expect(page.dependencies.count <= 300)
                seen += page.dependencies.map(\.key)
                cursor = page.next
            }
            #expect(seen == handle.jobs(named: "map").map(\.key))
            try await running(map, reduce) {
                #expect(try await handle.root.result(as: Int.self) == 999_000)
                let counts = try await handle.root.dependenciesCount()
                #expect((counts.processed, counts.total) == (1000, 1000))
            }
        }
    }

    @Test func `extract, transform and load hand their results on`() async throws {
        try await withPenstock { _, client in
            let worker = Worker(client, queue: "etl", concurrency: 3) { (job: Job<RawPayload>) -> [Int] in
                switch job.name {
                case "extract": return [1, 2, 3]
                case "double": return try await job.childrenValues(as: [Int].self)[0].value.map { $0 * 2 }
                case "square": return try await job.childrenValues(as: [Int].self)[0].value.map { $0 * $0 }
                default: return try await job.childrenValues(as: [Int].self).values.flatMap(\.self)
                }
            }
            var flow = Flow("etl")
            let extract = flow.add("extract", queue: "etl")
            let double = flow.add("double", queue: "etl", after: extract)
            let square = flow.add("square", queue: "etl", after: extract)
            let load = flow.add("load", queue: "etl", after: square, double)
            try await running(worker) {
                let handle = try await FlowProducer(client).add(flow)
                #expect(try await handle[load].result(as: [Int].self) == [1, 4, 9, 2, 4, 6])
                let info = try await handle[load].info()
                #expect(info.dependencies.processed == 2)
                #expect(try await handle[extract].info().dependents == 2)
            }
        }
    }

    @Test func `a workflow per day ends with its report`() async throws {
        try await withPenstock { _, client in
            let record = Record<String>()
            let days = (1...31).map { "2026-01-\($0)" }
            var flow = Flow("january")
            let setup = flow.add("setup", queue: "q")
            let nodes = days.map { flow.add("day", queue: "q", data: $0, after: setup) }
            flow.add("report", queue: "q", after: nodes.map { FlowDependency($0) })
            #expect(flow.count == days.count + 2)
            let handle = try await FlowProducer(client).add(flow)
            try await running(recorder(client, "q", record, concurrency: 8)) {
                let summary = try await handle.wait()
                #expect(summary.counts.completed == 33)
            }
            #expect(record.entries.first == "setup")
            #expect(record.entries.last == "report")
        }
    }

    @Test func `a nested tree over several queues runs from the leaves up`() async throws {
        try await withPenstock { _, client in
            let record = Record<String>()
            let tree = FlowJob("deploy", queue: "deploy") {
                FlowJob("build", queue: "ci") {
                    FlowJob("lint", queue: "ci")
                    FlowJob("test", queue: "tests") { FlowJob("compile", queue: "ci") }
                }
                FlowJob("migrate", queue: "db")
            }
            let handle = try await FlowProducer(client).add(tree)
            #expect(handle.root.name == "deploy")
            #expect(handle.jobs.map(\.name) == ["deploy", "build", "lint", "test", "compile", "migrate"])
            let worker = Worker(client, queues: ["deploy", "ci", "tests", "db"]) { (job: Job<RawPayload>) in
                record.add(job.name)
            }
            try await running(worker) { try await handle.wait() }
            let order = record.entries
            func place(_ name: String) -> Int { order.firstIndex(of: name) ?? -1 }
            #expect(order.count == 6 && order.last == "deploy")
            #expect(
                place("compile") < place("test") && place("test") < place("build") && place("lint") < place("build")
            )
        }
    }

    @Test func `nodes and edges of a flow can be read when it has run`() async throws {
        try await withPenstock { _, client in
            let record = Record<String>()
            var flow = Flow("order")
            let validate = flow.add("validate", queue: "orders")
            let charge = flow.add("charge", queue: "payments", after: validate)
            let ship = flow.add("ship", queue: "shipping", after: [.init(charge), .init(validate, onFailure: .ignore)])
            let handle = try await FlowProducer(client).add(flow)
            let worker = Worker(client, queues: ["orders", "payments", "shipping"]) { (job: Job<RawPayload>) in
                record.add(job.name)
            }
            try await running(worker) { try await handle.wait() }
            let nodes = try await handle.nodes()
            #expect(Set(nodes.map(\.id)) == Set(handle.jobs.map(\.id)))
            #expect(nodes.allSatisfy { $0.state == .completed && $0.attemptsMade == 1 })
            let edges = try await handle.edges()
            #expect(edges.count == 3)
            #expect(edges.allSatisfy { $0.kind == .processed })
            let ignored = edges.first { $0.dependent == handle[ship].id && $0.dependency == handle[validate].id }
            #expect(ignored?.onFailure == .ignore)
            #expect(edges.contains { $0.dependent == handle[charge].id && $0.dependency == handle[validate].id })
        }
    }

    @Test func `two flows in one add are both there, or neither`() async throws {
        try await withPenstock { _, client in
            let producer = FlowProducer(client)
            let first = FlowJob("root-1", queue: "q") { FlowJob("child", queue: "q", data: 1) }
            let second = FlowJob("root-2", queue: "q") { FlowJob("child", queue: "q", data: 2) }
            let handles = try await producer.addBulk([first, second])
            #expect(handles.map(\.root.name) == ["root-1", "root-2"])
            #expect(handles[0].id != handles[1].id)
            #expect(try await Queue("q", client).counts().total == 4)
            let bad = FlowJob("bad", queue: "a:b")
            #expect(await code { try await producer.addBulk([first, bad]) } == .invalidQueueName)
            var unknown = Flow()
            unknown.add("x", queue: "q", after: [.init(job: JobID(rawValue: 1234))])
            #expect(await code { try await producer.addBulk([Flow(first), unknown]) } == .unknownDependency)
            #expect(try await Queue("q", client).counts().total == 4)
        }
    }

    @Test func `a wait ends with its timeout`() async throws {
        try await withPenstock { _, client in
            let handle = try await FlowProducer(client).add(FlowJob("x", queue: "q"))
            #expect(await code { try await handle.wait(timeout: .milliseconds(20)) } == .timedOut)
            #expect(await code { try await handle.root.wait(timeout: .milliseconds(20)) } == .timedOut)
        }
    }

    // MARK: When a dependency fails

    /// A parent of two children, of which one fails for good; what becomes of the parent.
    private func family(
        _ policy: FailurePolicy,
        _ body: (FlowHandle, FlowNode, FlowNode, FlowNode) async throws -> Void
    ) async throws {
        try await withPenstock { _, client in
            var flow = Flow()
            let bad = flow.add("bad", queue: "bad", onFailure: policy)
            let good = flow.add("good", queue: "good")
            let parent = flow.add("parent", queue: "parents", after: bad, good)
            let handle = try await FlowProducer(client).add(flow)
            let worker = Worker(client, queue: "bad") { (job: Job<RawPayload>) in throw UnrecoverableError("no") }
            try await running(worker) {
                #expect(try await handle[bad].wait().state == .failed)
                try await body(handle, bad, good, parent)
            }
        }
    }

    @Test func `failParent fails the parent at once, and its chain`() async throws {
        try await family(.failParent) { handle, bad, good, parent in
            let info = try await handle[parent].wait()
            #expect(info.state == .failed)
            #expect(info.cause == .dependency)
            #expect(info.failedDependency == handle[bad].id)
            #expect(info.dependencies.failed == 1)
            #expect(try await handle[good].state() == .waiting)
        }
    }

    @Test func `ignore releases the parent when the others are done`() async throws {
        try await family(.ignore) { handle, bad, good, parent in
            let info = try await handle[parent].info()
            #expect(info.state == .waitingChildren)
            #expect((info.dependencies.ignored, info.dependencies.unprocessed) == (1, 1))
            let failures = try await handle[parent].ignoredChildrenFailures()
            #expect(failures.map(\.key) == [handle[bad].key])
            #expect(failures.map(\.message) == ["no"])
        }
    }

    @Test func `remove takes the edge away`() async throws {
        try await family(.remove) { handle, bad, good, parent in
            let info = try await handle[parent].info()
            #expect(info.state == .waitingChildren)
            #expect(info.dependencies.total == 1)
            #expect(try await handle[bad].parentKeys().isEmpty)
        }
    }

    @Test func `continue releases the parent at once`() async throws {
        try await family(.continue) { handle, bad, good, parent in
            let info = try await handle[parent].info()
            #expect(info.state == .waiting)
            #expect(try await handle[parent].ignoredChildrenFailures().map(\.name) == ["bad"])
            #expect(try await handle[good].state() == .waiting)
        }
    }

    @Test func `wait holds the parent, and a flow that only waits is blocked`() async throws {
        try await withPenstock { _, client in
            var flow = Flow()
            let bad = flow.add("bad", queue: "q", onFailure: .wait)
            let parent = flow.add("parent", queue: "q", after: bad)
            let handle = try await FlowProducer(client).add(flow)
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in throw UnrecoverableError("no") }
            try await running(worker) {
                try await handle[bad].wait()
                #expect(try await handle[parent].state() == .waitingChildren)
                #expect(try await handle.status().status == .blocked)
            }
        }
    }

    @Test func `a failure goes up a chain through queues that nobody serves`() async throws {
        try await withPenstock { _, client in
            let tree = FlowJob("top", queue: "none-1") {
                FlowJob("middle", queue: "none-2") { FlowJob("bottom", queue: "q", options: JobOptions(attempts: 2)) }
            }
            let handle = try await FlowProducer(client).add(tree)
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in throw Broken() }
            try await running(worker) {
                let summary = try await handle.wait()
                #expect(summary.status == .failed)
                #expect(summary.counts.failed == 3)
                let bottom = try await handle.jobs[2].info()
                #expect((bottom.attemptsMade, bottom.cause) == (2, .error))
                do {
                    _ = try await handle.root.result(as: Int.self)
                    Issue.record("a failed job has a result")
                } catch let error as JobFailedError {
                    #expect(error.cause == .dependency)
                    #expect(error.failedDependency == handle.jobs[1].id)
                }
            }
        }
    }
}
