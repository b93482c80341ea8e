import Penstock
import PenstockTesting
import TestSupport
import Testing

/// Adds that take more than one frame.
@Suite(.inTurns(limit: .seconds(120))) struct `Large adds` {
    @Test func `a flow of 25,000 jobs is added as one, and runs`() async throws {
        try await withPenstock { _, client in
            let record = Record<Int>()
            let worker = Worker(client, queue: "map", concurrency: 64) { (job: Job<Int>) in job.data }
            let sum = Worker(client, queue: "sum") { (job: Job<Int>) in
                let sum = try await job.childrenValues(as: Int.self).values.reduce(0, +)
                record.add(sum)
                return sum
            }
            var flow = Flow("large", metadata: "large")
            let groups = (0..<5).map { group in
                let jobs = (0..<5000).map { flow.add("map", queue: "map", data: $0) }
                return flow.add("sum", queue: "sum", data: group, after: jobs.map { FlowDependency($0) })
            }
            flow.add("end", queue: "sum", data: 0, after: groups.map { FlowDependency($0) })
            let handle = try await FlowProducer(client).add(flow)
            #expect(handle.jobs.count == 25_006)
            #expect(handle.root.name == "end")
            #expect(try await handle.status().counts.total == 25_006)
            #expect(try await handle.status().metadata(as: String.self) == "large")
            #expect(try await handle[groups[4]].dependenciesCount().unprocessed == 5000)
            try await running(worker, sum) {
                let summary = try await handle.wait()
                #expect(summary.status == .completed)
            }
            let total = 4999 * 5000 / 2
            #expect(record.entries == Array(repeating: total, count: 5) + [5 * total])
        }
    }

    @Test func `a mistake in a late part leaves nothing behind`() async throws {
        try await withPenstock { _, client in
            var flow = Flow()
            for _ in 0..<20_000 { flow.add("job", queue: "q", options: JobOptions(id: "job-\(flow.count)")) }
            flow.add("bad", queue: "q", after: [.init(job: JobID(rawValue: 99_999_999))])
            let refused = await code { try await FlowProducer(client).add(flow) }
            #expect(refused == .unknownDependency)
            let counts = try? await Queue("q", client).counts()
            #expect((counts?.total ?? 0) == 0)
            // Its custom ids are free.
            let job = try await Queue("q", client).add("job", options: JobOptions(id: "job-7"))
            #expect(!job.isExisting)
        }
    }

    @Test func `many flows with large data are one add`() async throws {
        try await withPenstock { _, client in
            let data = [UInt8](repeating: 7, count: 200_000)
            let flows = (0..<40).map { FlowJob("top \($0)", queue: "q", data: data) }
            let handles = try await FlowProducer(client).addBulk(flows)
            #expect(handles.map(\.name) == (0..<40).map { "top \($0)" })
            #expect(try await handles[39].root.info().data(as: [UInt8].self) == data)
            #expect(try await Queue("q", client).counts().waiting == 40)
        }
    }
}
