import Penstock
import PenstockTesting
import TestSupport
import Testing

@Suite(.inTurns) struct `Groups` {
    @Test func `tenants take turns, whatever one of them has added before`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("mail", client)
            let begun = Record<String>()
            let worker = Worker(client, queue: "mail") { (job: Job<Int>) in begun.add("\(job.group ?? "-") \(job.data)")
            }
            let options = { (group: String?) in JobOptions(group: group) }
            try await queue.addBulk((0..<4).map { NewJob("n", data: $0, options: options("large")) })
            try await queue.addBulk((0..<2).map { NewJob("n", data: $0, options: options("small")) })
            try await queue.addBulk((0..<2).map { NewJob("n", data: $0, options: options(nil)) })
            try await running(worker) { await begun.wait(for: 8) }
            #expect(
                begun.entries
                    == ["- 0", "small 0", "large 0", "- 1", "small 1", "large 1", "large 2", "large 3"]
            )
        }
    }

    @Test func `two jobs of a tenant run at a time, and more of the others`() async throws {
        try await withPenstock { server, client in
            let queue = Queue("q", client)
            try await queue.setGroup("a", concurrency: 2)
            try await queue.setGroups(concurrency: 1)
            let (begun, gate) = (Record<String>(), Gate())
            let worker = Worker(client, queue: "q", concurrency: 20) { (job: Job<RawPayload>) in
                begun.add(job.group ?? "-")
                await gate.pass()
            }
            for group in ["a", "b", "c"] {
                try await queue.addBulk((0..<5).map { NewJob("\($0)", options: JobOptions(group: group)) })
            }
            try await running(worker) {
                await begun.wait(for: 4)
                let groups = try await all(queue.groups(count: 2))
                #expect(groups.map(\.name) == ["c", "b", "a"])
                #expect(groups.map(\.active) == [1, 1, 2] && groups.map(\.waiting) == [4, 4, 3])
                #expect(groups.map(\.concurrency) == [1, 1, 2])
                #expect(try await queue.groupConcurrency() == 1)
                #expect(Set(begun.entries) == ["a", "b", "c"] && begun.count == 4)
                gate.open()
                await begun.wait(for: 15)
            }
            #expect(try await queue.group("a").active == 0)
            try await queue.setGroup("a", concurrency: nil)
            #expect(await code { _ = try await queue.group("a") } == .groupNotFound)
            #expect(await code { try await queue.setGroup("", concurrency: 1) } == .invalidName)
            #expect(await code { try await queue.setGroup("a", concurrency: 0) } == .invalidOption)
            let long = JobOptions(group: String(repeating: "g", count: 256))
            #expect(await code { try await queue.add("n", options: long) } == .invalidName)
            #expect(await code { try await queue.setDefaults(JobOptions(group: "g")) } == .invalidOption)
        }
    }

    @Test func `a group is an option of any job: of a flow's, and of a scheduler's`() async throws {
        try await withPenstock { server, client in
            let producer = FlowProducer(client, defaults: JobOptions(group: "producer"))
            let flow = try await producer.add(
                FlowJob("parent", queue: "q") { FlowJob("child", queue: "q", options: JobOptions(group: "own")) }
            )
            #expect(try await flow.root.info().options.group == "producer")
            let waiting = try await all(Queue("q", client).groups())
            #expect(waiting.map(\.name) == ["own"])
            try await client.schedulers.upsert(
                "s",
                .every(.seconds(60)),
                adds: .job("n", queue: "scheduled", options: JobOptions(group: "g")),
                immediately: true
            )
            let scheduled = Queue("scheduled", client)
            #expect(try await eventually { (try? await scheduled.group("g").waiting) == 1 })
        }
    }

    private func all(_ pages: Pages<[GroupInfo]>) async throws -> [GroupInfo] {
        var groups: [GroupInfo] = []
        for try await page in pages { groups += page }
        return groups
    }
}
