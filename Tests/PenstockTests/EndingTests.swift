import DequeModule
import Logging
import NIOCore
import PenstockWire
import TestSupport
import Testing

@testable import Penstock

/// Nobody waits for what can't come any more.
@Suite(.inTurns)
struct EndingTests {
    @Test func `a worker whose subscription is refused ends with the server's error`() async throws {
        try await ClientTests.run { client, server in
            try await server.with { $0.scripted[.subscribe] = [WireError(.invalidRequest, "one too many")] }
            let worker = Worker(client, queue: "q") { _ in }
            let error = await #expect(throws: PenstockError.self) { try await worker.run() }
            #expect(error == PenstockError(.invalidRequest, "one too many"))
        }
    }

    @Test func `a worker with a queue named twice is refused before anything is sent`() async throws {
        let client = PenstockClient(.tcp(host: "127.0.0.1", port: 1))
        let worker = Worker(client, queues: ["a", "b", "a"]) { _ in }
        let error = await #expect(throws: PenstockError.self) { try await worker.run() }
        #expect(error?.code == .invalidRequest)
    }

    @Test(arguments: [false, true])
    func `a worker ends with its client, and its handlers are cancelled`(isCancelled: Bool) async throws {
        try await TestServer.run { server in
            let client = PenstockClient(server.address)
            let running = Task { try await client.run() }
            let (started, cancelled) = (OneShot(), OneShot())
            let worker = Worker(client, queue: "q") { _ in
                await withTaskCancellationHandler {
                    started.fire()
                    await cancelled.wait()
                } onCancel: {
                    cancelled.fire()
                }
            }
            try await Queue("q", client).add("job")
            let working = Task { try await worker.run() }
            await started.wait()
            if isCancelled { running.cancel() } else { client.shutDown() }
            let error = await #expect(throws: PenstockError.self) { try await working.value }
            #expect(error?.code == .shutDown)
            try await running.value
        }
    }

    @Test func `a worker of a client that has ended does not begin`() async throws {
        try await TestServer.run { server in
            let client = PenstockClient(server.address)
            client.shutDown()
            try await client.run()
            let error = await #expect(throws: PenstockError.self) {
                try await Worker(client, queue: "q") { _ in }.run()
            }
            #expect(error?.code == .shutDown)
        }
    }

    @Test func `a request of a client that never runs fails when its time is over`() async throws {
        let configuration = PenstockClient.Configuration(requestTimeout: .milliseconds(10))
        let client = PenstockClient(.tcp(host: "127.0.0.1", port: 1), configuration: configuration)
        // Twice: the client has stopped looking at the time in between.
        for _ in 0..<2 {
            let read = await #expect(throws: PenstockError.self) {
                try await client.job(Penstock.JobID(rawValue: 1))
            }
            #expect(read?.code == .timedOut)
            let add = await #expect(throws: PenstockError.self) { try await Queue("q", client).add("job") }
            #expect(add?.code == .timedOut)
        }
    }

    @Test func `a wait without a timeout asks for two minutes at a time`() async throws {
        try await ClientTests.run { client, server in
            let job = try await Queue("q", client).add("job")
            try await server.with {
                $0.scripted[.wait] = [WireError(.timedOut, "not yet"), WireError(.timedOut, "not yet")]
            }
            let worker = Worker(client, queue: "q") { (_: Job<RawPayload>) in 7 }
            let waiting = Task { try await job.result(as: Int.self) }
            while try await server.with({ $0.timeouts.count }) < 3 { await Task.yield() }
            try await ClientTests.working([worker]) {
                let result = try await waiting.value
                #expect(result == 7)
            }
            let timeouts = try await server.with { $0.timeouts }
            #expect(timeouts.count == 3)
            #expect(timeouts.allSatisfy { (100_000...120_000).contains($0) })
        }
    }
}
