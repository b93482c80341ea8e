import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// The options that few jobs have: how they are kept.
@Suite(.computing) struct RareOptionTests {
    private func many(_ options: inout NodeOptions) {
        options.priority = PenstockWire.Limits.priorityMax
        options.delay = 5
        options.backoff = Backoff(kind: .fixed, delay: 7, maximum: 0, jitter: 0)
        options.keepFailed = Retention(count: 3)
        options.cancelSiblings = true
        options.timeout = 30_000
        options.ttl = 60_000
        options.keepLogs = 10
        options.maxStarted = 4
    }

    @Test func `what a job was given is told of it, beside all else`() throws {
        let engine = try EngineHarness()
        let plain = try engine.add(job("plain", data: [1, 2, 3]))
        let id = try engine.add(job("n", id: "custom", data: [1, 2, 3], many))
        var expected = NodeOptions()
        many(&expected)
        let view = try engine.view(id)
        #expect(view.options == expected)
        #expect(view.customID == "custom" && view.data == [1, 2, 3] && view.headers.isEmpty)
        #expect(try engine.view(plain).options == .default)
        let jobs = try engine.dump().jobs
        #expect(jobs[plain]?.marks.contains(.hasExtras) == false && jobs[id]?.marks.contains(.hasExtras) == true)
    }

    @Test func `headers stand before the data, and other data leaves them`() throws {
        let engine = try EngineHarness()
        var node = job("n", data: [1])
        node.headers = Headers([Headers.Entry("trace", "a"), Headers.Entry("x", "")])
        let id = try engine.add(node)
        let lease = try engine.lease(id)
        #expect(try engine.move(lease, to: .delayed, delay: 5, data: Payload(.binary, [9, 9])))
        #expect(try engine.view(id).headers == node.headers)
        #expect(try engine.view(id).data == [9, 9])
        #expect(try engine.view(id).options == .default)
    }

    @Test func `a repeated job has them again in each run`() throws {
        let engine = try EngineHarness()
        var node = job("n") {
            $0.repeatEvery = 1000
            $0.timeout = 30_000
        }
        node.headers = Headers([Headers.Entry("trace", "a")])
        try engine.complete(engine.add(node))
        engine.advance(1000)
        try engine.runDueSchedulers()
        let again = try engine.view(JobID(2))
        #expect(again.headers == node.headers)
        #expect(again.options.timeout == 30_000)
    }

    @Test func `a waiting job tells since when it waits`() throws {
        let engine = try EngineHarness()
        let id = try engine.add(job("n"))
        let added = engine.elapsed
        #expect(try engine.record(id)?.due == added)
        engine.advance(10)
        let lease = try engine.lease(id)
        engine.stageReturn(lease)
        try engine.commit()
        #expect(try engine.record(id)?.due == added + 10)
    }
}
