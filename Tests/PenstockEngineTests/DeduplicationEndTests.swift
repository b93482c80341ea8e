import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// What is kept while a job is active, and how ids become free.
@Suite(.computing) struct DeduplicationEndTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    private func add(_ name: String, _ data: UInt8 = 0) throws -> (job: JobID, reason: AddOutcome.Reason?) {
        try engine.addAlone(job(name, data: [data]).deduplicated("a", keepsLast: true))
    }

    /// The one job that is ready.
    private func next() throws -> JobView { try engine.view(try #require(try engine.ready().first?.job)) }

    // MARK: Keep the last

    @Test func `the last add that comes while the job is active becomes a job when that has completed`() throws {
        let first = try add("first")
        #expect(try add("waits", 1) == (first.job, .deduplicated))
        _ = try engine.lease(first.job)
        #expect(try add("second", 2) == (first.job, .kept))
        #expect(try add("third", 3) == (first.job, .kept))
        #expect(try engine.holder("a").hasKept)
        #expect(try engine.queue().total == 1)
        try engine.complete(first.job)
        let kept = try next()
        #expect(kept.name == "third" && kept.data == [3] && kept.id.rawValue > first.job.rawValue)
        #expect(try engine.holder("a").job == kept.id && !engine.holder("a").hasKept)
        // It is a job as any other.
        _ = try engine.lease(kept.id)
        #expect(try add("fourth", 4) == (kept.id, .kept))
        try engine.complete(kept.id)
        let last = try next()
        #expect(last.name == "fourth")
        try engine.complete(last.id)
        #expect(try engine.storedDeduplications().isEmpty)
        #expect(try engine.queue()[.completed] == 3)
    }

    @Test func `what is kept comes after a failure, a stall, a cancel and an end by hand, too`() throws {
        for (number, end) in ["fail", "stall", "cancel", "complete"].enumerated() {
            let first = try engine.addAlone(
                job("first \(end)") { $0.maxStalledCount = 0 }.deduplicated(end, keepsLast: true)
            )
            let lease = try engine.lease(first.job)
            #expect(try engine.addAlone(job(end).deduplicated(end, keepsLast: true)).reason == .kept)
            switch number {
            case 0: try engine.fail(first.job)
            case 1:
                engine.stageStall(lease)
                try engine.commit()
            case 2: try engine.cancel(first.job)
            default: try engine.finish(first.job, .complete(.none))
            }
            #expect(try engine.view(first.job).state.isFinished)
            #expect(try next().name == end)
            try engine.complete(try next().id)
        }
    }

    @Test func `what is kept stays while the job comes back, and a newer add takes its place`() throws {
        let first = try engine.addAlone(job("first") { $0.attempts = 2 }.deduplicated("a", keepsLast: true))
        _ = try engine.lease(first.job)
        #expect(try add("second").reason == .kept)
        try engine.fail(first.job)
        #expect(try engine.state(first.job) == .waiting)
        #expect(try add("third", 3) == (first.job, .kept))
        #expect(try engine.addAlone(job("fourth").deduplicated("a")).reason == .deduplicated)
        try engine.complete(first.job)
        #expect(try next().name == "third")
    }

    @Test func `a delayed job that comes back is replaced, and what was kept before goes with it`() throws {
        let first = try engine.addAlone(
            job("first") {
                $0.attempts = 2
                $0.backoff = Backoff(kind: .fixed, delay: 100, maximum: 0, jitter: 0)
            }.deduplicated("a", keepsLast: true)
        )
        _ = try engine.lease(first.job)
        #expect(try add("second").reason == .kept)
        try engine.fail(first.job)
        let third = try engine.addAlone(job("third").deduplicated("a", replaces: true, keepsLast: true))
        #expect(third.reason == nil)
        #expect(try engine.dump().deduplicationsKept.isEmpty)
        try engine.complete(third.job)
        #expect(try engine.queue().total == 1)
    }

    @Test func `what is kept has its options, and those that its queue gave it then`() throws {
        let first = try add("first")
        _ = try engine.lease(first.job)
        try engine.set([.defaults]) { $0.defaults.attempts = 7 }
        let kept = job("second", data: [9]) {
            $0.delay = 50
            $0.priority = 3
            $0.timeout = 60
        }
        var node = kept.deduplicated("a", keepsLast: true)
        node.headers = Headers([Headers.Entry("trace", "t")])
        #expect(try engine.addAlone(node).reason == .kept)
        try engine.set([.defaults]) {
            $0.defaults.attempts = 2
            $0.defaults.ttl = 5
        }
        engine.advance(1_000)
        try engine.complete(first.job)
        let view = try engine.view(try engine.holder("a").job)
        #expect(view.state == .delayed && view.dueIn == 50)
        #expect(view.options.attempts == 7 && view.options.priority == 3 && view.options.timeout == 60)
        #expect(view.options.ttl == 0 && view.data == [9] && view.headers == node.headers && view.flow == .none)
    }

    @Test func `of several nodes of one add the last is kept`() throws {
        let first = try add("first")
        _ = try engine.lease(first.job)
        let jobs = try engine.addBulk(
            job("b1").deduplicated("a", keepsLast: true),
            job("b2").deduplicated("a"),
            job("b3").deduplicated("a", keepsLast: true)
        )
        #expect(jobs.map(\.reason) == [.deduplicated, .deduplicated, .kept])
        try engine.complete(first.job)
        #expect(try next().name == "b3")
    }

    @Test func `what is kept of a throttled id holds it until the job has ended`() throws {
        let first = try engine.add(job("first").deduplicated("a", ttl: 100))
        _ = try engine.lease(first)
        #expect(try add("second") == (first, .kept))
        engine.advance(1_000)
        #expect(try engine.addAlone(job("third").deduplicated("a")) == (first, .deduplicated))
        try engine.complete(first)
        #expect(try next().name == "second")
    }

    @Test func `a job that completes and adds another one leaves room for what was kept, and is answered rightly`()
        throws
    {
        let first = try add("first")
        let lease = try engine.lease(first.job)
        #expect(try add("second").reason == .kept)
        let added = try engine.complete(lease, adding: .flow([job("x"), job("y", after: [.node("x")])]))
        #expect(try engine.view(added["x"]).name == "x" && engine.view(added["y"]).name == "y")
        #expect(try engine.flow(added.flow).counts.total == 2)
        #expect(try engine.view(try engine.holder("a").job).name == "second")
    }

    @Test func `what is kept is there after a restart`() throws {
        let first = try add("first")
        let lease = try engine.lease(first.job)
        #expect(try add("second", 2).reason == .kept)
        // The lease was young: it is forgotten, and the job runs again.
        _ = lease
        try engine.restart()
        #expect(try engine.holder("a").hasKept)
        try engine.complete(first.job)
        #expect(try next().data == [2])
    }

    // MARK: Cancels and removals

    @Test func `a cancelled job holds its id no longer, whatever its time`() throws {
        let first = try engine.add(job("first").deduplicated("a", ttl: 1_000))
        try engine.cancel(first)
        #expect(try engine.addAlone(job("second").deduplicated("a")).reason == nil)
    }

    @Test func `a removed job holds its id no longer, whatever its time, and lets what is kept go on`() throws {
        let first = try engine.add(job("first").deduplicated("a", ttl: 1_000))
        try engine.complete(first)
        try engine.remove(first)
        #expect(try engine.storedDeduplications().isEmpty)

        let second = try engine.addAlone(job("second") { $0.attempts = 2 }.deduplicated("a", keepsLast: true))
        _ = try engine.lease(second.job)
        #expect(try add("third").reason == .kept)
        try engine.fail(second.job)
        try engine.remove(second.job)
        #expect(try next().name == "third")
    }

    @Test func `retention takes the job of a throttle, and not its time`() throws {
        engine.retention = RetentionRules(completed: Retention(count: 0), failed: Retention(count: 0))
        let first = try engine.add(job("first").deduplicated("a", ttl: 1_000_000))
        try engine.complete(first)
        engine.advance(100_000)
        try engine.retain()
        #expect(try refusal { _ = try engine.view(first) } == .jobNotFound)
        #expect(try engine.addAlone(job("second").deduplicated("a")) == (first, .deduplicated))
        engine.advance(900_000)
        #expect(try engine.addAlone(job("third").deduplicated("a")).reason == nil)
    }

    @Test func `drain and clean free the ids of what they remove`() throws {
        try engine.add(job("waits").deduplicated("a", ttl: 1_000))
        try engine.add(job("delayed") { $0.delay = 50 }.deduplicated("b"))
        let done = try engine.add(job("done").deduplicated("c", ttl: 1_000))
        try engine.complete(done)
        try engine.clean(.drain(delayedToo: true))
        #expect(try engine.storedDeduplications() == ["c"])
        try engine.clean(.clean(.completed, age: 0, limit: 0))
        #expect(try engine.storedDeduplications().isEmpty)
    }

    @Test func `a queue that is obliterated has no id and nothing kept`() throws {
        engine.retention = RetentionRules(completed: Retention(count: 0), failed: Retention(count: 0))
        let gone = try engine.add(job("gone").deduplicated("gone", ttl: 10_000_000))
        try engine.complete(gone)
        engine.advance(100_000)
        try engine.retain()
        let first = try add("first")
        _ = try engine.lease(first.job)
        #expect(try add("second").reason == .kept)
        try engine.add(job("other", queue: "r").deduplicated("a"))
        #expect(try refusal { try engine.clean(.obliterate(force: false)) } == .jobLeased)
        #expect(try engine.holder("a").hasKept)
        try engine.clean(.obliterate(force: true))
        #expect(try engine.queue().total == 0)
        #expect(try engine.storedDeduplications() == ["a"])
        #expect(try engine.holder("a", queue: "r").job != .none)
    }

    @Test func `a large queue loses its ids in slices, and what is added meanwhile keeps its own`() throws {
        engine.limits = EffectLimits(steps: 80)
        for number in 0..<300 { engine.stageAdd([.single(job("\(number)").deduplicated("id \(number)"))]) }
        try engine.commit()
        try engine.clean(.obliterate(force: false))
        #expect(engine.isSettling)
        var young: [(id: String, job: JobID)] = []
        for number in 0..<20 {
            young.append(("new \(number)", try engine.add(job("new").deduplicated("new \(number)", ttl: 100_000))))
            try engine.carryOn()
        }
        try engine.settle()
        #expect(try engine.queue().total == 20)
        #expect(try engine.storedDeduplications() == young.map(\.id).sorted())
        for (id, job) in young { #expect(try engine.holder(id).job == job) }
    }

    // MARK: Retries

    @Test func `a retried job holds its id again, unless another one does`() throws {
        let first = try engine.add(job("first").deduplicated("a"))
        try engine.fail(first)
        try engine.retry(first)
        #expect(try engine.addAlone(job("second").deduplicated("a")) == (first, .deduplicated))
        try engine.fail(first)
        let second = try engine.addAlone(job("second").deduplicated("a"))
        try engine.retry(first)
        #expect(try engine.queue()[.waiting] == 2)
        #expect(try engine.holder("a").job == second.job)
        try engine.complete(first)
        #expect(try engine.holder("a").job == second.job)
    }

    @Test func `a retried job of a throttle does not begin its time anew`() throws {
        let first = try engine.add(job("first").deduplicated("a", ttl: 100))
        try engine.fail(first)
        engine.advance(60)
        try engine.retry(first)
        #expect(try engine.holder("a").endsIn == 40)
        engine.advance(40)
        try engine.fail(first)
        try engine.retry(first)
        #expect(try engine.holder("a").job == .none)
    }

    @Test func `a job that is revived with what it waited for holds its id again`() throws {
        let first = try engine.add(job("first").deduplicated("a"))
        let lease = try engine.lease(first)
        let child = try engine.addHeld(lease, .child(job("child")))["child"]
        try engine.fail(child)
        #expect(try engine.state(first) == .failed)
        #expect(try engine.holder("a").job == .none)
        try engine.retry(child)
        #expect(try engine.state(first) == .waitingChildren)
        #expect(try engine.holder("a").job == first)
    }

    // MARK: By hand, and by time

    @Test func `an id can be freed by hand, of any job or of one`() throws {
        let first = try engine.add(job("first").deduplicated("a", ttl: 1_000))
        #expect(try engine.removeDeduplication("b") == 0)
        #expect(try engine.removeDeduplication("a", job: JobID(99)) == 0)
        #expect(try engine.removeDeduplication("a", job: first) == 1)
        #expect(try engine.removeDeduplication("a") == 0)
        let second = try engine.addAlone(job("second").deduplicated("a"))
        #expect(second.reason == nil)
        try engine.complete(first)
        #expect(try engine.holder("a").job == second.job)
        #expect(try refusal { try engine.removeDeduplication("a", queue: "none") } == .queueNotFound)
        #expect(try refusal { _ = try engine.holder("a", queue: "none") } == .queueNotFound)
    }

    @Test func `what was kept for an id that is freed by hand becomes a job, and does not hold it`() throws {
        let first = try add("first")
        _ = try engine.lease(first.job)
        #expect(try add("second").reason == .kept)
        #expect(try engine.removeDeduplication("a") == 1)
        #expect(try engine.queue().total == 2)
        #expect(try engine.holder("a").job == .none)
        #expect(try add("third").reason == nil)
    }

    @Test func `ids whose time is over are swept, a thousand at a time`() throws {
        engine.checks = false
        for number in 0..<1_500 {
            engine.stageAdd([.single(job("\(number)").deduplicated("\(number)", ttl: 100 + UInt64(number % 2)))])
        }
        try engine.commit()
        #expect(engine.result.nextDeduplicationEnd == engine.elapsed + 100)
        try engine.expire()
        #expect(try engine.storedDeduplications().count == 1_500)
        engine.advance(101)
        try engine.expire()
        #expect(try engine.storedDeduplications().count == 500)
        #expect(engine.result.nextDeduplicationEnd <= engine.elapsed)
        try engine.expire()
        #expect(try engine.storedDeduplications().isEmpty)
        #expect(engine.result.nextDeduplicationEnd == .max)
        try engine.check()
    }

    @Test func `time that passes while the server is down counts`() throws {
        let first = try engine.add(job("first").deduplicated("a", ttl: 1_000))
        try engine.add(job("second").deduplicated("b"))
        try engine.restart(after: 400)
        #expect(try engine.addAlone(job("third").deduplicated("a")) == (first, .deduplicated))
        #expect(try engine.addAlone(job("third").deduplicated("b")).reason == .deduplicated)
        try engine.restart(after: 600)
        #expect(try engine.addAlone(job("third").deduplicated("a")).reason == nil)
    }

    @Test func `a jump of the wall clock fires and starves nothing`() throws {
        let first = try engine.add(job("first").deduplicated("a", ttl: 1_000))
        engine.wall += 1_000_000
        #expect(try engine.addAlone(job("second").deduplicated("a")) == (first, .deduplicated))
        engine.wall -= 2_000_000
        engine.elapsed += 1_000
        #expect(try engine.addAlone(job("second").deduplicated("a")).reason == nil)
    }
}
