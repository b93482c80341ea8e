import Foundation
import Penstock
import PenstockTesting
import TestSupport
import Testing

/// What can be asked of flows, and what options their jobs get.
@Suite(.inTurns) struct `Reads of flows` {
    private struct Owner: Codable, Equatable, Sendable {
        var team: String
    }

    @Test func `a flow keeps its name and its metadata`() async throws {
        try await withPenstock { _, client in
            var flow = Flow("nightly", metadata: Owner(team: "data"))
            flow.add("a", queue: "q")
            let handle = try await FlowProducer(client).add(flow)
            let status = try await FlowHandle(handle.id, client).status()
            #expect(status.name == "nightly")
            #expect(try status.metadata(as: Owner.self) == Owner(team: "data"))
            let bare = try await FlowProducer(client).add(FlowJob("bare", queue: "q"))
            #expect(try await bare.status().metadata == .none)
        }
    }

    @Test func `a flow that is known by its number only gives its result and its graph`() async throws {
        try await withPenstock { _, client in
            let worker = Worker(client, queue: "q", concurrency: 2) { (job: Job<Int>) in job.data }
            var flow = Flow("diamond")
            let start = flow.add("start", queue: "q", data: 1)
            let left = flow.add("left", queue: "q", data: 2, after: start)
            let right = flow.add("right", queue: "q", data: 3, after: [.init(start, onFailure: .ignore)])
            let end = flow.add("end", queue: "q", data: 4, after: left, right)
            let handle = try await FlowProducer(client).add(flow)
            let known = FlowHandle(handle.id, client)
            try await running(worker) {
                let result = try await known.result(as: Int.self)
                #expect(result == 4)
            }
            let graph = try await known.graph()
            #expect(graph.sources.map(\.name) == ["start"])
            #expect(graph.sinks.map(\.name) == ["end"])
            #expect(graph.nodes.map(\.name) == ["start", "left", "right", "end"])
            #expect(graph.dependencies(of: handle[end].id).map(\.dependency) == [handle[left].id, handle[right].id])
            #expect(graph.dependents(of: handle[start].id).map(\.onFailure) == [.failParent, .ignore])
            #expect(graph[handle[left].id]?.state == .completed)
            #expect(graph[JobID(rawValue: 999)] == nil)
            let missing = FlowHandle(FlowID(rawValue: 999), client)
            #expect(await code { try await missing.status() } == .flowNotFound)
        }
    }

    @Test func `a tree is read from any job down, with its depth and width bounded`() async throws {
        try await withPenstock { _, client in
            let tree = FlowJob("top", queue: "a") {
                for branch in 0..<3 {
                    FlowJob("branch-\(branch)", queue: "b") {
                        for leaf in 0..<4 { FlowJob("leaf-\(branch)-\(leaf)", queue: "c", condition: .whatever) }
                    }
                }
            }
            let handle = try await FlowProducer(client).add(tree)
            let whole = try await handle.root.tree()
            #expect(whole.isWhole)
            #expect(whole.count == 16)
            #expect(whole.map(\.name) == handle.jobs.map(\.name))
            #expect(whole.children(of: whole.root).map(\.name) == ["branch-0", "branch-1", "branch-2"])
            #expect(whole.node(handle.jobs[2].id)?.edge?.condition == .whatever)
            let flat = try await handle.root.tree(depth: 1)
            #expect(!flat.isWhole)
            #expect(flat.map(\.depth) == [0, 1, 1, 1])
            #expect(flat[1].isCut && flat[1].dependencyCount == 4)
            let narrow = try await handle.root.tree(width: 2)
            #expect(narrow.count == 7)
            let branch = try await client.tree(of: handle.jobs[1].id)
            #expect(branch.map(\.name) == ["branch-0"] + (0..<4).map { "leaf-0-\($0)" })
            #expect(await code { try await handle.root.tree(depth: 0) } == .invalidRequest)
            #expect(await code { try await client.tree(of: JobID(rawValue: 9999)) } == .jobNotFound)
        }
    }

    @Test func `a chain of 2,000 jobs is read down to the limit`() async throws {
        try await withPenstock { _, client in
            var flow = Flow("chain")
            var last: FlowNode?
            for number in 0..<2000 {
                last = flow.add("\(number)", queue: "q", after: last.map { [FlowDependency($0)] } ?? [])
            }
            let handle = try await FlowProducer(client).add(flow)
            let tree = try await handle.root.tree()
            #expect(!tree.isWhole)
            #expect(tree.count == 1000)
            #expect(tree.last?.depth == 999)
        }
    }

