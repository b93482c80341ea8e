import Penstock
import PenstockTesting
import TestSupport
import Testing

/// What handlers learn of their cancellation, and how long they have.
@Suite(.inTurns) struct `Handlers that are cancelled` {
    @Test func `a handler whose job is cancelled can read why`() async throws {
        try await withPenstock { _, client in
            let (begun, reasons) = (Record<Int>(), Record<JobCancellation?>())
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in
                begun.add(1)
                #expect(job.cancellation == nil)
                do {
                    try await Task.sleep(for: .seconds(600))
                } catch {
                    reasons.add(job.cancellation)
                    throw error
                }
            }
            let job = try await Queue("q", client).add("n")
            try await running(worker) {
                await begun.wait(for: 1)
                try await job.cancel(reason: "the customer has left")
                await reasons.wait(for: 1)
            }
            let cancellation = try #require(reasons.entries[0])
            #expect(cancellation.reason == .cancelled)
            #expect(cancellation.message.contains("the customer has left"))
        }
    }

    @Test func `a handler that is cut off at the end of its worker can read that, and its job is given back`()
        async throws
    {
        try await withPenstock { _, client in
            let (begun, reasons) = (Record<Int>(), Record<JobCancellation?>())
            let options = Worker.Options(shutdownTimeout: .zero)
            let worker = Worker(client, queue: "q", options: options) { (job: Job<RawPayload>) in
                begun.add(1)
                do {
                    try await Task.sleep(for: .seconds(600))
                } catch {
                    reasons.add(job.cancellation)
                    throw error
                }
            }
            let job = try await Queue("q", client).add("n")
            try await running(worker) { await begun.wait(for: 1) }
            #expect(reasons.entries.map { $0?.reason } == [.workerStopped])
            #expect(try await eventually { try await job.state() == .waiting })
        }
    }

    @Test func `a handler that ignores its cancellation loses its place after the grace`() async throws {
        try await withPenstock { _, client in
            let (begun, gate, ended) = (Record<String>(), Gate(), Record<String>())
            let options = Worker.Options(cancellationGrace: .milliseconds(5))
            let worker = Worker(client, queue: "q", options: options) { (job: Job<RawPayload>) in
                begun.add(job.name)
                if job.name == "stubborn" { await gate.pass() }
                ended.add(job.name)
            }
            let queue = Queue("q", client)
            let stubborn = try await queue.add("stubborn")
            try await running(worker) {
                await begun.wait(for: 1)
                let next = try await queue.add("next")
                try await stubborn.cancel(reason: "enough")
                #expect(try await next.wait().state == .completed)
                #expect(ended.entries == ["next"])
                // Its late end changes nothing, and the place is not free twice.
                gate.open()
                await ended.wait(for: 2)
                let last = try await queue.add("last")
                #expect(try await last.wait().state == .completed)
                #expect(try await queue.workers().map(\.free) == [1])
            }
            #expect(try await stubborn.state() == .cancelled)
        }
    }

    @Test func `a worker ends although a handler ignores that it was cancelled`() async throws {
        try await withPenstock { _, client in
            let (begun, gate) = (Record<Int>(), Gate())
            let options = Worker.Options(shutdownTimeout: .zero, cancellationGrace: .milliseconds(5))
            let worker = Worker(client, queue: "q", options: options) { (job: Job<RawPayload>) in
                begun.add(1)
                await gate.pass()
            }
            try await Queue("q", client).add("n")
            try await running(worker) { await begun.wait(for: 1) }
            gate.open()
        }
    }
}
