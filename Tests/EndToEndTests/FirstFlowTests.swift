import Penstock
import PenstockTesting
import TestSupport
import Testing

@Suite(.inTurns) struct `The first flow` {
    @Test func `a tree runs its children first and hands their results to the parent`() async throws {
        try await withTestServer { server in
            try await PenstockClient.withClient(server.address) { client in
                let steps = Worker(client, queue: "steps", concurrency: 2) { (job: Job<String>) in
                    job.data == "floor" ? 1750 : 2500
                }
                let renovate = Worker(client, queue: "renovate") { job in
                    let costs = try await job.childrenValues(as: Int.self)
                    return costs.values.reduce(0, +)
                }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await steps.run() }
                    group.addTask { try await renovate.run() }
                    let flow = try await FlowProducer(client).add(
                        FlowJob("renovate-interior", queue: "renovate") {
                            FlowJob("paint", queue: "steps", data: "ceiling")
                            FlowJob("paint", queue: "steps", data: "walls")
                            FlowJob("fix", queue: "steps", data: "floor")
                        }
                    )
                    #expect(try await flow.root.result(as: Int.self) == 6750)
                    let status = try await flow.status()
                    #expect(status.status == .completed)
                    #expect(status.counts.completed == 4)
                    steps.shutDown()
                    renovate.shutDown()
                    try await group.waitForAll()
                }
            }
        }
    }
}
