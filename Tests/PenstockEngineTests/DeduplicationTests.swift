import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Which adds with one deduplication id make a job: in each of the modes, in the order of the adds.
@Suite(.computing) struct DeduplicationTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    // MARK: Until the job has finished

    @Test func `an id is held until its job has completed, in its queue only`() throws {
        let first = try engine.add(job("first").deduplicated("a"))
        let second = try engine.addAlone(job("second", data: [1]).deduplicated("a"))
        #expect(second == (first, .deduplicated))
        #expect(try engine.view(first).name == "first")
        let other = try engine.addAlone(job("other", queue: "r").deduplicated("a"))
        #expect(other.reason == nil && other.job != first)
        let lease = try engine.lease(first)
        #expect(try engine.addAlone(job("third").deduplicated("a")) == (first, .deduplicated))
        engine.stageWrite(lease)
        #expect(try engine.addAlone(job("third").deduplicated("a")) == (first, .deduplicated))
        try engine.complete(first)
        #expect(try engine.storedDeduplications() == ["a"])
        let fourth = try engine.addAlone(job("fourth").deduplicated("a"))
        #expect(fourth.reason == nil && fourth.job != first)
        #expect(try engine.queue().total == 2)
    }

    @Test func `an id is held over an attempt that failed, and free after the last one`() throws {
        let first = try engine.add(
            job("first") {
                $0.attempts = 2
                $0.backoff = Backoff(kind: .fixed, delay: 100, maximum: 0, jitter: 0)
            }.deduplicated("a")
        )
        try engine.fail(first)
        #expect(try engine.addAlone(job("second").deduplicated("a")) == (first, .deduplicated))
        engine.advance(100)
        try engine.promote()
        try engine.fail(first)
        #expect(try engine.addAlone(job("second").deduplicated("a")).reason == nil)
    }

    @Test func `what a job was given is told of it`() throws {
        let terms = Deduplication(id: "a", ttl: 70, extends: true, replaces: true)
        let id = try engine.add(job("n", data: [1]).deduplicated("a", ttl: 70, extends: true, replaces: true))
        #expect(try engine.view(id).deduplication == terms)
        #expect(try engine.view(id).data == [1])
        #expect(try engine.view(try engine.add(job("m"))).deduplication == nil)
    }

    @Test func `a custom id that is taken comes first`() throws {
        let first = try engine.add(job("first", id: "own"))
        #expect(try engine.addAlone(job("again", id: "own").deduplicated("a")) == (first, .existing))
        #expect(try engine.storedDeduplications().isEmpty)
        let second = try engine.add(job("second", id: "new").deduplicated("a"))
        #expect(try engine.addAlone(job("third", id: "newer").deduplicated("a")) == (second, .deduplicated))
        #expect(try refusal { _ = try engine.view(.custom(queue: "q", id: "newer")) } == .jobNotFound)
    }

    @Test func `priority and lifo of an add that is deduplicated change nothing`() throws {
        let first = try engine.add(job("first") { $0.priority = 5 }.deduplicated("a"))
        let other = try engine.add(job("other") { $0.priority = 5 })
        _ = try engine.addAlone(
            job("second") {
                $0.priority = 1
                $0.lifo = true
            }.deduplicated("a")
        )
        #expect(try engine.ready().map(\.job) == [first, other])
    }

    // MARK: Throttle

    @Test func `a throttled id is held for its time, though its job has completed`() throws {
        let first = try engine.add(job("first").deduplicated("a", ttl: 100))
        try engine.complete(first)
        engine.advance(99)
        #expect(try engine.addAlone(job("second").deduplicated("a", ttl: 100)) == (first, .deduplicated))
        #expect(try engine.holder("a").endsIn == 1)
        engine.advance(1)
        #expect(try engine.holder("a").job == .none)
        #expect(try engine.addAlone(job("third").deduplicated("a", ttl: 100)).reason == nil)
    }

    @Test func `a throttled id is free after its time, though its job has not begun`() throws {
        let first = try engine.add(job("first").deduplicated("a", ttl: 100))
        engine.advance(100)
        let second = try engine.addAlone(job("second").deduplicated("a"))
        #expect(second.reason == nil)
        // The first one has no say any more.
        try engine.complete(first)
        #expect(try engine.holder("a").job == second.job)
    }

    @Test func `the time of a throttle begins anew only where the add says so`() throws {
        let first = try engine.add(job("first").deduplicated("a", ttl: 100))
        engine.advance(60)
        #expect(try engine.addAlone(job("second").deduplicated("a", ttl: 100)) == (first, .deduplicated))
        #expect(try engine.holder("a").endsIn == 40)
        #expect(try engine.addAlone(job("third").deduplicated("a", ttl: 100, extends: true)).reason == .deduplicated)
        #expect(try engine.holder("a").endsIn == 100)
        // Never sooner.
        #expect(try engine.addAlone(job("fourth").deduplicated("a", ttl: 10, extends: true)).reason == .deduplicated)
        #expect(try engine.holder("a").endsIn == 100)
        // An id that is held until its job has finished stays so.
        try engine.add(job("fifth").deduplicated("b"))
        #expect(try engine.addAlone(job("sixth").deduplicated("b", ttl: 10, extends: true)).reason == .deduplicated)
        #expect(try engine.holder("b").endsIn == 0)
    }

    // MARK: Replace

    @Test func `a debounced job takes the place of the delayed one, and both times begin anew`() throws {
        func add(_ name: String) throws -> (job: JobID, reason: AddOutcome.Reason?) {
            try engine.addAlone(
                job(name) { $0.delay = 100 }.deduplicated("a", ttl: 100, extends: true, replaces: true)
            )
        }
        let first = try add("first")
        engine.advance(90)
        let second = try add("second")
        #expect(second.reason == nil && second.job != first.job)
        #expect(try refusal { _ = try engine.view(first.job) } == .jobNotFound)
        #expect(try engine.view(second.job).dueIn == 100)
        #expect(try engine.holder("a").job == second.job)
        #expect(try engine.holder("a").endsIn == 100)
        engine.advance(90)
        let third = try add("third")
        #expect(try engine.queue()[.delayed] == 1)
        engine.advance(100)
        try engine.promote()
        #expect(try engine.ready().map(\.job) == [third.job])
        // The burst is over with its delay.
        #expect(try add("fourth").reason == nil)
        #expect(try engine.queue().total == 2)
    }

    @Test func `a job is replaced only while it is delayed`() throws {
        func add(_ name: String) throws -> (job: JobID, reason: AddOutcome.Reason?) {
            try engine.addAlone(job(name) { $0.delay = 100 }.deduplicated("a", replaces: true))
        }
        _ = try add("first")
        let second = try add("second")
        engine.advance(100)
        try engine.promote()
        #expect(try add("third") == (second.job, .deduplicated))
        let lease = try engine.lease(second.job)
        #expect(try add("third") == (second.job, .deduplicated))
        engine.stageComplete(lease)
        #expect(try add("third").reason == nil)
    }

    @Test func `a replaced throttle goes on with its time`() throws {
        try engine.add(job("first") { $0.delay = 1000 }.deduplicated("a", ttl: 100))
        engine.advance(60)
        let second = try engine.addAlone(
            job("second") { $0.delay = 1000 }.deduplicated("a", ttl: 100, replaces: true)
        )
        #expect(second.reason == nil)
        #expect(try engine.holder("a").endsIn == 40)
    }

    @Test func `a job that others depend on is not replaced`() throws {
        let first = try engine.add(job("first") { $0.delay = 100 }.deduplicated("a", replaces: true))
        let dependent = try engine.add(job("dependent", after: [.job(first)]))
        #expect(
            try engine.addAlone(job("second").deduplicated("a", replaces: true)) == (first, .deduplicated)
        )
        engine.advance(100)
        try engine.promote()
        try engine.complete(first)
        #expect(try engine.state(dependent) == .waiting)
    }

    @Test func `a job that waits for its retry is replaced, and leaves nothing behind`() throws {
        let first = try engine.add(
            job("first") {
                $0.attempts = 2
                $0.backoff = Backoff(kind: .fixed, delay: 100, maximum: 0, jitter: 0)
            }.deduplicated("a")
        )
        let lease = try engine.lease(first)
        try engine.report(lease, lines: ["one"])
        try engine.fail(first)
        let second = try engine.addAlone(job("second").deduplicated("a", replaces: true))
        #expect(second.reason == nil)
        #expect(try engine.queue().total == 1)
        #expect(try engine.dump().reports.isEmpty)
    }

    @Test func `a job of a flow that is replaced leaves its flow`() throws {
        let added = try engine.add(
            .flow([job("delayed") { $0.delay = 100 }.deduplicated("a"), job("other")])
        )
        let second = try engine.addAlone(job("second").deduplicated("a", replaces: true))
        #expect(second.reason == nil)
        #expect(try engine.flow(added.flow).counts.total == 1)
        try engine.complete(added["other"])
        #expect(try engine.flow(added.flow).status == .completed)
    }

    @Test func `a replacement does not make a full queue longer`() throws {
        try engine.set([.maxLength]) { $0.maxLength = 2 }
        try engine.add(job("first") { $0.delay = 100 }.deduplicated("a"))
        try engine.add(job("other"))
        #expect(try engine.addAlone(job("second").deduplicated("a", replaces: true)).reason == nil)
        #expect(try engine.addAlone(job("third").deduplicated("a")).reason == .deduplicated)
        #expect(try refusal { try engine.add(job("fourth").deduplicated("b")) } == .queueFull)
        #expect(try engine.storedDeduplications() == ["a"])
        // Nor one that is too long by now.
        let other = try engine.addAlone(job("delayed", queue: "r") { $0.delay = 100 }.deduplicated("a"))
        try engine.add(job("more", queue: "r"))
        try engine.set([.maxLength], queue: "r") { $0.maxLength = 1 }
        let next = try engine.addAlone(job("next", queue: "r").deduplicated("a", replaces: true))
        #expect(next.reason == nil && next.job != other.job)
    }

    // MARK: In one add

    @Test func `nodes of one add with one id come one after the other`() throws {
        let jobs = try engine.addBulk(
            job("a1").deduplicated("a"),
            job("b1").deduplicated("b"),
            job("a2").deduplicated("a"),
            job("plain"),
            job("a3").deduplicated("a"),
            job("b2", queue: "r").deduplicated("b")
        )
        #expect(jobs.map(\.reason) == [nil, nil, .deduplicated, nil, .deduplicated, nil])
        #expect(jobs[2].job == jobs[0].job && jobs[4].job == jobs[0].job)
        #expect(try engine.queue().total == 3 && engine.queue("r").total == 1)
    }

    @Test func `a delayed node of an add gives way to a later one of the same add`() throws {
        let jobs = try engine.addBulk(
            job("a1") { $0.delay = 100 }.deduplicated("a", replaces: true),
            job("plain1"),
            job("a2") { $0.delay = 100 }.deduplicated("a"),
            job("a3") { $0.delay = 100 }.deduplicated("a", replaces: true),
            job("plain2"),
            job("a4") { $0.delay = 100 }.deduplicated("a")
        )
        #expect(jobs.map(\.reason) == [.replaced, nil, .deduplicated, nil, nil, .deduplicated])
        let last = jobs[3].job
        #expect(jobs.map(\.job) == [last, jobs[1].job, last, last, jobs[4].job, last])
        #expect([jobs[1].job, last, jobs[4].job].map(\.rawValue) == [1, 2, 3])
        #expect(try engine.view(last).name == "a3")
        #expect(try engine.view(jobs[4].job).name == "plain2")
        #expect(try engine.queue().total == 3)
    }

    @Test func `a flow whose jobs are all deduplicated is none`() throws {
        let first = try engine.add(job("first").deduplicated("a"))
        let added = try engine.add(.flow([job("x").deduplicated("a"), job("y").deduplicated("a")]))
        #expect(added.flow == .none)
        #expect(added.items[0].existing.map(\.job) == [first, first])
        let mixed = try engine.add(.flow([job("x").deduplicated("a"), job("y"), job("z", after: [.node("y")])]))
        #expect(try engine.flow(mixed.flow).counts.total == 2)
    }

    @Test func `a job with a deduplication depends on none, and none on it, in its add`() throws {
        let refused = [
            ItemSpec.flow([job("x").deduplicated("a"), job("y", after: [.node("x")])]),
            .flow([job("x"), job("y", after: [.node("x")]).deduplicated("a")]),
            .single(job("x") { $0.repeatEvery = 1_000 }.deduplicated("a")),
            .single(job("x", id: "own").deduplicated("a", keepsLast: true)),
        ]
        for spec in refused { #expect(try refusal { try engine.add(spec) } == .invalidOption) }
        #expect(engine.open.engine.queues.isEmpty)
        // Once it is stored it is a job as any other.
        let first = try engine.add(job("first").deduplicated("a"))
        let dependent = try engine.add(job("dependent", after: [.job(first)]))
        try engine.complete(first)
        #expect(try engine.state(dependent) == .waiting)
    }

    @Test func `a job that an add replaces takes no part in its edges`() throws {
        let first = try engine.add(job("first", id: "own") { $0.delay = 100 }.deduplicated("a"))
        let replacing = ItemSpec.single(job("second").deduplicated("a", replaces: true))
        let needing = ItemSpec.flow([job("x", after: [.job(first)])])
        let hanging = ItemSpec.flow([job("y"), job("z", after: [.node("y")], id: "own")])
        for specs in [[replacing, needing], [needing, replacing], [hanging, replacing]] {
            let sequence = engine.stageAdd(specs)
            try engine.commit()
            #expect(engine.session.code(sequence) == .unknownDependency)
        }
        #expect(try engine.queue().total == 1)
    }

    @Test func `an add that is refused leaves every id as it was`() throws {
        let first = try engine.add(job("first") { $0.delay = 100 }.deduplicated("a"))
        let specs = [
            ItemSpec.single(job("second").deduplicated("a", replaces: true)),
            .single(job("third").deduplicated("b")),
            .flow([job("x", after: [.job(JobID(99))])]),
        ]
        let sequence = engine.stageAdd(specs)
        try engine.commit()
        #expect(engine.session.code(sequence) == .unknownDependency)
        #expect(try engine.storedDeduplications() == ["a"])
        #expect(try engine.holder("a").job == first)
    }
}
