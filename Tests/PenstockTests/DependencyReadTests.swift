import PenstockWire
import TestSupport
import Testing

@testable import Penstock

/// How a job's dependencies are asked for.
@Suite(.inTurns)
struct DependencyReadTests {
    @Test func `a handler asks about its job in the session that holds the job`() async throws {
        try await ClientTests.run { client, server in
            let worker = Worker(client, queue: "q") { (job: Job<RawPayload>) in
                _ = try await job.childrenValues(as: Int.self)
                _ = try await job.info()
                return 1
            }
            let job = try await Queue("q", client).add("job")
            try await ClientTests.working([worker]) { try await job.wait() }
            _ = try await job.info()
            let (asked, workers) = try await server.with { server in
                (server.asked, server.asked.first { $0.0 == .subscribe }?.1)
            }
            #expect(asked.filter { $0.0 == .getDependencies }.map(\.1) == [workers])
            // The second one is asked by a handle of the add.
            let reads = asked.filter { $0.0 == .getJob }.map { $0.1 == workers }
            #expect(reads == [true, false])
        }
    }

    @Test func `a kind that is named twice is asked for once`() async throws {
        try await ClientTests.run { client, _ in
            let job = try await Queue("q", client).add("job")
            let pages = try await job.dependencies([.processed, .failed, .processed])
            #expect(Set(pages.keys) == [.processed, .failed])
        }
    }

    @Test func `a dependency without a result is nil, none, or no value at all`() throws {
        func dependency(_ outcome: Dependency.Outcome) -> Dependency {
            Dependency(
                job: Penstock.JobID(rawValue: 7),
                queue: "q",
                name: "paint",
                kind: .processed,
                onFailure: .failParent,
                condition: .success,
                outcome: outcome
            )
        }
        let nothing = Dependency.Outcome(JobOutcome.none, of: .processed)
        #expect(nothing == .result(.none))
        #expect(Dependency.Outcome(JobOutcome.none, of: .unprocessed) == .none)
        #expect(try dependency(nothing).value(as: Int?.self) == nil)
        #expect(try dependency(nothing).value(as: RawPayload.self) == .none)
        #expect(try dependency(nothing).valueIfAny(as: Int.self) == nil)
        let error = #expect(throws: PenstockError.self) { try dependency(nothing).value(as: Int.self) }
        #expect(error?.code == .decodingFailed)
        #expect(error?.message.contains("q:7 (paint)") == true)
        // It failed, and was resolved by hand.
        let resolved = dependency(.failure(message: "broken"))
        #expect(try resolved.value(as: Int?.self) == nil)
        #expect(try resolved.valueIfAny(as: Int.self) == nil)
        // A result that is something else is no missing one.
        let text = dependency(.result(RawPayload(bytes: Array("x".utf8), kind: .text)))
        #expect(throws: PenstockError.self) { try text.valueIfAny(as: Int.self) }
    }
}
