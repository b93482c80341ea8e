import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Groups: what is stored of them, and that lists and commands of a queue still tell the truth.
@Suite(.computing) struct GroupTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    private func rows(_ queue: String = "q") throws -> [String] {
        try engine.groups(queue).rows.map { "\($0.name) \($0.waiting) \($0.active) \($0.concurrency)" }
    }

    private func names() throws -> [String] { try engine.ready().map { try engine.view($0.job).name } }

    // MARK: The index

    @Test func `the ready index holds the jobs without a group first, then the newest group, each in its order`() throws
    {
        try engine.add(job("a2") { $0.priority = 2 }.grouped("a"))
        try engine.add(job("a1").grouped("a"))
        try engine.add(job("none"))
        try engine.add(job("b1").grouped("b"))
        try engine.add(job("a0") { $0.lifo = true }.grouped("a"))
        #expect(try names() == ["none", "b1", "a0", "a1", "a2"])
        #expect(try rows() == ["b 1 0 0", "a 3 0 0"])
        try engine.restart()
        #expect(try names() == ["none", "b1", "a0", "a1", "a2"])
    }

    @Test func `a job tells its group, to readers and to the dispatcher`() throws {
        let id = try engine.add(job("a").grouped("tenant \u{1F600}"))
        let plain = try engine.add(job("b"))
        #expect(try engine.view(id).group == "tenant \u{1F600}" && engine.view(plain).group == "")
        let entry = try #require(try engine.ready().last)
        #expect(entry.job == id && entry.group != .none)
        #expect(try engine.record(id)?.group == entry.group)
        engine.stageReturn(try engine.lease(id))
        try engine.commit()
        #expect(engine.result.ready == [entry])
    }

    @Test func `a name that is too long is refused, and nothing is stored`() throws {
        let before = try engine.untouched()
        #expect(try refusal { try engine.add(job("a").grouped(String(repeating: "g", count: 256))) } == .invalidName)
        let after = try engine.untouched()
        #expect(after["groups"] == before["groups"] && after["jobs"] == before["jobs"])
    }

    @Test func `the same name in another queue is another group`() throws {
        try engine.add(job("a").grouped("g"))
        try engine.add(job("b", queue: "r").grouped("g"))
        try engine.setGroup("g", 3)
        #expect(try rows() == ["g 1 0 3"] && rows("r") == ["g 1 0 0"])
    }

    // MARK: What becomes of a job

    @Test func `stalls, retries, delays and priorities leave a job in its group`() throws {
        let stalled = try engine.add(job("stalled").grouped("g"))
        let retried = try engine.add(job("retried") { $0.attempts = 2 }.grouped("g"))
        let late = try engine.add(job("late") { $0.delay = 100 }.grouped("g"))
        let urgent = try engine.add(job("urgent").grouped("g"))
        try engine.stall(stalled)
        try engine.fail(retried)
        engine.advance(100)
        try engine.promote()
        try engine.update(urgent, priority: 5)
        #expect(try names() == ["stalled", "retried", "late", "urgent"])
        #expect(Set(try engine.ready().map(\.group)).count == 1)
        try engine.cancel(late)
        try engine.retry(late)
        #expect(try names() == ["stalled", "retried", "late", "urgent"])
        #expect(try rows() == ["g 4 0 0"])
    }

    @Test func `a node of a flow has its group once it is released`() throws {
        let flow = try engine.add(.flow([job("a"), job("b", after: [.node("a")]).grouped("g")]))
        #expect(try rows() == [])
        try engine.complete(flow["a"])
        #expect(try rows() == ["g 1 0 0"])
    }

    @Test func `a job that is repeated stays in its group`() throws {
        let id = try engine.add(job("again") { $0.repeatEvery = 1000 }.grouped("g"))
        try engine.complete(id)
        engine.advance(1000)
        try engine.runDueSchedulers()
        let next = try #require(try engine.ready().first)
        #expect(try next.job != id && engine.view(next.job).group == "g")
    }

    // MARK: Groups that go

    @Test func `a group is forgotten with its last job, and comes back as a new one`() throws {
        let first = try engine.add(job("a").grouped("old"))
        try engine.add(job("b").grouped("other"))
        let number = try #require(try engine.record(first)?.group)
        try engine.complete(first)
        #expect(try engine.dump().groups.count == 2)
        #expect(try rows() == ["other 1 0 0"])
        try engine.remove(first)
        #expect(try engine.dump().groups.count == 1)
        let again = try engine.add(job("c").grouped("old"))
        let later = try #require(try engine.record(again)?.group)
        #expect(later < number)
    }

    @Test func `tenants that come and go leave nothing behind`() throws {
        for round in 0..<20 {
            let ids = try engine.add(.flow((0..<10).map { job("\($0)").grouped("t\(round).\($0)") })).ids.values
            for id in ids { try engine.complete(id) }
            try engine.clean(.clean(.completed, age: 0, limit: 0))
            #expect(try engine.dump().groups.isEmpty)
        }
        #expect(try engine.dump().groupNames.isEmpty)
    }

    @Test func `retention takes jobs with groups, and then the groups`() throws {
        let keep = Retention(count: 1)
        for index in 0..<4 {
            let id = try engine.add(job("\(index)") { $0.keepCompleted = keep }.grouped("g\(index)"))
            engine.advance(120_000)
            try engine.complete(id)
        }
        engine.advance(120_000)
        _ = try engine.retain()
        #expect(try engine.dump().groups.count == 1)
    }

    @Test func `a removed job whose result is kept is in no group any more`() throws {
        let flow = try engine.add(.flow([job("a").grouped("g"), job("b", after: [.node("a")])]))
        try engine.complete(flow["a"], .binary, [1, 2, 3])
        try engine.remove(flow["a"], keepingDependencies: true)
        #expect(try engine.dump().groups.isEmpty)
        #expect(try engine.dependencies(of: flow["b"]).first?.outcome == .result(.binary, [1, 2, 3]))
    }

    // MARK: Settings

    @Test func `the bound of a group is held over a restart, and keeps it`() throws {
        try engine.setGroup("g", 2)
        #expect(engine.result.changedGroups.map(\.concurrency) == [2])
        try engine.setGroup("", 7)
        try engine.restart()
        #expect(try rows() == ["g 0 0 2"] && engine.groups().concurrency == 7)
        var limits: [UInt32] = []
        try engine.open.read { try engine.open.reads.groupLimits($0) { limits.append($2) } }
        #expect(limits == [7, 2])
        let id = try engine.add(job("a").grouped("g"))
        try engine.complete(id)
        try engine.remove(id)
        #expect(try rows() == ["g 0 0 2"])
        try engine.setGroup("g", 0)
        try engine.setGroup("", 0)
        #expect(engine.result.changedGroups.map(\.group) == [.none])
        #expect(try engine.dump().groups.isEmpty && engine.dump().groupLimits.isEmpty)
    }

    @Test func `nothing is stored where a bound is taken from a group that nobody knows`() throws {
        try engine.setGroup("g", 0)
        #expect(engine.result.changedGroups.isEmpty)
        #expect(try engine.dump().groups.isEmpty)
    }

    @Test func `an obliterated queue has no groups, and nothing is set of them`() throws {
        for name in ["a", "b", "c"] {
            try engine.add(job(name).grouped(name))
            try engine.setGroup(name, 1)
        }
        try engine.setGroup("", 4)
        try engine.add(job("r", queue: "r").grouped("a"))
        try engine.setGroup("a", queue: "r", 9)
        #expect(try engine.clean(.obliterate(force: false)) == 3)
        #expect(engine.result.changedGroups.map(\.concurrency) == [0, 0, 0, 0])
        #expect(try engine.groups().rows == [] && engine.groups().concurrency == 0)
        #expect(try rows("r") == ["a 1 0 9"])
    }

    // MARK: Reads

    @Test func `leased jobs of a group are active, whether their leases are written or not`() throws {
        let ids = try (0..<4).map { try engine.add(job("\($0)").grouped("g")) }
        let first = try engine.lease(ids[0])
        _ = try engine.lease(ids[2])
        #expect(try rows() == ["g 2 2 0"])
        engine.stageWrite(first)
        try engine.commit()
        #expect(try rows() == ["g 2 2 0"])
        try engine.complete(ids[0])
        #expect(try rows() == ["g 2 1 0"])
    }

    @Test func `groups are listed in pages, and one is found by its name`() throws {
        for name in ["a", "b", "c", "d", "e"] { try engine.add(job(name).grouped(name)) }
        let gone = try engine.add(job("x").grouped("done"))
        try engine.complete(gone)
        for rows in 1...6 as ClosedRange<UInt32> {
            var seen: [String] = []
            var cursor: UInt64 = 0
            repeat {
                let page = try engine.groups(cursor: cursor, rows: rows)
                seen += page.rows.map(\.name)
                cursor = page.next
            } while cursor != 0
            #expect(seen == ["e", "d", "c", "b", "a"])
        }
        #expect(try engine.groups(group: "c").rows.map(\.name) == ["c"])
        #expect(try refusal { _ = try engine.groups(group: "none") } == .groupNotFound)
        #expect(try refusal { _ = try engine.groups(group: "done") } == .groupNotFound)
        #expect(try refusal { _ = try engine.groups("none") } == .queueNotFound)
        #expect(try refusal { _ = try engine.groups(cursor: 3) } == .invalidCursor)
    }

    @Test func `waiting jobs are listed group by group, forwards and backwards, whatever the page`() throws {
        var order: [JobID] = []
        for name in ["a", "b", "c"] {
            let low = try engine.add(job("low \(name)") { $0.priority = 2_097_151 }.grouped(name))
            let lifo = try engine.add(job("lifo \(name)") { $0.lifo = true }.grouped(name))
            let next = try engine.add(job("next \(name)").grouped(name))
            order = [lifo, next, low] + order
        }
        order = [try engine.add(job("plain")), try engine.add(job("late") { $0.priority = 9 })] + order
        for rows in 1...12 as ClosedRange<UInt32> {
            #expect(try engine.list(.waiting, rows: rows) == order)
            #expect(try engine.list(.waiting, isBackwards: true, rows: rows) == order.reversed())
        }
    }

    @Test func `priorities are counted over all groups`() throws {
        for (index, name) in ["a", "b", "a", "c"].enumerated() {
            try engine.add(job("\(index)") { $0.priority = index % 2 == 0 ? 0 : 4 }.grouped(name))
        }
        try engine.add(job("plain"))
        #expect(try engine.priorities() == [[0, 3], [4, 2]])
        #expect(try engine.queueView().counts[.waiting] == 5)
    }

    @Test func `the oldest ready job is found in whichever group it is`() throws {
        let old = try engine.add(job("old") { $0.priority = 3 }.grouped("a"))
        engine.advance(50)
        try engine.add(job("urgent").grouped("a"))
        try engine.add(job("plain"))
        try engine.add(job("b").grouped("b"))
        engine.advance(5)
        #expect(try engine.queueView().oldestReady == 55)
        try engine.complete(old)
        #expect(try engine.queueView().oldestReady == 5)
    }

    @Test func `a drain takes the waiting jobs of all groups, and a clean the first of them`() throws {
        let ids = try ["a", "b", "a", "c"].enumerated().map { index, name in
            try engine.add(job("\(index)").grouped(name))
        }
        let plain = try engine.add(job("plain"))
        #expect(try engine.clean(.clean(.waiting, age: 0, limit: 2)) == 2)
        // The jobs without a group, then the newest one.
        #expect(try engine.present(ids + [plain]) == [ids[0], ids[1], ids[2]])
        _ = try engine.lease(ids[0])
        #expect(try engine.clean(.drain(delayedToo: false)) == 2)
        #expect(try engine.present(ids) == [ids[0]])
        #expect(try rows() == ["a 0 1 0"])
    }

    @Test func `numbers that are in use are passed over when they come round again`() throws {
        let first = try engine.add(job("a").grouped("a"))
        let number = try #require(try engine.record(first)?.group)
        #expect(number == GroupID(.max))
        engine.open.engine.meta.nextGroup = 1
        let last = try engine.add(job("b").grouped("b"))
        let next = try engine.add(job("c").grouped("c"))
        #expect(try engine.record(last)?.group == GroupID(1))
        #expect(try engine.record(next)?.group == GroupID(.max - 1))
    }
}
