import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

@Suite(.computing) struct SchedulerTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    @Test func `a scheduler adds its job at every occurrence, and tells what it has done`() throws {
        let outcome = try engine.setScheduler(every: 1000)
        #expect(outcome == SchedulerOutcome(isNew: true, next: engine.wall + 1000))
        #expect(engine.result.nextRuns.elapsed == engine.elapsed + 1000 && engine.result.nextRuns.wall == .max)
        #expect(try engine.dueSchedulers().isEmpty)
        for run in 1...3 {
            engine.advance(1000)
            try engine.runDueSchedulers()
            let row = try #require(try engine.scheduler())
            #expect(row.runs == UInt64(run) && row.next == engine.wall + 1000 && row.lastFlow == .none)
            #expect(try engine.view(row.lastJob).name == "j")
            #expect(try engine.ready().map(\.job) == [row.lastJob])
            try engine.complete(row.lastJob)
        }
    }

    @Test func `a whole flow is a template, and the next run waits for all of it`() throws {
        try engine.setScheduler(every: 1000, .flow("nightly", [job("a"), job("b", after: [.node("a")])]))
        engine.advance(1000)
        try engine.runDueSchedulers()
        let first = try #require(try engine.scheduler())
        let flow = try engine.flow(first.lastFlow)
        #expect(flow.name == "nightly" && flow.counts.total == 2)
        try engine.complete(first.lastJob)
        engine.advance(1000)
        try engine.runDueSchedulers()
        #expect(try engine.scheduler()?.runs == 1, "b has not finished")
        try engine.complete(JobID(first.lastJob.rawValue + 1))
        engine.advance(1000)
        try engine.runDueSchedulers()
        let second = try #require(try engine.scheduler())
        #expect(second.runs == 2 && second.lastFlow != first.lastFlow)
    }

    @Test func `while the last run has not finished an occurrence is skipped, and the schedule goes on`() throws {
        try engine.setScheduler(every: 1000)
        for _ in 0..<5 {
            engine.advance(1000)
            try engine.runDueSchedulers()
        }
        let row = try #require(try engine.scheduler())
        #expect(row.runs == 1 && row.next == engine.wall + 1000)
        #expect(try engine.queue().total == 1)
        try engine.fail(row.lastJob)
        engine.advance(1000)
        try engine.runDueSchedulers()
        #expect(try engine.scheduler()?.runs == 2)
    }

    @Test func `one occurrence that is told twice has one run`() throws {
        try engine.setScheduler(every: 1000)
        engine.advance(1000)
        let due = try #require(try engine.dueSchedulers().first)
        engine.stage(engine.answer(due))
        engine.stage(engine.answer(due))
        try engine.commit()
        engine.stage(engine.answer(due))
        try engine.commit()
        #expect(try engine.scheduler()?.runs == 1)
        #expect(engine.result.hasRunSchedulers)
    }

    @Test func `after its limit a scheduler is listed, without a next run`() throws {
        try engine.setScheduler(every: 1000, limit: 2)
        for _ in 0..<4 {
            engine.advance(1000)
            try engine.runDueSchedulers()
            if let job = try engine.ready().first?.job { try engine.complete(job) }
        }
        let row = try #require(try engine.scheduler())
        #expect(row.runs == 2 && row.next == 0)
        #expect(engine.result.nextRuns == NextRuns())
        // A higher limit wakes it.
        let outcome = try engine.setScheduler(every: 1000, limit: 3)
        #expect(!outcome.isNew && outcome.next == engine.wall + 1000)
        engine.advance(1000)
        try engine.runDueSchedulers()
        #expect(try engine.scheduler()?.runs == 3)
        #expect(try engine.scheduler()?.next == 0)
    }

    @Test func `no occurrence lies behind the end`() throws {
        try engine.setScheduler(every: 1000, end: engine.elapsed + 2500)
        for run in [1, 2, 2] {
            engine.advance(1000)
            try engine.runDueSchedulers()
            #expect(try engine.scheduler()?.runs == UInt64(run))
            if let job = try engine.ready().first?.job { try engine.complete(job) }
        }
        #expect(try engine.scheduler()?.next == 0)
    }

    @Test func `missed runs that are owed follow one another, each when the one before has finished`() throws {
        try engine.setScheduler(every: 1000, missedRuns: .all)
        engine.advance(3000)
        try engine.runDueSchedulers()
        var jobs = Set<JobID>()
        for run in 1...3 {
            let row = try #require(try engine.scheduler())
            #expect(row.runs == UInt64(run))
            #expect(try engine.dueSchedulers().isEmpty)
            jobs.insert(row.lastJob)
            try engine.complete(row.lastJob)
            #expect(try engine.dueSchedulers().count == (run < 3 ? 1 : 0))
            try engine.runDueSchedulers()
        }
        #expect(jobs.count == 3)
        #expect(try engine.scheduler()?.runs == 3)
        engine.advance(1000)
        try engine.runDueSchedulers()
        #expect(try engine.scheduler()?.runs == 4)
    }

    @Test func `what is owed is dropped with the limit, though it was due already`() throws {
        try engine.setScheduler(every: 1000, limit: 2, missedRuns: .all)
        engine.advance(3000)
        try engine.runDueSchedulers()
        try engine.complete(try #require(try engine.scheduler()).lastJob)
        engine.advance(1000)
        let due = try engine.dueSchedulers()
        #expect(due.map(\.isOwed) == [true, false])
        engine.stage(engine.answer(due[1]))
        engine.stage(engine.answer(due[0]))
        try engine.commit()
        #expect(try engine.scheduler()?.runs == 2)
        #expect(engine.result.nextRuns == NextRuns())
        #expect(try engine.dump().schedulersDue.isEmpty)
    }

    @Test func `an occurrence and a run that is owed, due together, have one run at a time`() throws {
        try engine.setScheduler(every: 1000, missedRuns: .all)
        engine.advance(2000)
        try engine.runDueSchedulers()
        try engine.complete(try #require(try engine.scheduler()).lastJob)
        engine.advance(1000)
        for scheduler in try engine.dueSchedulers().reversed() { engine.stage(engine.answer(scheduler)) }
        try engine.commit()
        #expect(try engine.scheduler()?.runs == 2)
        try engine.complete(try #require(try engine.scheduler()).lastJob)
        try engine.runDueSchedulers()
        #expect(try engine.scheduler()?.runs == 3)
        #expect(try engine.queue()[.waiting] == 1)
    }

    @Test func `what is owed is kept over a restart`() throws {
        try engine.setScheduler(every: 1000, missedRuns: .all)
        engine.advance(2000)
        try engine.runDueSchedulers()
        try engine.restart()
        let first = try #require(try engine.scheduler()).lastJob
        try engine.complete(first)
        try engine.restart()
        try engine.runDueSchedulers()
        #expect(try engine.scheduler()?.runs == 2)
    }

    @Test func `an upsert keeps the next occurrence, the runs and the pending run, and takes the new template`() throws
    {
        try engine.setScheduler(every: 1000)
        engine.advance(1000)
        try engine.runDueSchedulers()
        let row = try #require(try engine.scheduler())
        engine.advance(400)
        let outcome = try engine.setScheduler(every: 1000, .single(job("other")), limit: 9)
        #expect(outcome == SchedulerOutcome(isNew: false, next: engine.wall + 600))
        engine.advance(600)
        try engine.runDueSchedulers()
        #expect(try engine.scheduler()?.runs == 1, "the last run is pending, whoever set it")
        try engine.complete(row.lastJob)
        engine.advance(1000)
        try engine.runDueSchedulers()
        let last = try #require(try engine.scheduler())
        #expect(last.runs == 2 && last.rule.limit == 9)
        #expect(try engine.view(last.lastJob).name == "other")
    }

    @Test func `an upsert with another schedule or start works the next occurrence out anew`() throws {
        try engine.setScheduler(every: 1000)
        engine.advance(400)
        #expect(try engine.setScheduler(every: 5000).next == engine.wall + 5000)
        engine.advance(400)
        #expect(try engine.setScheduler(every: 5000, start: 7, due: engine.elapsed + 50).next == engine.wall + 50)
        #expect(try engine.dueSchedulers().isEmpty)
        engine.advance(50)
        #expect(try engine.dueSchedulers().count == 1)
    }

    @Test func `what was worked out for a scheduler that was set again is void`() throws {
        try engine.setScheduler(every: 1000)
        engine.advance(1000)
        let due = try #require(try engine.dueSchedulers().first)
        engine.stageSet(
            "s",
            SchedulerRule(schedule: .every(1000)),
            SchedulerTimes(due: 1, anchor: 1),
            .single(job("new"))
        )
        engine.stage(engine.answer(due))
        try engine.commit()
        #expect(try engine.scheduler()?.runs == 0)
        try engine.runDueSchedulers()
        #expect(try engine.view(try #require(try engine.scheduler()).lastJob).name == "new")
    }

    @Test func `a removed scheduler leaves what it has added, and nothing else`() throws {
        try engine.setScheduler(every: 1000, missedRuns: .all)
        engine.advance(4000)
        let due = try #require(try engine.dueSchedulers().first)
        try engine.runDueSchedulers()
        let job = try #require(try engine.scheduler()).lastJob
        #expect(try engine.removeScheduler("s") == .ok)
        #expect(try engine.removeScheduler("s") == .schedulerNotFound)
        engine.stage(engine.answer(due))
        try engine.commit()
        try engine.complete(job)
        #expect(engine.result.nextRuns == NextRuns())
        let dump = try engine.dump()
        #expect(dump.schedulers.isEmpty && dump.schedulersDue.isEmpty && dump.schedulerRuns.isEmpty)
        #expect(try engine.queue().total == 1)
    }

    @Test func `a run for which there is no room stays due`() throws {
        try engine.setScheduler(every: 1000)
        engine.advance(1000)
        try engine.runDueSchedulers(refusingAdds: true)
        #expect(engine.result.hasRunsWaitingForRoom)
        #expect(try engine.scheduler()?.runs == 0)
        #expect(try engine.dueSchedulers().count == 1)
        try engine.runDueSchedulers()
        #expect(!engine.result.hasRunsWaitingForRoom)
        #expect(try engine.scheduler()?.runs == 1)
    }

    @Test func `pages of schedulers are in the order of their ids`() throws {
        for id in ["b", "aa", "c", "a"] { try engine.setScheduler(id) }
        let first = try engine.schedulers(rows: 2)
        #expect(first.rows.map(\.id) == ["a", "aa"] && first.hasMore)
        let second = try engine.schedulers(after: "aa", rows: 2)
        #expect(second.rows.map(\.id) == ["b", "c"] && !second.hasMore)
        #expect(try engine.schedulers(after: "ab").rows.map(\.id) == ["b", "c"])
    }

    @Test func `a template that could not be added twice is refused, and nothing is stored`() throws {
        let stored = try engine.add(job("stored"))
        let templates: [ItemSpec] = [
            .single(job("j", id: "mine")),
            .single(job("j", after: [.job(stored)])),
            .single(job("j") { $0.repeatEvery = 5 }),
            .single(job("j") { $0.attempts = 0 }),
            .flow([job("a", after: [.index(1)]), job("b")]),
        ]
        let codes = try templates.map { template in try refusal { try engine.setScheduler("t", template) } }
        #expect(codes == [.invalidOption, .invalidOption, .invalidOption, .invalidOption, .forwardReference])
        #expect(try engine.schedulers().rows.isEmpty)
        #expect(try engine.dump().schedulerTemplates.isEmpty)
        // A queue that was named by none but a refused template does not exist.
        #expect(try engine.dump().queues.count == 1)
    }

    @Test func `a database without room takes no scheduler`() throws {
        engine.stageSet("s", SchedulerRule(schedule: .every(5)), SchedulerTimes(due: 5), .single(job("j")))
        try engine.commit(refusingAdds: true)
        #expect(engine.session.code(1) == .full)
    }
}

@Suite(.computing) struct RepeatTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    @Test func `a repeated job of a flow goes on outside of it, once it has finished`() throws {
        let flow = try engine.add(
            .flow([
                job("a", id: "mine", data: [1, 2]) {
                    $0.repeatEvery = 500
                    $0.priority = 7
                    $0.attempts = 3
                    $0.delay = 20
                    $0.backoff = Backoff(kind: .fixed, delay: 9, maximum: 0, jitter: 0)
                },
                job("b", after: [.node("a")]),
            ])
        )
        #expect(try engine.schedulers().rows.isEmpty)
        engine.advance(20)
        try engine.promote()
        try engine.complete(flow["a"])
        #expect(try engine.state(flow["b"]) == .waiting)
        let id = "repeat:\(flow["a"])"
        #expect(try engine.scheduler(id)?.next == engine.wall + 500)
        engine.advance(500)
        try engine.runDueSchedulers()
        let row = try #require(try engine.scheduler(id))
        let view = try engine.view(row.lastJob)
        #expect(row.runs == 1 && row.lastFlow == .none)
        #expect(view.name == "a" && view.flow == .none && view.data == [1, 2])
        #expect(view.options.priority == 7 && view.options.attempts == 3 && view.state == .waiting)
        #expect(try engine.flow(flow.flow).counts.total == 2)
        // Its runs end without beginning another repetition.
        try engine.complete(row.lastJob)
        #expect(try engine.schedulers().rows.count == 1)
        #expect(try engine.removeScheduler(id) == .ok)
        engine.advance(500)
        #expect(try engine.dueSchedulers().isEmpty)
    }

    @Test func `a job with a wall time and an interval goes on`() throws {
        var spec = job("j", data: [1]) {
            $0.repeatEvery = 500
            $0.at = engine.wall + 100
            $0.timeout = 1
            $0.ttl = 2
            $0.keepLogs = 3
            $0.maxStarted = 4
            $0.keepCompleted = Retention(count: 5)
            $0.cancelSiblings = true
        }
        spec.headers = Headers([Headers.Entry("trace", "7")])
        let first = try engine.add(spec)
        engine.advance(100)
        try engine.promote()
        try engine.complete(first)
        for run in 1...2 {
            engine.advance(500)
            try engine.runDueSchedulers()
            let row = try #require(try engine.scheduler("repeat:\(first)"))
            #expect(row.runs == UInt64(run))
            let view = try engine.view(row.lastJob)
            #expect(view.state == .waiting && view.headers == spec.headers)
            #expect((view.options.timeout, view.options.ttl, view.options.keepLogs) == (1, 2, 3))
            #expect((view.options.maxStarted, view.options.at) == (4, 0))
            try engine.complete(row.lastJob)
        }
    }

    @Test func `a template that can't be read stops its scheduler, and nobody else`() throws {
        try engine.setScheduler("bad", every: 1000, missedRuns: .all)
        try engine.setScheduler("good", every: 1000)
        try engine.open.cutTemplate("bad")
        engine.advance(3000)
        try engine.runDueSchedulers()
        #expect(engine.result.stoppedSchedulers.map(\.id) == ["bad"])
        #expect(try engine.scheduler("bad")?.next == 0 && engine.scheduler("good")?.runs == 1)
        #expect(try engine.queue().total == 1)
        engine.advance(1000)
        #expect(try engine.dueSchedulers().map(\.id) == [Array("good".utf8)])
        // It goes on when it is set again.
        try engine.setScheduler("bad", every: 1000)
        engine.advance(1000)
        try engine.runDueSchedulers()
        #expect(engine.result.stoppedSchedulers.isEmpty)
        #expect(try engine.scheduler("bad")?.runs == 1)
    }

    @Test func `a repeated job that fails for good goes on, one that is cancelled does not`() throws {
        let failed = try engine.add(job("f") { $0.repeatEvery = 500 })
        let cancelled = try engine.add(job("c") { $0.repeatEvery = 500 })
        try engine.fail(failed)
        var body = WireWriter()
        let sequence = engine.session.draw()
        Cancel(sequence: sequence, target: .job(cancelled)).encode(into: &body)
        let place = engine.batch.keep(body.span)
        engine.stage(.cancel, engine.session) {
            $0.sequence = sequence
            $0.body = place
        }
        try engine.commit()
        #expect(try engine.state(cancelled) == .cancelled)
        #expect(try engine.schedulers().rows.map(\.id) == ["repeat:\(failed)"])
    }

    @Test func `a repeated job that never ran, because a dependency failed, does not go on`() throws {
        let flow = try engine.add(.flow([job("a"), job("b", after: [.node("a")]) { $0.repeatEvery = 500 }]))
        try engine.fail(flow["a"])
        #expect(try engine.state(flow["b"]) == .failed)
        #expect(try engine.schedulers().rows.isEmpty)
    }
}
