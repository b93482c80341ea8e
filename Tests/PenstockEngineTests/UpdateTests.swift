import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Changing a job that exists, and jobs that wait for a wall time.
@Suite(.computing) struct UpdateTests {
    @Test func `a full database takes no other data, by an update or a retry`() throws {
        let engine = try EngineHarness()
        let waiting = try engine.add(job("a", data: [1]))
        let failed = try engine.add(job("b", data: [1]))
        try engine.fail(failed)
        let data = Payload(.binary, [2])
        let refused = [
            engine.stageMessage(.update) { Update(sequence: $0, job: waiting, data: data) },
            engine.stageRetry(.job(failed), data: data),
        ]
        try engine.commit(refusingAdds: true)
        #expect(refused.map { engine.session.code($0) } == [.full, .full])
        #expect(try engine.view(waiting).data == [1] && engine.state(failed) == .failed)
        // What needs no room is taken.
        let taken = [
            engine.stageMessage(.update) { Update(sequence: $0, job: waiting, priority: 3) },
            engine.stageRetry(.job(failed)),
        ]
        try engine.commit(refusingAdds: true)
        #expect(taken.map { engine.session.code($0) } == [.ok, .ok])
    }

    @Test func `a waiting job has the place of its age among those of its new priority`() throws {
        let engine = try EngineHarness()
        let ids = try engine.add(.flow([job("a"), job("b") { $0.priority = 5 }, job("c")]))
        try engine.update(ids["a"], priority: 5)
        #expect(try engine.ready().map(\.job) == [ids["c"], ids["a"], ids["b"]])
        #expect(engine.result.withdrawn.map(\.job) == [ids["a"]])
        try engine.update(ids["b"], priority: 0)
        #expect(try engine.ready().map(\.job) == [ids["b"], ids["c"], ids["a"]])
        #expect(try engine.view(ids["b"]).options.priority == 0)
    }

    @Test func `a job that is changed is ready since when it was`() throws {
        let engine = try EngineHarness()
        let id = try engine.add(job("n"))
        engine.advance(500)
        try engine.update(id, data: Payload(.binary, [1]), priority: 3)
        engine.advance(20)
        #expect(try engine.queueView().oldestReady == 520)
    }

    @Test func `a lease that was granted before the update was known is void`() throws {
        let engine = try EngineHarness()
        let id = try engine.add(job("n", data: [1]))
        try engine.update(id, data: Payload(.binary, [2]))
        // As if the dispatcher had granted it beside the batch of the update, of which it does not know yet.
        let lease = try engine.lease(id)
        let sequence = engine.stageComplete(lease)
        engine.batch.settled = 0
        try engine.commit()
        #expect(engine.session.code(sequence) == .fenced)
        #expect(try engine.view(id).data == [2])
    }

    @Test func `a job that waits for its time or its dependencies is changed, too`() throws {
        let engine = try EngineHarness()
        let ids = try engine.add(
            .flow([job("a") { $0.delay = 1000 }, job("b", after: [.node("a")], data: [1])])
        )
        try engine.update(ids["a"], data: Payload(.binary, [5]), priority: 7, delay: 5000)
        #expect(try engine.view(ids["a"]).dueIn == 5000)
        try engine.update(ids["b"], data: Payload(.json, [6]), priority: 8)
        for (name, data, priority) in [("a", [5], 7), ("b", [6], 8)] as [(String, [UInt8], UInt32)] {
            let view = try engine.view(ids[name])
            #expect(view.data == data && view.options.priority == priority)
        }
        engine.advance(4999)
        try engine.promote()
        #expect(try engine.state(ids["a"]) == .delayed)
        try engine.update(ids["a"], delay: 0)
        #expect(try engine.states(ids, "a", "b") == [.waiting, .waitingChildren])
        #expect(engine.result.nextDue == .max)
    }

