import Penstock
import PenstockTesting
import TestSupport
import Testing

@Suite(.inTurns) struct `What happens` {
    private struct Failing: Error, CustomStringConvertible {
        var description: String { "no route to host" }
    }

    @Test func `events of a queue tell of a job's progress, its retry and its end`() async throws {
        try await withPenstock { server, client in
            let events = try await Queue("q", client).events()
            let worker = Worker(client, queue: "q", options: .init(name: "w1")) { (job: Job<RawPayload>) in
                if job.attempt == 1 { throw Failing() }
                try await job.updateProgress(50)
            }
            let job = try await Queue("q", client).add("n", options: JobOptions(attempts: 2))
            try await running(worker) { try await job.wait(timeout: .seconds(10)) }
            var changes: [JobEvent.Change] = []
            for try await event in events {
                #expect(event.queue == "q" && event.flow == nil)
                if event.change == .drained { break }
                #expect(event.job == job.id && event.name == "n")
                changes.append(event.change)
            }
            let progress = RawPayload(bytes: Array("50".utf8), kind: .json)
            let message = "no route to host"
            #expect(
                changes == [
                    .added, .waiting, .active(attempt: 1, worker: "w1"), .retried(.error, message: message), .waiting,
                    .active(attempt: 2, worker: "w1"), .progress(progress), .completed,
                ]
            )
        }
    }

    @Test func `events of a flow end with its end`() async throws {
        try await withPenstock { server, client in
            let flow = try await FlowProducer(client).add(
                FlowJob("top", queue: "tops", children: [FlowJob("below", queue: "others")])
            )
            let events = try await flow.events([.completed, .flowFinished])
            let worker = Worker(client, queues: ["tops", "others"]) { (_: Job<RawPayload>) in }
            try await running(worker) {
                var told: [String] = []
                for try await event in events {
                    #expect(event.flow == flow.id)
                    if case .flowFinished(let status) = event.change {
                        #expect(status == .completed && event.job == nil && event.queue == nil)
                        break
                    }
                    told.append(event.name)
                }
                #expect(told == ["below", "top"])
            }
        }
    }

    @Test func `a listener goes on over a restart, and is told of the gap`() async throws {
        try await withPenstock { server, client in
            let events = try await client.events([.added])
            let queue = Queue("q", client)
            try await queue.add("before")
            try server.restart()
            var iterator = events.makeAsyncIterator()
            #expect(try await iterator.next()?.name == "before")
            let gap = try #require(try await iterator.next())
            #expect(gap.change == .gap && gap.job == nil)
            try await queue.add("after")
            let after = try #require(try await iterator.next())
            #expect(after.name == "after" && after.sequence > gap.sequence)
        }
    }

    @Test func `a later run goes on behind the last event of an earlier one`() async throws {
        try await withPenstock { server, client in
            let queue = Queue("q", client)
            let events = try await queue.events([.added])
            try await queue.add("1")
            let known = try #require(try await events.first { _ in true }).sequence
            try await queue.add("2")
            try await PenstockClient.withClient(server.address) { other in
                let rest = try await Queue("q", other).events([.added], after: known)
                try await queue.add("3")
                var names: [String] = []
                for try await event in rest.prefix(2) { names.append(event.name) }
                #expect(names == ["2", "3"])
            }
        }
    }

    @Test func `a reader that is slow gets all that is kept, and the client keeps little of it`() async throws {
        try await withPenstock { server, client in
            let queue = Queue("q", client)
            let events = try await queue.events([.added])
            // Ten times what the client takes before it is read.
            for _ in 0..<40 {
                _ = try await FlowProducer(client).addBulk(
                    (0..<500).map { _ in FlowJob(String(repeating: "n", count: 80), queue: "q") }
                )
            }
            var count = 0
            for try await event in events.prefix(20_000) {
                #expect(event.change == .added)
                count += 1
            }
            #expect(count == 20_000)
        }
    }

    @Test func `a queue that is paused and goes on says so`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            let events = try await queue.events([.paused, .resumed])
            try await queue.pause()
            try await queue.resume()
            var changes: [JobEvent.Change] = []
            for try await event in events.prefix(2) { changes.append(event.change) }
            #expect(changes == [.paused, .resumed])
        }
    }

    @Test func `a cancellation is told with its reason`() async throws {
        try await withPenstock { _, client in
            let queue = Queue("q", client)
            let events = try await queue.events(.finished)
            let job = try await queue.add("n")
            try await job.cancel(reason: "not needed")
            let event = try #require(try await events.first { _ in true })
            #expect(event.change == .cancelled(reason: "It was cancelled: not needed"))
        }
    }
}
