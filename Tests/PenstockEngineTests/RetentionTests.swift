import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// How long finished jobs are kept.
@Suite(.computing) struct RetentionTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    private static let minute: UInt64 = 60_000

    @discardableResult
    private func completed(_ count: Int, queue: String = "q", _ change: (inout NodeOptions) -> Void = { _ in }) throws
        -> [JobID]
    {
        let ids = try (0..<count).map { try engine.add(job("\($0)", queue: queue, change)) }
        for id in ids {
            try engine.complete(id, .json, [1])
            engine.advance(10)
        }
        return ids
    }

    @Test func `the newest finished jobs of each queue are kept`() throws {
        engine.retention.completed = Retention(count: 3)
        let ids = try completed(5)
        let others = try completed(2, queue: "o")
        engine.advance(RetentionTests.minute)
        // Nobody pays for it when a job finishes.
        try completed(1, queue: "x")
        #expect(try engine.present(ids) == ids)
        try engine.retain()
        #expect(try engine.present(ids) == Array(ids[2...]))
        #expect(try engine.present(others) == others)
        #expect(engine.result.nextRetention == .max)
    }

    @Test func `a finished job goes when it is old enough, and the next look is known`() throws {
        engine.retention = RetentionRules(
            completed: Retention(age: 2 * RetentionTests.minute),
            failed: Retention(age: 4 * RetentionTests.minute)
        )
        let good = try engine.add(job("good"))
        let bad = try engine.add(job("bad"))
        try engine.complete(good)
        let end = engine.elapsed
        try engine.fail(bad)
        try engine.retain()
        #expect(engine.result.nextRetention == end + 2 * RetentionTests.minute)
        engine.advance(2 * RetentionTests.minute)
        try engine.retain()
        #expect(try engine.present([good, bad]) == [bad])
        #expect(engine.result.nextRetention == end + 4 * RetentionTests.minute)
        engine.advance(2 * RetentionTests.minute)
        try engine.retain()
        #expect(try engine.stored() == [])
    }

    @Test func `a step of the wall clock deletes nothing`() throws {
        engine.retention.completed = Retention(age: 100 * RetentionTests.minute)
        let ids = try completed(3)
        engine.wall += 1_000 * RetentionTests.minute
        try engine.retain()
        #expect(try engine.present(ids) == ids)
        engine.wall -= 3_000 * RetentionTests.minute
        engine.elapsed += 100 * RetentionTests.minute
        try engine.retain()
        #expect(try engine.stored() == [])
    }

    @Test func `after a step back of the wall clock retention and clean take the oldest`() throws {
        let old = try completed(3)
        engine.wall -= 100 * RetentionTests.minute
        let new = try completed(3)
        #expect(try engine.list(.completed) == old + new)
        #expect(try engine.list(.completed, isBackwards: true) == (old + new).reversed())
        #expect(try engine.clean(.clean(.completed, age: 55, limit: 0)) == 1)
        #expect(try engine.clean(.clean(.completed, age: 0, limit: 1)) == 1)
        #expect(try engine.present(old + new) == old[2...] + new)
        engine.retention.completed = Retention(count: 2)
        engine.advance(RetentionTests.minute)
        try engine.retain()
        #expect(try engine.present(old + new) == Array(new[1...]))
    }

    @Test func `a job that is not to be kept can be read for a minute`() throws {
        let gone = try completed(1) { $0.keepCompleted = Retention(count: 0) }[0]
        let kept = try completed(1)[0]
        engine.elapsed += RetentionTests.minute - 40
        try engine.retain()
        #expect(try engine.view(gone).outcome == .result(.json, [1]))
        engine.elapsed += 40
        try engine.retain()
        #expect(try engine.present([gone, kept]) == [kept])
    }

    @Test func `what a job says of itself wins over the server's default`() throws {
        engine.retention.completed = Retention(count: 2, age: 5 * RetentionTests.minute)
        let kept = try completed(2) { $0.keepCompleted = Retention() }
        let few = try completed(3) { $0.keepCompleted = Retention(count: 5) }
        let plain = try completed(3)
        let aged = try completed(1) { $0.keepCompleted = Retention(age: 10 * RetentionTests.minute) }
        #expect(try engine.view(kept[0]).options.keepCompleted == Retention())
        #expect(try engine.view(plain[0]).options.keepCompleted == nil)
        engine.advance(RetentionTests.minute)
        try engine.retain()
        #expect(try engine.present(kept + few + plain + aged) == kept + few[2...] + plain[2...] + aged)
        engine.advance(5 * RetentionTests.minute)
        try engine.restart()
        try engine.retain()
        #expect(try engine.present(kept + few + plain + aged) == kept + few[2...] + aged)
        engine.advance(5 * RetentionTests.minute)
        try engine.retain()
        #expect(try engine.present(kept + few + aged) == kept + few[2...])
    }

    @Test func `a cancelled job is kept as long as a failed one`() throws {
        engine.retention.completed = Retention(count: 0)
        engine.retention.failed = Retention(count: 1)
        let ids = try (0..<3).map { try engine.add(job("\($0)")) }
        for id in ids {
            engine.stageMessage(.cancel) { Cancel(sequence: $0, target: .job(id)) }
            try engine.commit()
            engine.advance(1)
        }
        engine.advance(RetentionTests.minute)
        try engine.retain()
        #expect(try engine.stored() == [ids[2]])
    }

    // MARK: Flows

    @Test func `the jobs of a flow stay until it has finished, and its outcome stays after that`() throws {
        engine.retention = RetentionRules(
            completed: Retention(count: 0),
            failed: Retention(age: 2 * RetentionTests.minute)
        )
        let flow = try engine.add(
            .flow(
                "f",
                [job("a"), job("b", after: [.node("a")]), job("bad"), job("kept") { $0.keepCompleted = Retention() }]
            )
        )
        try engine.complete(flow["a"], .json, [1])
        try engine.complete(flow["kept"])
        try engine.fail(flow["bad"])
        engine.advance(10 * RetentionTests.minute)
        try engine.retain()
        #expect(try engine.stored().count == 4)
        try engine.complete(flow["b"])
        #expect(try engine.flow(flow.flow).status == .failed)
        try engine.retain()
        // Its dependent is kept for a minute still, and may read its result.
        #expect(try engine.present(Array(flow.ids.values).sorted()) == [flow["b"], flow["kept"]])
        #expect(try engine.dependencies(of: flow["b"]).map(\.outcome) == [.result(.json, [1])])
        engine.advance(RetentionTests.minute)
        try engine.retain()
        #expect(try engine.stored() == [flow["kept"]])
        #expect(try engine.flow(flow.flow).status == .failed)
        try engine.remove(flow["kept"])
        #expect(try refusal { _ = try engine.flow(flow.flow) } == .flowNotFound)
    }

    @Test func `a job that one outside its flow waits for is kept`() throws {
        engine.retention = RetentionRules(completed: Retention(count: 0), failed: Retention(count: 0))
        let flow = try engine.add(.flow([job("a"), job("bad")]))
        let outside = try engine.add(job("out", after: [.job(flow["a"]), .job(flow["bad"], .wait)]))
        try engine.complete(flow["a"], .json, [1])
        try engine.fail(flow["bad"])
        engine.advance(RetentionTests.minute)
        try engine.retain()
        #expect(try engine.stored() == [flow["a"], flow["bad"], outside])
        #expect(try engine.state(outside) == .waitingChildren)
        try engine.remove(outside, keepingDependencies: true)
        try engine.retain()
        #expect(try engine.stored() == [])
    }

    // MARK: Slices

    @Test func `many jobs go in slices, and a running flow in front of them is passed by`() throws {
        engine.checks = false
        engine.retention.completed = Retention(count: 10)
        let running = try engine.add(.flow((0..<600).map { job("\($0)") } + [job("open", queue: "o")]))
        for lease in try engine.lease("q", 600) { engine.stageComplete(lease) }
        try engine.commit()
        engine.advance(10)
        try finish(2_000)
        engine.advance(RetentionTests.minute)
        #expect(try engine.retain() > 4)
        #expect(try engine.stored().count == 611)
        #expect(try engine.flow(running.flow).counts.total == 601)
        try engine.check()
        try engine.complete(running["open"])
        engine.advance(RetentionTests.minute)
        try engine.retain()
        #expect(try engine.queue()[.completed] == 10)
        try engine.check()
    }

    @Test func `a slice of retention deletes no more lines than its steps`() throws {
        engine.limits.sliceSteps = 20
        engine.retention.completed = Retention(count: 0)
        let ids = try (0..<10).map { try engine.add(job("\($0)") { $0.attempts = 4 }) }
        for id in ids {
            try engine.report(engine.lease(id), lines: ["a", "b", "c", "d", "e"])
            for _ in 0..<3 { try engine.fail(id) }
            try engine.complete(id)
        }
        engine.advance(RetentionTests.minute)
        var dump = try engine.dump()
        var rows = dump.logs.count + dump.attempts.count
        #expect(rows == 80)
        repeat {
            try engine.retainSlice()
            dump = try engine.dump()
            let left = dump.logs.count + dump.attempts.count
            // The last job of a slice goes with all that is its own.
            #expect(rows - left < 20 + 8)
            rows = left
        } while engine.result.hasMoreToRetain
        #expect(try engine.stored() == [])
    }

    @Test func `a look that takes jobs keeps up with those that finish beside it`() throws {
        engine.checks = false
        engine.retention.completed = Retention(count: 10)
        try finish(1_000)
        engine.advance(RetentionTests.minute)
        try engine.retainSlice()
        var before = try engine.queue()[.completed]
        // From here on nobody asks for a slice.
        for _ in 0..<3 {
            try finish(100)
            #expect(!engine.result.hasRetained && engine.result.jobsRetentionTook >= 100)
            let after = try engine.queue()[.completed]
            #expect(after <= before)
            before = after
        }
        // A few commands wait for no slice.
        try finish(10)
        #expect(engine.result.jobsRetentionTook == 0)
        try engine.retain()
        #expect(try engine.queue()[.completed] == 310)
        try engine.check()
    }

    private func finish(_ count: Int) throws {
        try engine.add(.flow((0..<count).map { job("\($0)") }))
        for lease in try engine.lease("q", count) { engine.stageComplete(lease) }
        try engine.commit()
    }
}