    @Test func `what can't be changed is refused, with the reason and nothing changed`() throws {
        let engine = try EngineHarness()
        let ids = try engine.add(.flow([job("a", data: [1]), job("b", after: [.node("a")])]))
        #expect(try refusal { try engine.update(ids["a"], priority: 1, delay: 1) } == .wrongState)
        #expect(try engine.view(ids["a"]).options.priority == 0)
        #expect(try refusal { try engine.update(ids["b"], delay: 1) } == .wrongState)
        let lease = try engine.lease(ids["a"])
        #expect(try refusal { try engine.update(ids["a"], data: Payload.none) } == .jobLeased)
        engine.stageWrite(lease)
        try engine.commit()
        #expect(try refusal { try engine.update(ids["a"], priority: 1) } == .jobLeased)
        try engine.complete(ids["a"])
        #expect(try refusal { try engine.update(ids["a"], data: Payload.none) } == .wrongState)
        #expect(try refusal { try engine.update(JobID(77), priority: 1) } == .jobNotFound)
        #expect(try engine.view(ids["a"]).data == [1])
    }

    // MARK: Wall times

    private func timed(_ engine: EngineHarness, in milliseconds: UInt64) throws -> JobID {
        let time = engine.wall + milliseconds
        return try engine.add(job("n") { $0.at = time })
    }

    @Test func `a job is ready at its wall time`() throws {
        let engine = try EngineHarness()
        let id = try timed(engine, in: 1000)
        #expect(try engine.view(id).state == .delayed)
        #expect(try engine.view(id).dueIn == 1000)
        #expect(engine.result.nextTimed == engine.wall + 1000)
        engine.advance(1000)
        try engine.promote()
        #expect(try engine.state(id) == .waiting)
        #expect(engine.result.nextTimed == .max && engine.result.nextDue == .max)
    }

    @Test func `a wall time that has passed makes a job ready at once`() throws {
        let engine = try EngineHarness()
        let time = engine.wall - 5
        #expect(try engine.state(engine.add(job("n") { $0.at = time })) == .waiting)
    }

    @Test func `a step of the wall clock forward makes ready what it passes over`() throws {
        let engine = try EngineHarness()
        let passed = try timed(engine, in: 1000)
        let later = try timed(engine, in: 100_000)
        engine.wall += 50_000
        try engine.promote()
        #expect(try [engine.state(passed), engine.state(later)] == [.waiting, .delayed])
    }

    @Test func `after a step of the wall clock back nothing is ready before its time`() throws {
        let engine = try EngineHarness()
        let id = try timed(engine, in: 1000)
        engine.wall -= 50_000
        engine.advance(1000)
        try engine.promote()
        #expect(try engine.state(id) == .delayed)
        #expect(try engine.view(id).dueIn == 50_000)
        engine.advance(50_000)
        try engine.promote()
        #expect(try engine.state(id) == .waiting)
    }

    @Test func `a wall time counts behind the dependencies, and before the first attempt only`() throws {
        let engine = try EngineHarness()
        let time = engine.wall + 1000
        let ids = try engine.add(
            .flow([
                job("a"),
                job("b", after: [.node("a")]) {
                    $0.at = time
                    $0.attempts = 2
                },
            ])
        )
        try engine.complete(ids["a"])
        #expect(try engine.state(ids["b"]) == .delayed)
        engine.advance(1000)
        try engine.promote()
        let lease = try engine.lease(ids["b"])
        #expect(try engine.move(lease, to: .delayed, delay: 5000))
        engine.wall += 100_000
        try engine.promote()
        #expect(try engine.state(ids["b"]) == .delayed)
        engine.advance(5000)
        try engine.promote()
        try engine.fail(ids["b"])
        #expect(try engine.state(ids["b"]) == .waiting)
    }

    @Test func `a job that waits for a wall time is changed, cancelled and removed like any other`() throws {
        let engine = try EngineHarness()
        let changed = try timed(engine, in: 1000)
        try engine.update(changed, delay: 50)
        #expect(engine.result.nextTimed == .max)
        #expect(try engine.view(changed).dueIn == 50)
        let promoted = try timed(engine, in: 1000)
        _ = try engine.promoteNow(.job(promoted))
        #expect(try engine.state(promoted) == .waiting)
        _ = try timed(engine, in: 1000)
        _ = try engine.promoteNow(.queue("q"))
        #expect(try engine.dump().timed.isEmpty)
        let cancelled = try timed(engine, in: 1000)
        _ = try engine.cancel(cancelled)
        let removed = try timed(engine, in: 1000)
        _ = try engine.remove(removed)
        #expect(try engine.dump().timed.isEmpty)
    }
}
