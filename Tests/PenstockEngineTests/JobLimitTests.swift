import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Timeout, time to start, and a bound on starts.
@Suite(.computing) struct JobLimitTests {
    // MARK: Timeout

    @Test func `an attempt that times out is made again while attempts remain`() throws {
        let engine = try EngineHarness()
        let id = try engine.add(
            job("n") {
                $0.attempts = 2
                $0.timeout = 1000
                $0.backoff = Backoff(kind: .fixed, delay: 50, maximum: 0, jitter: 0)
            }
        )
        let first = try engine.lease(id)
        engine.advance(1000)
        try engine.timeOut(first)
        #expect(try engine.view(id).state == .delayed)
        #expect(try engine.view(id).attemptsMade == 1)
        let late = engine.stageComplete(first)
        try engine.commit()
        #expect(engine.session.code(late) == .fenced)
        engine.advance(50)
        try engine.promote()
        try engine.timeOut(engine.lease(id))
        let view = try engine.view(id)
        #expect((view.state, view.cause, view.attemptsMade) == (.failed, .timeout, 2))
        #expect(try engine.message(id) == "The attempt took longer than its timeout of 1000 ms.")
    }

    @Test func `a timeout takes a written lease away, too, and fails what depends on the job`() throws {
        let engine = try EngineHarness()
        let added = try engine.add(.flow([job("a") { $0.timeout = 1000 }, job("b", after: [.node("a")])]))
        let lease = try engine.lease(added["a"])
        engine.stageWrite(lease)
        try engine.commit()
        try engine.timeOut(lease)
        #expect(try engine.states(added, "a", "b") == [.failed, .failed])
        #expect(try engine.dump().leases.isEmpty)
    }

    @Test func `a timeout of a lease that has ended does nothing`() throws {
        let engine = try EngineHarness()
        let id = try engine.add(job("n") { $0.timeout = 1000 })
        let lease = try engine.lease(id)
        try engine.complete(id)
        try engine.timeOut(lease)
        #expect(try engine.state(id) == .completed)
    }

    @Test func `a written lease keeps when its attempt has to end`() throws {
        let engine = try EngineHarness()
        let lease = try engine.lease(engine.add(job("n") { $0.timeout = 1000 }))
        let end = engine.elapsed + 700
        engine.noteWritten(lease.job)
        engine.stage(.writeLease, lease) {
            $0.duration = 30_000
            $0.attemptEnd = end
        }
        try engine.commit()
        try engine.restart(after: 60_000)
        // What was left of it is left still.
        #expect(try engine.open.storedLeases().map(\.1.attemptEnd) == [end + 60_000])
    }

    @Test func `two restarts take nothing from an attempt`() throws {
        let engine = try EngineHarness()
        let leases = try ["a", "b"].map { try engine.lease(engine.add(job($0))) }
        for (lease, left) in zip(leases, [0, 700] as [UInt64]) {
            engine.noteWritten(lease.job)
            engine.stage(.writeLease, lease) {
                $0.duration = 30_000
                $0.attemptEnd = left == 0 ? 0 : engine.elapsed + left
            }
        }
        try engine.commit()
        for _ in 0..<2 {
            try engine.restart(after: 60_000)
            engine.advance(100)
            try engine.commit()
        }
        let ends = try engine.open.storedLeases().map(\.1.attemptEnd)
        #expect(ends == [0, engine.elapsed + 500])
    }

    // MARK: Time to start

    @Test func `a job that nobody starts in time expires`() throws {
        let engine = try EngineHarness()
        let added = try engine.add(.flow([job("a") { $0.ttl = 100 }, job("b", after: [.node("a")])]))
        #expect(engine.result.nextStartLimit == engine.elapsed + 100)
        engine.advance(99)
        try engine.expire()
        #expect(try engine.state(added["a"]) == .waiting)
        engine.advance(1)
        try engine.expire()
        #expect(engine.result.nextStartLimit == .max)
        let view = try engine.view(added["a"])
        #expect((view.state, view.cause, view.attemptsStarted) == (.failed, .expired, 0))
        #expect(try engine.message(added["a"]) == "Nobody started the job within its ttl of 100 ms.")
        #expect(try engine.state(added["b"]) == .failed)
        #expect(try engine.ready().isEmpty)
    }

    @Test func `a thousand expired dependencies fail in one command`() throws {
        let engine = try EngineHarness()
        engine.checks = false
        let jobs = (0..<Engine.expiredPerCommandMax).map { job("\($0)") { $0.ttl = 100 } }
        let ends = (0..<10).map { end in
            job("end\(end)", after: (0..<100).map { .node("\(end * 100 + $0)", $0 == 99 ? .failParent : .ignore) })
        }
        let added = try engine.add(.flow(jobs + ends))
        engine.advance(100)
        try engine.expire()
        #expect(try engine.flow(added.flow).counts[.failed] == 1010)
        #expect(engine.result.nextStartLimit == .max)
        try engine.check()
    }

