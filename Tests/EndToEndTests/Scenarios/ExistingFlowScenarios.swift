import Penstock
import PenstockTesting
import TestSupport
import Testing

/// Flows that are added again, and children that return nothing.
@Suite(.inTurns) struct `Existing flows and empty results` {
    private func tree(_ children: Int = 1) -> FlowJob {
        FlowJob("top", queue: "q", options: .init(id: "top")) {
            for child in 0..<children { FlowJob("child", queue: "q", options: .init(id: "child \(child)")) }
        }
    }

    @Test func `a flow of custom ids that is added again is the flow that exists`() async throws {
        try await withPenstock { _, client in
            let flows = FlowProducer(client)
            let first = try await flows.add(tree())
            let again = try await flows.add(tree())
            #expect(again.id == FlowID(rawValue: 0))
            #expect(again.jobs.map(\.isExisting) == [true, true])
            #expect(again.root.id == first.root.id)
            #expect(try await again.status().id == first.id)
            #expect(try await again.graph().nodes.count == 2)
            #expect(try await again.cancel() == 2)
            #expect(try await again.wait().status == .cancelled)
            #expect(try await again.retry() == 2)
            #expect(try await again.remove() == 2)
            #expect(await code { try await again.status() } == .jobNotFound)
        }
    }

    @Test func `a flow that only names a job without a flow says so`() async throws {
        try await withPenstock { _, client in
            try await Queue("q", client).add("top", options: .init(id: "top"))
            let handle = try await FlowProducer(client).add(FlowJob("top", queue: "q", options: .init(id: "top")))
            #expect(await code { try await handle.status() } == .flowNotFound)
        }
    }

    @Test func `a child that returns nothing is nil, or has no value`() async throws {
        try await withPenstock { _, client in
            let silent = Worker(client, queue: "silent") { (_: Job<RawPayload>) in }
            let seven = Worker(client, queue: "seven") { (_: Job<RawPayload>) in 7 }
            let broken = Worker(client, queue: "broken") { (_: Job<RawPayload>) in throw Broken() }
            let tops = Worker(client, queue: "tops") { job in
                try await job.childrenValues(as: Int.self).values
            }
            let flow = try await FlowProducer(client).add(
                FlowJob("top", queue: "tops") {
                    FlowJob("silent", queue: "silent")
                    FlowJob("seven", queue: "seven")
                    FlowJob("broken", queue: "broken", options: .init(onFailure: .wait))
                }
            )
            try await running(silent, seven, broken, tops) {
                try await flow.jobs(named: "broken")[0].wait()
                try await flow.root.resolve(flow.jobs(named: "broken")[0].id, as: .processed)
                let values = try await flow.root.result(as: [Int].self)
                #expect(values == [7])
            }
            let root = flow.root
            #expect(try await root.childrenValues(as: Int?.self).values == [nil, 7, nil])
            let raw = try await root.childrenValues(as: RawPayload.self)
            #expect(raw.map(\.name) == ["silent", "seven", "broken"])
            #expect(raw[0].value == .none)
            #expect(try await root.allDependencies(.processed).count == 3)
        }
    }

    @Test func `a key that leaves no room for those below it is refused by what it is`() async throws {
        try await withPenstock { _, client in
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) -> String in
                let key = String(repeating: "k", count: 255)
                let child = FlowJob("child", queue: "c", key: key) { FlowJob("below", queue: "c") }
                do {
                    try await job.addChildren([child])
                } catch {
                    return (error as? PenstockError)?.message ?? ""
                }
                return ""
            }
            try await running(worker) {
                let message = try await Queue("q", client).add("job").result(as: String.self)
                #expect(message.contains("too long for the jobs below it"))
                #expect(message.contains("257 bytes"))
            }
        }
    }
}
