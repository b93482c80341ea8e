import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// What is kept of the attempts at a job.
@Suite(.computing) struct AttemptHistoryTests {
    @Test func `a job that completes at its first attempt has no row, and its attempt is told all the same`() throws {
        let engine = try EngineHarness()
        let id = try engine.add(job("n"))
        #expect(try engine.attempts(id).isEmpty)
        let lease = try engine.lease(id)
        let running = AttemptList.Row(number: 1, ending: .running, startedAt: lease.startedAt)
        #expect(try engine.attempts(id) == [running])
        engine.stageWrite(lease)
        try engine.commit()
        #expect(try engine.attempts(id) == [running])
        engine.advance(5)
        try engine.complete(id)
        let completed = AttemptList.Row(
            number: 1,
            ending: .completed,
            startedAt: lease.startedAt,
            finishedAt: lease.startedAt + 5
        )
        #expect(try engine.attempts(id) == [completed])
        #expect(try engine.dump().attempts.isEmpty)
    }

    @Test func `every way in which an attempt ends is told, with its worker and its failure`() throws {
        let engine = try EngineHarness()
        let id = try engine.add(
            job("n") {
                $0.attempts = 100
                $0.maxStalledCount = 100
            }
        )
        try engine.fail(id, message: "broken")
        let lease = try engine.lease(id)
        let worker = engine.batch.keep(Array("w1".utf8).rawSpan)
        engine.stage(.stall, lease) { $0.worker = worker }
        try engine.commit()
        try engine.giveBack(id)
        _ = try engine.move(engine.lease(id), to: .delayed, delay: 1)
        engine.advance(1)
        try engine.promote()
        try engine.timeOut(engine.lease(id))
        try engine.complete(id)
        engine.stageRetry(.job(id), reruns: true)
        try engine.commit()
        _ = try engine.lease(id)
        engine.stageCancel(.job(id))
        try engine.commit()
        let rows = try engine.attempts(id)
        #expect(rows.map(\.number) == Array(1...7))
        #expect(
            rows.map(\.ending) == [.failed, .stalled, .released, .moved, .timedOut, .completed, .withdrawn]
        )
        #expect(rows[0].message == "broken" && rows[1].worker == "w1" && rows[1].message.isEmpty)
        #expect(rows[4].message == "The attempt took longer than its timeout of 0 ms.")
    }

    @Test func `a job that was completed by hand has only the attempts that were made`() throws {
        let engine = try EngineHarness()
        let waiting = try engine.add(job("n"))
        engine.stageFinish(waiting, .complete(.none))
        try engine.commit()
        #expect(try engine.attempts(waiting).isEmpty)
        let held = try engine.add(job("n"))
        _ = try engine.lease(held)
        engine.stageFinish(held, .complete(.none))
        try engine.commit()
        #expect(try engine.attempts(held).map(\.ending) == [.withdrawn])
        engine.stageRetry(.job(held), reruns: true)
        try engine.commit()
        #expect(try engine.attempts(held).map(\.ending) == [.withdrawn])
    }

    @Test func `the newest hundred are kept, and a long message is cut between two characters`() throws {
        let engine = try EngineHarness()
        engine.checks = false
        let id = try engine.add(job("n") { $0.attempts = 1000 })
        for _ in 0..<120 { try engine.fail(id, message: "x" + String(repeating: "é", count: 1000)) }
        let rows = try engine.attempts(id)
        #expect(rows.map(\.number) == Array(21...120))
        #expect(rows[0].message == "x" + String(repeating: "é", count: 511))
        engine.checks = true
        try engine.commit()
    }

    @Test func `what is left of a removed job has no attempts`() throws {
        let engine = try EngineHarness()
        let added = try engine.add(
            .flow([job("a") { $0.attempts = 2 }, job("b", after: [.node("a")])])
        )
        try engine.fail(added["a"])
        try engine.complete(added["a"])
        #expect(try engine.dump().attempts.count == 1)
        _ = try engine.remove(added["a"])
        #expect(try engine.dump().attempts.isEmpty)
        #expect(try engine.record(added["a"])?.marks == .isRemoved)
    }
}
