import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Settings of queues: stored, changed one by one, and what they mean for adds.
@Suite(.computing) struct QueueSettingsTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    @Test func `settings are changed one by one, and held over a restart`() throws {
        try engine.set([.paused]) { $0.isPaused = true }
        try engine.set([.concurrency, .maxLength]) {
            $0.concurrency = 4
            $0.maxLength = 100
        }
        try engine.set([.rate]) { $0.rate = RateLimit(max: 3, window: 1000) }
        try engine.set([.defaults]) { $0.defaults.attempts = 5 }
        var expected = QueueSettings()
        expected.isPaused = true
        expected.concurrency = 4
        expected.maxLength = 100
        expected.rate = RateLimit(max: 3, window: 1000)
        expected.defaults.attempts = 5
        #expect(try engine.queueView().settings == expected)
        try engine.restart()
        #expect(try engine.queueView().settings == expected)
        #expect(engine.open.engine.settings == [QueueID(1): expected])
        try engine.set([.paused])
        expected.isPaused = false
        #expect(try engine.queueView().settings == expected)
    }

    @Test func `the dispatcher is told of what is set now`() throws {
        try engine.set([.concurrency]) { $0.concurrency = 2 }
        try engine.set([.paused]) { $0.isPaused = true }
        let change = try #require(engine.result.changedQueues.first)
        #expect(change.queue == QueueID(1) && change.settings.isPaused && change.settings.concurrency == 2)
    }

    @Test func `a queue whose settings are all taken back has none`() throws {
        try engine.set([.paused, .concurrency]) {
            $0.isPaused = true
            $0.concurrency = 2
        }
        try engine.set([.paused, .concurrency])
        #expect(engine.open.engine.settings.isEmpty)
        #expect(engine.result.changedQueues.first?.settings == .standard)
        #expect(try engine.dump().settings.isEmpty)
    }

    @Test func `a queue can be set before anything is added to it`() throws {
        #expect(try refusal { _ = try engine.queueView("new") } == .queueNotFound)
        try engine.set([.paused], queue: "new") { $0.isPaused = true }
        #expect(try engine.queueView("new").settings.isPaused)
        try engine.add(job("a", queue: "new"))
        #expect(try engine.queueView("new").counts[.waiting] == 1)
    }

    @Test func `a job's time wins over its queue's delay`() throws {
        try engine.set([.defaults]) { $0.defaults.delay = 9000 }
        let timed = try engine.add(job("timed") { $0.at = engine.wall + 100 })
        let plain = try engine.add(job("plain"))
        #expect(try engine.view(timed).options.at == engine.wall + 100)
        #expect(try engine.view(timed).options.delay == 0 && engine.view(plain).options.delay == 9000)
        engine.advance(100)
        try engine.promote()
        #expect(try engine.state(timed) == .waiting && engine.state(plain) == .delayed)
        let both = job("both") {
            $0.at = engine.wall + 100
            $0.delay = 5
        }
        #expect(try refusal { try engine.add(both) } == .invalidOption)
    }

    @Test func `an obliterated queue has no settings`() throws {
        try engine.set([.paused, .maxLength, .defaults]) {
            $0.isPaused = true
            $0.maxLength = 1
            $0.defaults.priority = 4
        }
        try engine.add(job("a"))
        #expect(try engine.clean(.obliterate(force: false)) == 1)
        #expect(engine.result.changedQueues.first?.settings == .standard)
        #expect(try engine.queueView().settings == .standard)
        try engine.add(job("b"))
        #expect(try engine.view(try engine.add(job("c"))).options.priority == 0)
    }

    @Test func `a queue that rests is told of, and its job is back at its place, or waits for its children`() throws {
        let ids = try (0..<2).map { try engine.add(job("\($0)")) }
        let lease = try engine.lease(ids[0])
        #expect(try engine.rest(lease, for: 5000))
        #expect(engine.result.limitedQueues.map(\.queue) == [QueueID(1)])
        #expect(engine.result.limitedQueues.map(\.milliseconds) == [5000])
        #expect(try engine.ready().map(\.job) == ids)
        #expect(try engine.view(ids[0]).attemptsMade == 0)
        let again = try engine.lease(ids[0])
        try engine.addHeld(again, .child(job("child", queue: "o")))
        #expect(try engine.rest(again, for: 7))
        #expect(try engine.state(ids[0]) == .waitingChildren)
        #expect(engine.result.limitedQueues.map(\.milliseconds) == [7])
    }

    // MARK: Maximum length

    @Test func `an add beyond the maximum length is refused whole, and nothing is stored`() throws {
        try engine.set([.maxLength]) { $0.maxLength = 3 }
        let first = try engine.add(.flow([job("a"), job("b"), job("other", queue: "o")]))
        let before = try engine.dump().jobs.count
        #expect(try refusal { try engine.add(.flow([job("x", queue: "o"), job("c"), job("d")])) } == .queueFull)
        #expect(try engine.dump().jobs.count == before)
        try engine.add(job("c"))
        #expect(try refusal { try engine.add(job("d")) } == .queueFull)
        try engine.complete(first["a"])
        try engine.add(job("d"))
        #expect(try refusal { try engine.add(job("e")) } == .queueFull)
    }

    @Test func `delayed jobs and those that wait for children count, and stored ones do not count twice`() throws {
        try engine.set([.maxLength]) { $0.maxLength = 3 }
        try engine.add(job("late") { $0.delay = 1000 })
        try engine.add(.flow([job("a", id: "a"), job("b", after: [.node("a")])]))
        #expect(try refusal { try engine.add(job("c")) } == .queueFull)
        let again = try engine.add(job("a", id: "a"))
        #expect(try engine.state(again) == .waiting)
    }

    @Test func `retries, stalls and children of a held job are never refused`() throws {
        let id = try engine.add(job("a") { $0.attempts = 2 })
        try engine.set([.maxLength]) { $0.maxLength = 1 }
        try engine.fail(id)
        #expect(try engine.state(id) == .waiting)
        let lease = try engine.lease(id)
        try engine.addHeld(lease, .child(job("child")))
        #expect(try engine.queueView().counts.total == 2)
    }

    @Test func `a lower bound leaves what is there`() throws {
        for name in ["a", "b", "c"] { try engine.add(job(name)) }
        try engine.set([.maxLength]) { $0.maxLength = 1 }
        #expect(try engine.queueView().counts[.waiting] == 3)
        #expect(try refusal { try engine.add(job("d")) } == .queueFull)
    }

    // MARK: Defaults

    @Test func `an option that is not given is the queue's, and a given one wins`() throws {
        try engine.set([.defaults]) {
            $0.defaults.priority = 7
            $0.defaults.delay = 500
            $0.defaults.attempts = 3
            $0.defaults.backoff = Backoff(kind: .fixed, delay: 100, maximum: 0, jitter: 0)
            $0.defaults.onFailure = .ignore
            $0.defaults.maxStalledCount = 9
            $0.defaults.keepCompleted = Retention(count: 5)
        }
        let plain = try engine.view(try engine.add(job("plain")))
        #expect(plain.state == .delayed && plain.dueIn == 500)
        #expect(plain.options.priority == 7 && plain.options.attempts == 3 && plain.options.maxStalledCount == 9)
        #expect(plain.options.backoff.delay == 100 && plain.options.onFailure == .ignore)
        #expect(plain.options.keepCompleted == Retention(count: 5))
        let own = try engine.view(try engine.add(job("own") { $0.priority = 2 }))
        #expect(own.options.priority == 2 && own.options.attempts == 3)
        let other = try engine.view(try engine.add(job("other", queue: "o")))
        #expect(other.options == .default)
    }

    @Test func `defaults are those of the time of the add`() throws {
        let before = try engine.add(job("before"))
        try engine.set([.defaults]) { $0.defaults.attempts = 3 }
        let during = try engine.add(job("during"))
        try engine.set([.defaults])
        let after = try engine.add(job("after"))
        #expect(try [before, during, after].map { try engine.view($0).options.attempts } == [1, 3, 1])
    }

    @Test func `children of a held job have the queue's defaults, too`() throws {
        try engine.set([.defaults]) { $0.defaults.attempts = 3 }
        let parent = try engine.add(job("parent", queue: "o"))
        let lease = try engine.lease(parent)
        let child = try engine.addHeld(lease, .child(job("child")))["child"]
        #expect(try engine.view(child).options.attempts == 3)
    }
}
