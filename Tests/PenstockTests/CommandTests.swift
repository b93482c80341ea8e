import DequeModule
import PenstockWire
import TestSupport
import Testing

@testable import Penstock

/// What the commands about jobs, flows and queues become on the wire, and what becomes of their outcomes.
@Suite(.inTurns)
struct CommandTests {
    typealias JobID = Penstock.JobID
    typealias FlowID = Penstock.FlowID

    private func run(
        _ body: @escaping @Sendable (JobHandle, FlowHandle, Queue, TestServer) async throws -> Void
    ) async throws {
        try await ClientTests.run { client, server in
            let job = try await Queue("q", client).add("job")
            try await body(job, FlowHandle(FlowID(rawValue: 9), client), Queue("q", client), server)
        }
    }

    @Test func `cancels name their target and their reason`() async throws {
        try await run { job, flow, _, server in
            let cases: [(Cancel.Target, () async throws -> Int)] = [
                (.job(job.id.wire), { try await job.cancel(reason: "why") }),
                (.tree(job.id.wire), { try await job.cancelTree(reason: "why") }),
                (.flow(flow.id.wire), { try await flow.cancel(reason: "why") }),
            ]
            for (index, (target, cancel)) in cases.enumerated() {
                try await server.with { $0.reached = UInt32(index + 3) }
                #expect(try await cancel() == index + 3)
                let message = try #require(try await server.with { $0.last(Cancel.self) })
                #expect(message.target == target)
                #expect(message.reason == "why")
                #expect(message.sequence == UInt64(index + 2))
            }
            let long = await #expect(throws: PenstockError.self) {
                try await job.cancel(reason: String(repeating: "x", count: 1025))
            }
            #expect(long?.code == .invalidOption)
        }
    }

    @Test func `retries say what they keep and what they change`() async throws {
        try await run { job, flow, queue, server in
            func expect(_ message: Retry, _ retry: () async throws -> Int) async throws {
                #expect(try await retry() == 1)
                #expect(try await server.with { $0.last(Retry.self) } == message)
            }
            let id = job.id.wire
            try await expect(Retry(sequence: 2, target: .job(id))) { try await job.retry() }
            let data = Payload(.json, Array("7".utf8))
            try await expect(Retry(sequence: 3, target: .job(id), keepsCounters: true, data: data)) {
                try await job.retry(keepCounters: true, data: 7)
            }
            try await expect(Retry(sequence: 4, target: .job(id), reruns: true)) { try await job.rerun() }
            try await expect(Retry(sequence: 5, target: .flow(flow.id.wire), keepsCounters: true)) {
                try await flow.retry(keepCounters: true)
            }
            try await expect(Retry(sequence: 6, target: .queue("q"))) { try await queue.retryAll() }
        }
    }

    @Test func `jobs are finished and edges decided by hand`() async throws {
        try await run { job, _, _, server in
            try await job.complete(["cost": 3])
            let result = Payload(.json, Array(#"{"cost":3}"#.utf8))
            #expect(try await server.with { $0.last(Finish.self)?.ending } == .complete(result))
            try await job.complete()
            #expect(try await server.with { $0.last(Finish.self)?.ending } == .complete(.none))
            try await job.fail("no paint", details: [1, 2])
            #expect(
                try await server.with { $0.last(Finish.self)?.ending } == .fail(message: "no paint", details: [1, 2])
            )
            for (resolution, wire) in zip(DependencyResolution.allCases, Resolve.Resolution.allCases) {
                try await job.resolve(JobID(rawValue: 5), as: resolution)
                let message = try #require(try await server.with { $0.last(Resolve.self) })
                #expect((message.dependent, message.dependency, message.to) == (job.id.wire, .init(5), wire))
            }
            let large = await #expect(throws: PenstockError.self) {
                try await job.complete([UInt8](repeating: 0, count: 1 << 20 + 1))
            }
            #expect(large?.code == .resultTooLarge)
            let long = await #expect(throws: PenstockError.self) {
                try await job.fail(String(repeating: "x", count: 4097))
            }
            #expect(long?.code == .failureTooLarge)
        }
    }

    @Test func `removals and cleanings say what they spare`() async throws {
        try await run { job, flow, queue, server in
            #expect(try await job.remove() == 1)
            #expect(
                try await server.with { $0.last(Remove.self)?.target } == .job(job.id.wire, keepsDependencies: false)
            )
            try await job.remove(children: false)
            #expect(
                try await server.with { $0.last(Remove.self)?.target } == .job(job.id.wire, keepsDependencies: true)
            )
            try await job.removeUnprocessedChildren()
            #expect(try await server.with { $0.last(Remove.self)?.target } == .unprocessedDependencies(of: job.id.wire))
            try await flow.remove()
            #expect(try await server.with { $0.last(Remove.self)?.target } == .flow(flow.id.wire))
            let cleanings: [(Clean.Kind, () async throws -> Int)] = [
                (.drain(delayedToo: false), { try await queue.drain() }),
                (.drain(delayedToo: true), { try await queue.drain(delayed: true) }),
                (
                    .clean(.failed, age: 1500, limit: 10),
                    { try await queue.clean(.failed, olderThan: .milliseconds(1500), limit: 10) }
                ),
                (.clean(.waiting, age: 0, limit: 0), { try await queue.clean(.waiting) }),
                (.obliterate(force: false), { try await queue.obliterate() }),
                (.obliterate(force: true), { try await queue.obliterate(force: true) }),
            ]
            for (kind, clean) in cleanings {
                #expect(try await clean() == 1)
                let message = try #require(try await server.with { $0.last(Clean.self) })
                #expect(message.queue == "q")
                #expect(message.kind == kind)
            }
            for wrong in [
                { try await queue.clean(.active) }, { try await queue.clean(.failed, limit: 0) },
                { try await queue.clean(.failed, olderThan: .seconds(-1)) },
            ] as [() async throws -> Int] {
                let error = await #expect(throws: PenstockError.self) { try await wrong() }
                #expect(error?.code == .invalidOption)
            }
        }
    }

    @Test func `a refusal reaches the caller with its code`() async throws {
        try await run { job, _, _, server in
            try await server.with { $0.scripted[.retry] = [WireError(.notRetryable, "it is waiting")] }
            let error = await #expect(throws: PenstockError.self) { try await job.retry() }
            #expect(error == PenstockError(.notRetryable, "it is waiting"))
        }
    }

    @Test func `what is busy is asked again until it is not`() async throws {
        try await run { job, _, queue, server in
            try await server.with {
                $0.scripted[.cancel] = Deque(repeating: WireError(.settling, "later"), count: 3)
                $0.scripted[.add] = [WireError(.customIDBusy, "later")]
            }
            #expect(try await job.cancel() == 1)
            #expect(try await server.with { $0.commands.count } == 4)
            #expect(try await queue.add("next").id == JobID(rawValue: 2))
        }
    }

    @Test func `what stays busy is given up when the request's time is over`() async throws {
        try await run { job, _, _, server in
            try await server.with {
                $0.scripted[.cancel] = Deque(repeating: WireError(.settling, "later"), count: 10_000)
            }
            let configuration = PenstockClient.Configuration(requestTimeout: .milliseconds(500))
            try await PenstockClient.withClient(server.address, configuration: configuration) { client in
                let hasty = JobHandle(id: job.id, queue: job.queue, name: job.name, isExisting: true, client: client)
                let error = await #expect(throws: PenstockError.self) { try await hasty.cancel() }
                // Which of them depends on where the time was over: between two attempts, or within one.
                let codes: [PenstockError.Code?] = [.settling, .outcomeUnknown, .timedOut]
                #expect(codes.contains(error?.code))
            }
        }
    }

    @Test func `a command whose answer is lost is not carried out twice`() async throws {
        try await run { job, _, _, server in
            try await server.with { $0.dropsAfter = .cancel }
            #expect(try await job.cancel() == 1)
            #expect(try await server.with { $0.commands.count } == 1)
        }
    }
}
