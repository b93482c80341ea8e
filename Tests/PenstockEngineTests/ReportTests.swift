import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Progress and logs, and what becomes of them.
@Suite(.computing) struct ReportTests {
    private func texts(_ page: LogPage) -> [String] { page.rows.map(\.text) }

    @Test func `progress is told until other progress comes, and over the job's attempts`() throws {
        let engine = try EngineHarness()
        let id = try engine.add(job("n") { $0.attempts = 2 })
        #expect(try engine.view(id).progress == .none)
        try engine.report(engine.lease(id), progress: Payload(.json, [1]))
        #expect(try engine.view(id).progress == Payload(.json, [1]))
        #expect(try engine.state(id) == .active)
        try engine.fail(id)
        #expect(try engine.view(id).progress == Payload(.json, [1]))
        try engine.report(engine.lease(id), progress: Payload(.text, [2, 3]), lines: ["x"])
        try engine.complete(id)
        #expect(try engine.view(id).progress == Payload(.text, [2, 3]))
    }

    @Test func `progress of nothing takes it away`() throws {
        let engine = try EngineHarness()
        let lease = try engine.lease(engine.add(job("n")))
        try engine.report(lease, progress: Payload(.json, [1]))
        try engine.report(lease, progress: Payload.none)
        #expect(try engine.view(lease.job).progress == .none)
    }

    @Test func `data that is reported is the job's from the next attempt on`() throws {
        let engine = try EngineHarness()
        let id = try engine.add(job("n", data: [1]) { $0.attempts = 2 })
        try engine.report(engine.lease(id), data: Payload(.binary, [7]))
        #expect(try engine.view(id).data == [7])
        try engine.fail(id)
        #expect(try engine.view(id).data == [7])
    }

    @Test func `a written lease reports like any other, and one that has ended not at all`() throws {
        let engine = try EngineHarness()
        let lease = try engine.lease(engine.add(job("n")))
        engine.stageWrite(lease)
        try engine.commit()
        try engine.report(lease, lines: ["written"])
        try engine.complete(lease.job)
        #expect(try refusal { try engine.report(lease, lines: ["late"]) } == .fenced)
        #expect(try texts(engine.logs(lease.job)) == ["written"])
    }

    @Test func `a log keeps its newest lines, and their numbers go on`() throws {
        let engine = try EngineHarness()
        let lease = try engine.lease(engine.add(job("n") { $0.keepLogs = 3 }))
        try engine.report(lease, lines: ["a", "b"])
        engine.advance(5)
        try engine.report(lease, lines: ["c", "d", "e"])
        let page = try engine.logs(lease.job)
        #expect(page.rows.map(\.number) == [3, 4, 5] && texts(page) == ["c", "d", "e"])
        #expect(page.rows[0].time == engine.wall && page.lines == 5 && page.next == 0)
    }

    @Test func `a log has a bound of bytes, too`() throws {
        let engine = try EngineHarness()
        let lease = try engine.lease(engine.add(job("n")))
        let line = String(repeating: "x", count: PenstockWire.Limits.logLineBytesMax)
        for _ in 0..<3 { try engine.report(lease, lines: [String](repeating: line, count: 100)) }
        let page = try engine.logs(lease.job, rows: 1)
        #expect(page.rows[0].number == 300 - 256 + 1)
        #expect(page.lines == 300)
    }

    @Test func `a log is read page by page, also where lines go meanwhile`() throws {
        let engine = try EngineHarness()
        let lease = try engine.lease(engine.add(job("n") { $0.keepLogs = 5 }))
        try engine.report(lease, lines: ["1", "2", "3", "4", "5"])
        let first = try engine.logs(lease.job, rows: 2)
        #expect(texts(first) == ["1", "2"])
        try engine.report(lease, lines: ["6", "7", "8"])
        let second = try engine.logs(lease.job, cursor: first.next, rows: 3)
        #expect(texts(second) == ["4", "5", "6"])
        #expect(try texts(engine.logs(lease.job, cursor: second.next)) == ["7", "8"])
        #expect(try refusal { _ = try engine.logs(JobID(1), cursor: 77) } == .invalidCursor)
    }

    @Test func `a log is cleared by anybody, whole or in part`() throws {
        let engine = try EngineHarness()
        let lease = try engine.lease(engine.add(job("n")))
        try engine.report(lease, progress: Payload(.json, [1]), lines: ["a", "b", "c"])
        try engine.clearLogs(lease.job, keep: 1)
        #expect(try texts(engine.logs(lease.job)) == ["c"])
        try engine.complete(lease.job)
        try engine.clearLogs(lease.job)
        let page = try engine.logs(lease.job)
        #expect(page.rows.isEmpty && page.lines == 3)
        #expect(try engine.view(lease.job).progress == Payload(.json, [1]))
        #expect(try refusal { try engine.clearLogs(JobID(77)) } == .jobNotFound)
    }

    @Test func `a job that is to keep no line keeps none`() throws {
        let engine = try EngineHarness()
        let lease = try engine.lease(engine.add(job("n") { $0.keepLogs = 0 }))
        try engine.report(lease, lines: ["a", "b"])
        #expect(try engine.logs(lease.job).rows.isEmpty)
    }

    @Test func `a removed job takes its log along, by any way of removing`() throws {
        let engine = try EngineHarness()
        let added = try engine.add(.flow([job("a"), job("b", after: [.node("a")])]))
        let lease = try engine.lease(added["a"])
        try engine.report(lease, progress: Payload(.json, [1]), lines: ["a"])
        try engine.complete(lease.job)
        _ = try engine.remove(lease.job)
        let cleaned = try engine.add(job("c", queue: "other"))
        try engine.report(engine.lease(cleaned), lines: ["c"])
        _ = try engine.clean(.obliterate(force: true), queue: "other")
        let kept = try engine.add(job("d") { $0.keepCompleted = Retention(count: 0) })
        try engine.report(engine.lease(kept), lines: ["d"])
        try engine.complete(kept)
        engine.advance(60_001)
        _ = try engine.retain()
        #expect(try engine.record(kept) == nil)
        #expect(try engine.dump().logs.isEmpty && engine.dump().reports.isEmpty)
    }

    @Test func `reports wait for room like adds`() throws {
        let engine = try EngineHarness()
        let lease = try engine.lease(engine.add(job("n")))
        let sequence = engine.stageReport(lease, lines: ["a"])
        try engine.commit(refusingAdds: true)
        #expect(engine.session.code(sequence) == .full)
        try engine.complete(lease.job)
    }
}