    @Test func `expired dependencies with large effects fail in the commands that follow`() throws {
        let engine = try EngineHarness()
        engine.limits = EffectLimits(steps: 40)
        let jobs = (0..<30).map { job("\($0)") { $0.ttl = 100 } }
        let ends = (0..<90).map { job("end\($0)", after: [.node("\($0 / 3)")]) }
        let added = try engine.add(.flow(jobs + ends))
        engine.advance(100)
        var commands = 0
        repeat {
            try engine.expire()
            try engine.settle()
            commands += 1
        } while engine.result.nextStartLimit <= engine.elapsed
        #expect(commands > 1 && commands < 10)
        #expect(try engine.flow(added.flow).counts[.failed] == 120)
    }

    @Test func `a job whose time to start is over is not delivered any more`() throws {
        let engine = try EngineHarness()
        let id = try engine.add(job("n") { $0.ttl = 100 })
        let entry = try #require(try engine.ready().first)
        engine.advance(100)
        engine.stage(.promote, engine.session)
        try engine.commit()
        #expect(try engine.open.deliver(entry, 7, LeaseToken(epoch: 1, counter: 99)) == nil)
        try engine.expire()
        #expect(try engine.state(id) == .failed)
    }

    @Test func `the time to start begins when the job is ready the first time`() throws {
        let engine = try EngineHarness()
        let added = try engine.add(
            .flow([
                job("a"),
                job("b", after: [.node("a")]) {
                    $0.ttl = 100
                    $0.delay = 1000
                },
            ])
        )
        engine.advance(5000)
        try engine.expire()
        try engine.complete(added["a"])
        engine.advance(1000)
        try engine.promote()
        engine.advance(99)
        try engine.expire()
        #expect(try engine.state(added["b"]) == .waiting)
        engine.advance(1)
        try engine.expire()
        #expect(try engine.view(added["b"]).cause == .expired)
    }

    @Test func `a job that has started once does not expire`() throws {
        let engine = try EngineHarness()
        let released = try engine.add(job("n") { $0.ttl = 100 })
        try engine.giveBack(released)
        #expect(try engine.dump().startLimits.isEmpty)
        // A lease of which the database does not know counts, too; but a restart forgets it.
        let held = try engine.add(job("n", queue: "other") { $0.ttl = 100 })
        let lease = try engine.lease(held)
        engine.advance(200)
        try engine.expire()
        #expect(try engine.state(held) == .active)
        #expect(engine.result.nextStartLimit > engine.elapsed)
        try engine.restart()
        engine.advance(2000)
        try engine.expire()
        #expect(try engine.view(held).cause == .expired)
        #expect(try engine.state(released) == .waiting)
        _ = lease
    }

    @Test func `the time to start goes on over a restart`() throws {
        let engine = try EngineHarness()
        let id = try engine.add(job("n") { $0.ttl = 60_000 })
        try engine.restart(after: 61_000)
        try engine.expire()
        #expect(try engine.view(id).cause == .expired)
    }

    @Test func `a retry of a job that never started begins its time anew`() throws {
        let engine = try EngineHarness()
        let id = try engine.add(job("n") { $0.ttl = 100 })
        engine.advance(100)
        try engine.expire()
        engine.stageRetry(.job(id))
        try engine.commit()
        #expect(try engine.state(id) == .waiting)
        #expect(engine.result.nextStartLimit == engine.elapsed + 100)
        try engine.complete(id)
        #expect(try engine.dump().startLimits.isEmpty)
    }

    @Test func `a cancelled or removed job leaves no time to start behind`() throws {
        let engine = try EngineHarness()
        let cancelled = try engine.add(job("n") { $0.ttl = 100 })
        engine.stageCancel(.job(cancelled))
        try engine.commit()
        #expect(try engine.dump().startLimits.isEmpty)
        let removed = try engine.add(job("n") { $0.ttl = 100 })
        _ = try engine.remove(removed)
        #expect(try engine.dump().startLimits.isEmpty && engine.dump().startLimitsDue.isEmpty)
    }

    // MARK: Starts

    @Test func `a job that only ever stalls or is given back fails at its bound of starts`() throws {
        let engine = try EngineHarness()
        let id = try engine.add(
            job("n") {
                $0.maxStarted = 3
                $0.maxStalledCount = 100
            }
        )
        try engine.stall(id)
        try engine.giveBack(id)
        #expect(try engine.state(id) == .waiting)
        try engine.stall(id)
        let view = try engine.view(id)
        #expect((view.state, view.cause, view.attemptsStarted, view.attemptsMade) == (.failed, .stalled, 3, 0))
        #expect(try engine.message(id) == "The job has been started 3 times, as often as its maxStarted allows.")
    }

    @Test func `a job that is put off at its bound of starts fails, and its lease has ended`() throws {
        let engine = try EngineHarness()
        let id = try engine.add(job("n") { $0.maxStarted = 1 })
        let lease = try engine.lease(id)
        #expect(try engine.move(lease, to: .delayed, delay: 10))
        #expect(try engine.view(id).cause == .stalled)
    }

    @Test func `an attempt that fails at the bound of starts is the last, and keeps its failure`() throws {
        let engine = try EngineHarness()
        let id = try engine.add(
            job("n") {
                $0.maxStarted = 1
                $0.attempts = 5
            }
        )
        try engine.fail(id, message: "broken")
        #expect(try engine.view(id).cause == .error)
        #expect(try engine.message(id) == "broken")
    }
}