    @Test func `flows are listed by name, status and time, page by page`() async throws {
        try await withPenstock { server, client in
            let flows = FlowProducer(client)
            let even = try await flows.addBulk((0..<7).map { FlowJob($0 % 2 == 0 ? "even" : "odd", queue: "q-\($0)") })
            try await even[2].jobs[0].cancel()
            func names(_ pages: Pages<[FlowSummary]>) async throws -> [[String]] {
                var all: [[String]] = []
                for try await page in pages where !page.isEmpty { all.append(page.map { "\($0.name) \($0.id)" }) }
                return all
            }
            let ids = even.map { "\($0.name) \($0.id)" }
            #expect(try await names(flows.flows()).flatMap { $0 } == ids.reversed())
            #expect(try await names(flows.flows(order: .oldestFirst, count: 3)).flatMap { $0 } == ids)
            #expect(try await names(flows.flows(count: 3)).allSatisfy { $0.count <= 3 })
            let named = try await names(flows.flows(named: "odd", order: .oldestFirst)).flatMap { $0 }
            #expect(named == [ids[1], ids[3], ids[5]])
            #expect(try await names(flows.flows(status: .failed)).flatMap { $0 } == [ids[2]])
            let created = try await even[0].status().createdAt
            let since = created..<created.addingTimeInterval(3600)
            #expect(try await names(flows.flows(created: since, order: .oldestFirst)).flatMap { $0 } == ids)
            let before = created.addingTimeInterval(-3600)..<created
            #expect(try await names(flows.flows(created: before)).isEmpty)
            #expect(await code { for try await _ in flows.flows(count: 0) {} } == .invalidRequest)
        }
    }

    @Test func `dependencies come page by page, each once, also of a finished job`() async throws {
        try await withPenstock { _, client in
            let worker = Worker(client, queue: "map", concurrency: 16) { (job: Job<Int>) in job.data }
            let reduce = Worker(client, queue: "reduce") { (job: Job<RawPayload>) in }
            let handle = try await FlowProducer(client).add(
                FlowJob("reduce", queue: "reduce") {
                    for number in 0..<250 { FlowJob("map", queue: "map", data: number) }
                }
            )
            try await running(worker, reduce) { try await handle.wait() }
            var sizes: [Int] = []
            var values: [Int] = []
            for try await page in handle.root.dependencyPages(.processed, count: 100) {
                sizes.append(page.dependencies.count)
                for dependency in page.dependencies { values.append(try dependency.value(as: Int.self)) }
            }
            #expect(sizes == [100, 100, 50])
            #expect(values == Array(0..<250))
            let first = try await handle.root.dependencies(.processed, count: 100)
            var rest = 0
            for try await page in handle.root.dependencyPages(.processed, after: first.next ?? .start) {
                rest += page.dependencies.count
            }
            #expect(rest == 150)
        }
    }

    // The opposite of systems that put the results into the data of every dependent that does not say no.
    @Test func `a job has its dependencies' results only where it asks for them`() async throws {
        try await withPenstock { _, client in
            let seen = Record<RawPayload>()
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) -> String in
                seen.add(job.data)
                guard job.name == "asks" else { return "result of \(job.name)" }
                return try await job.childrenValues(as: String.self).values.joined()
            }
            try await running(worker) {
                let silent = try await FlowProducer(client).add(
                    FlowJob("silent", queue: "q", data: ["own": 1]) { FlowJob("child", queue: "q") }
                )
                #expect(try await silent.result(as: String.self) == "result of silent")
                #expect(seen.entries.count == 2)
                #expect(try seen.entries[1].decode(as: [String: Int].self) == ["own": 1])
                #expect(try await silent.root.info().data == seen.entries[1])
                let asking = try await FlowProducer(client).add(
                    FlowJob("asks", queue: "q") { FlowJob("child", queue: "q") }
                )
                #expect(try await asking.result(as: String.self) == "result of child")
            }
        }
    }

    @Test func `options come from the job, its queue in the add, and the producer`() async throws {
        try await withPenstock { _, client in
            let flows = FlowProducer(client, defaults: JobOptions(priority: 9, attempts: 2))
            let handle = try await flows.add(
                FlowJob("top", queue: "top") {
                    FlowJob("plain", queue: "mail")
                    FlowJob("own", queue: "mail", options: JobOptions(attempts: 1))
                },
                queuesOptions: ["mail": JobOptions(attempts: 5, backoff: .fixed(.seconds(1)))]
            )
            let options = try await [
                handle.jobs[0].info().options, handle.jobs[1].info().options, handle.jobs[2].info().options,
            ]
            #expect(options.map(\.attempts) == [2, 5, 1])
            #expect(options.map(\.priority) == [9, 9, 9])
            #expect(options.map(\.backoff) == [nil, .fixed(.seconds(1)), .fixed(.seconds(1))])
        }
    }
}
