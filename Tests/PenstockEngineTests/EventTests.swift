import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

@Suite(.computing) struct EventTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    // MARK: What is told

    @Test func `a job is told from its add to its end`() throws {
        try engine.hear()
        let id = try engine.add(
            job("a") {
                $0.attempts = 2
                $0.backoff = Backoff(kind: .fixed, delay: 500, maximum: 0, jitter: 0)
            }
        )
        #expect(try engine.told() == ["a added", "a waiting"])
        let added = try engine.events()[0]
        #expect(added.head.job == id && added.head.flow == .none && added.queue == "q" && added.name == "a")
        #expect(added.head.time == engine.wall && added.head.sequence == 0)

        try engine.fail(id, message: "no route")
        #expect(try engine.told() == ["a retried", "a delayed", "q drained"])
        let retried = try engine.events()[0]
        #expect(retried.head.detail == FailureCause.error.rawValue && retried.head.attempt == 1)
        #expect(retried.data == Array("no route".utf8))
        #expect(try engine.events()[1].head.delay == 500)

        engine.advance(500)
        try engine.promote()
        #expect(try engine.told() == ["a waiting"])
        try engine.report(try engine.lease(id), progress: Payload(.json, [0x35]))
        let progress = try #require(try engine.events().first)
        #expect(progress.head.kind == .progress && progress.head.contentType == .json && progress.data == [0x35])
        try engine.complete(id)
        #expect(try engine.told() == ["a completed", "q drained"])
    }

    @Test func `a job that fails for good is told with its cause, and its message is cut between two characters`()
        throws
    {
        try engine.hear()
        let id = try engine.add(job("a"))
        let message = "x" + String(repeating: "é", count: 1000)
        try engine.fail(id, message: message)
        let failed = try #require(try engine.events().first)
        #expect(failed.head.kind == .failed && failed.head.detail == FailureCause.error.rawValue)
        #expect(failed.head.attempt == 1)
        let text = String(decoding: failed.data, as: UTF8.self)
        #expect(text == "x" + String(repeating: "é", count: 511))
    }

    @Test func `a delayed job is told to be delayed, and to be waiting when it is promoted`() throws {
        try engine.hear()
        let id = try engine.add(job("a") { $0.delay = 9_000 })
        #expect(try engine.told() == ["a added", "a delayed"])
        #expect(try engine.events()[1].head.delay == 9_000)
        try engine.promoteNow(.job(id))
        #expect(try engine.told() == ["a waiting"])
    }

    @Test func `a flow is told through its jobs, and its end once`() throws {
        try engine.hear()
        let flow = try engine.add(.flow("f", [job("a"), job("b", after: [.node("a")])]))
        #expect(try engine.told() == ["a added", "a waiting", "b added", "b waitingChildren"])
        try engine.complete(flow["a"])
        #expect(try engine.told() == ["a completed", "b waiting"])
        try engine.complete(flow["b"])
        #expect(try engine.told() == ["b completed", "flow flowFinished", "q drained"])
        let end = try engine.events()[1]
        #expect(end.head.detail == FlowStatus.completed.rawValue && end.name == "f" && end.queue.isEmpty)
        #expect(end.head.flow == flow.flow && end.head.job == .none)
    }

    @Test func `a failure is told upwards, and a retry back again`() throws {
        try engine.hear()
        let flow = try engine.add(.flow([job("a"), job("b", after: [.node("a")]), job("c", after: [.node("b")])]))
        try engine.fail(flow["a"])
        #expect(try engine.told() == ["a failed", "b failed", "c failed", "flow flowFinished", "q drained"])
        let causes = try engine.events().map(\.head.detail)
        let failed = [FailureCause.error, .dependency, .dependency].map(\.rawValue)
        #expect(causes == failed + [FlowStatus.failed.rawValue, 0])
        try engine.retry(.flow(flow.flow))
        #expect(
            try engine.told() == [
                "a retried", "b retried", "b waitingChildren", "c retried", "c waitingChildren", "a waiting",
            ]
        )
        #expect(try engine.events()[0].head.detail == FailureCause.none.rawValue)
    }

    @Test func `a lease that runs out is told as a stall`() throws {
        try engine.hear()
        let id = try engine.add(job("a"))
        engine.stageStall(try engine.lease(id))
        try engine.commit()
        #expect(try engine.told() == ["a stalled", "a waiting"])
        #expect(try engine.events()[0].head.attempt == 1)
        engine.stageStall(try engine.lease(id))
        try engine.commit()
        #expect(try engine.told() == ["a stalled", "a failed", "q drained"])
        #expect(try engine.events()[1].head.detail == FailureCause.stalled.rawValue)
    }

    @Test func `a cancellation is told with its reason, and a removal`() throws {
        try engine.hear()
        let flow = try engine.add(.flow([job("a"), job("b")]))
        try engine.cancel(.job(flow["a"]), reason: "not needed")
        #expect(try engine.told() == ["a cancelled"])
        let reason = String(decoding: try engine.events()[0].data, as: UTF8.self)
        #expect(reason == "It was cancelled: not needed")
        try engine.remove(flow["b"])
        #expect(try engine.told() == ["b removed", "flow flowFinished", "q drained"])
    }

    @Test func `what retention takes is told to be removed`() throws {
        engine.retention = RetentionRules(completed: Retention(count: 0), failed: Retention())
        try engine.hear()
        let id = try engine.add(job("a"))
        try engine.complete(id)
        engine.advance(60_000)
        try engine.retainSlice()
        #expect(try engine.told() == ["a removed"])
    }

    @Test func `a flow of which nothing is left before it has finished is told to be cancelled`() throws {
        try engine.hear()
        let flow = try engine.add(.flow("f", [job("a")]))
        try engine.remove(flow["a"])
        #expect(try engine.told() == ["a removed", "flow flowFinished", "q drained"])
        #expect(try engine.events()[1].head.detail == FlowStatus.cancelled.rawValue)
        #expect(try engine.events()[1].name == "f")
    }

    @Test func `pause and resume are told once each`() throws {
        try engine.hear(.queue("q"))
        try engine.set(.paused) { $0.isPaused = true }
        #expect(try engine.told() == ["q paused"])
        try engine.set(.paused) { $0.isPaused = true }
        #expect(try engine.told() == [])
        try engine.set(.paused) { $0.isPaused = false }
        #expect(try engine.told() == ["q resumed"])
    }

    @Test func `a queue is drained when its last job that could run has gone, whatever is delayed`() throws {
        let before = try engine.add(job("a"))
        try engine.add(job("later") { $0.delay = 1_000 })
        try engine.hear(.queue("q"))
        try engine.add(job("b"))
        try engine.complete(before)
        #expect(try engine.told() == ["a completed"])
        try engine.complete(try #require(try engine.ready().first).job)
        #expect(try engine.told() == ["b completed", "q drained"])
        try engine.promoteNow(.queue("q"))
        #expect(try engine.told() == ["later waiting"])
    }

    @Test func `a job that is put off is told where it goes`() throws {
        try engine.hear()
        let id = try engine.add(job("a"))
        #expect(try engine.rest(try engine.lease(id), for: 10))
        #expect(try engine.told() == ["a waiting"])
    }

    @Test func `a stored job that is given a dependency is told to wait for it`() throws {
        try engine.hear()
        let first = try engine.add(job("first"))
        try engine.add(job("a", id: "x"))
        try engine.add(.single(job("a", after: [.job(first)], id: "x")))
        #expect(try engine.told() == ["a waitingChildren"])
    }

    // MARK: Who hears what

    @Test func `nothing is gathered for nobody`() throws {
        func doMuch() throws {
            let flow = try engine.add(.flow([job("a"), job("b", after: [.node("a")])]))
            #expect(engine.result.events.isEmpty)
            try engine.fail(flow["a"])
            #expect(engine.result.events.isEmpty)
            try engine.remove(flow["b"])
            #expect(engine.result.events.isEmpty && engine.result.events.bytes.count == 0)
        }
        try doMuch()
        try engine.hear()
        try engine.hear(isOn: false)
        try doMuch()
        // What others listen to is none of these jobs' business.
        try engine.hear(.queue("other"))
        try engine.hear(.flow(FlowID(999)))
        try doMuch()
    }

    @Test func `a queue hears its jobs, a flow its own, wherever they are`() throws {
        let flow = try engine.add(.flow([job("a", queue: "x"), job("b", queue: "y", after: [.node("a")])]))
        try engine.add(.flow([job("other", queue: "y")]))
        try engine.hear(.flow(flow.flow))
        try engine.complete(flow["a"])
        #expect(try engine.told() == ["a completed", "b waiting"])
        try engine.hear(.flow(flow.flow), isOn: false)
        try engine.hear(.queue("y"))
        try engine.complete(flow["b"])
        #expect(try engine.told() == ["b completed"])
        try engine.complete(try #require(try engine.ready("y").first).job)
        #expect(try engine.told() == ["other completed", "y drained"])
    }

    // MARK: Batches

    @Test func `a batch that could not be committed leaves no event, and each is told once when it is`() throws {
        let engine = try EngineHarness(mapSize: 600 * 4_096)
        engine.checks = false
        try engine.hear()
        let large = [UInt8](repeating: 5, count: 100_000)
        try engine.add(.flow((0..<30).map { job("\($0)") }))
        while true {
            let lease = try #require(try engine.lease("q").first)
            engine.stageComplete(lease)
            engine.stageAdd([.single(job("large", queue: "new", data: large))])
            do {
                try engine.commit()
                #expect(try engine.told().count == 3)
                continue
            } catch EngineError.full {}
            #expect(engine.result.events.isEmpty)
            try engine.commit(refusingAdds: true)
            #expect(try engine.events().map(\.head.kind) == [.completed])
            break
        }
    }

    @Test func `more events than can be kept are not gathered`() throws {
        engine.checks = false
        try engine.hear()
        let progress = [UInt8](repeating: 1, count: PenstockWire.Limits.progressBytesMax)
        let id = try engine.add(job("a"))
        let lease = try engine.lease(id)
        for _ in 0..<1200 { engine.stageReport(lease, progress: Payload(.binary, progress)) }
        try engine.commit()
        #expect(engine.result.events.hasOverflowed)
        #expect(engine.result.events.bytes.count < EventBatch.bytesMax + 17_000)
        try engine.complete(id)
        #expect(!engine.result.events.hasOverflowed)
        #expect(try engine.told() == ["a completed", "q drained"])
    }

    @Test func `a flow that settles in slices is told to have finished when it has settled`() throws {
        engine.limits = EffectLimits(steps: 4)
        try engine.hear()
        let nodes = [job("a")] + (0..<20).map { job("b\($0)", after: [.node("a")]) }
        let flow = try engine.add(.flow(nodes))
        try engine.fail(flow["a"])
        var told = try engine.told()
        while engine.open.engine.isSettling {
            #expect(!told.contains("flow flowFinished"))
            engine.stage(.carryOn, engine.session)
            try engine.commit()
            told += try engine.told()
        }
        #expect(told.count { $0.hasSuffix(" failed") } == 21)
        #expect(told.count { $0 == "flow flowFinished" } == 1)
    }
}
