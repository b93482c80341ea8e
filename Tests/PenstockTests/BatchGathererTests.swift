import PenstockWire
import TestSupport
import Testing

@testable import Penstock

/// Which run of a job an outcome is for.
@Suite(.inTurns) struct BatchGathererTests {
    let client = PenstockClient(.tcp(host: "127.0.0.1", port: 1))

    private func gatherer(
        size: Int,
        _ handler: @escaping @Sendable (JobBatch<RawPayload>) async throws -> Void
    ) -> BatchGatherer<RawPayload> {
        let options = BatchOptions(size: size, longestWait: .seconds(600))
        return BatchGatherer(client, options, concurrency: 1, grace: .seconds(600), handler: handler)
    }

    /// A run of the job 7 under a lease.
    private func job(_ token: UInt64) throws -> Job<RawPayload> {
        var delivery = WorkerStateMachineTests.delivery(token)
        delivery.job = PenstockWire.JobID(7)
        let core = WorkerCore(client, queues: ["q"], concurrency: 4, options: .init()) { _, _ in .none }
        return try Job(delivery, core)
    }

    @Test func `a job that comes twice under two leases has two outcomes`() async throws {
        let gatherer = gatherer(size: 2) { batch in
            for (index, job) in batch.jobs.enumerated() { batch.complete(job, index) }
        }
        let (first, second) = (try job(1), try job(2))
        async let one = gatherer.run(first)
        async let other = gatherer.run(second)
        let results = try await [one.decode(as: Int.self), other.decode(as: Int.self)]
        #expect(Set(results) == [0, 1])
    }

    @Test func `a job that was taken away can come again while its old batch still runs`() async throws {
        let (begun, open) = (OneShot(), OneShot())
        let gatherer = gatherer(size: 1) { batch in
            guard batch.jobs[0].lease.token == LeaseToken(1) else { return }
            begun.fire()
            await open.wait()
        }
        gatherer.setConcurrency(jobs: 2)
        let (first, second) = (try job(1), try job(2))
        let old = Task { try await gatherer.run(first) }
        await begun.wait()
        old.cancel()
        await #expect(throws: CancellationError.self) { try await old.value }
        #expect(try await gatherer.run(second) == RawPayload.none)
        open.fire()
    }

    @Test func `a job that comes while too many are here is given back`() async throws {
        let (begun, open) = (OneShot(), OneShot())
        let gatherer = gatherer(size: 1) { _ in
            begun.fire()
            await open.wait()
        }
        let (first, second) = (try job(1), try job(2))
        let run = Task { try await gatherer.run(first) }
        await begun.wait()
        await #expect(throws: JobGivenBack.self) { try await gatherer.run(second) }
        open.fire()
        #expect(try await run.value == RawPayload.none)
        #expect(try await gatherer.run(second) == RawPayload.none)
    }

    @Test func `a lease has one run at a time`() async throws {
        let (begun, open) = (OneShot(), OneShot())
        let gatherer = gatherer(size: 1) { _ in
            begun.fire()
            await open.wait()
        }
        let job = try job(1)
        let run = Task { try await gatherer.run(job) }
        await begun.wait()
        await #expect(throws: CancellationError.self) { try await gatherer.run(job) }
        open.fire()
        #expect(try await run.value == RawPayload.none)
        #expect(try await gatherer.run(job) == RawPayload.none)
    }
}
