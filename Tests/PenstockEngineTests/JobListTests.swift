import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// The jobs of a queue by state, page by page; its priorities; the list of queues.
@Suite(.computing) struct JobListTests {
    let engine: EngineHarness
    init() throws { engine = try EngineHarness() }

    @Test func `waiting jobs come in the order in which they are served`() throws {
        let plain = try (0..<3).map { try engine.add(job("p\($0)") { $0.priority = 1 }) }
        let urgent = try (0..<2).map { try engine.add(job("u\($0)")) }
        let lifo = try engine.add(job("l") { $0.lifo = true })
        try engine.add(job("other", queue: "o"))
        let order = [lifo] + urgent + plain
        for rows in 1...7 as ClosedRange<UInt32> {
            #expect(try engine.list(.waiting, rows: rows) == order)
            #expect(try engine.list(.waiting, isBackwards: true, rows: rows) == order.reversed())
        }
        #expect(try engine.lease("q", 6).map(\.job) == order)
    }

    @Test func `a leased job is active, whether its lease is written or not, and not waiting`() throws {
        let ids = try (0..<6).map { try engine.add(job("\($0)")) }
        let first = try engine.lease(ids[0])
        engine.advance(10)
        _ = try engine.lease(ids[2])
        engine.stageWrite(first)
        try engine.commit()
        #expect(try engine.list(.waiting) == [ids[1], ids[3], ids[4], ids[5]])
        #expect(try engine.list(.waiting, isBackwards: true) == [ids[5], ids[4], ids[3], ids[1]])
        #expect(try engine.list(.active, rows: 1) == [ids[0], ids[2]])
        #expect(try engine.list(.active, isBackwards: true, rows: 1) == [ids[2], ids[0]])
        let rows = try engine.page(GetJobs(queue: "q", state: .active)).rows
        #expect(rows.map(\.startedAt) == [engine.wall - 10, engine.wall] && rows.map(\.attemptsStarted) == [1, 1])
    }

    @Test func `every other state has its order, too`() throws {
        let late = try [300, 100, 200].map { delay in try engine.add(job("\(delay)") { $0.delay = UInt64(delay) }) }
        let parents = try (0..<3).map { index in
            try engine.add(.flow([job("c\(index)", queue: "o"), job("p\(index)", after: [.node("c\(index)")])]))
        }.map { $0.ids.values.max()! }
        #expect(try engine.list(.delayed) == [late[1], late[2], late[0]])
        #expect(try engine.list(.delayed, isBackwards: true) == [late[0], late[2], late[1]])
        #expect(try engine.list(.waitingChildren) == parents)
        #expect(try engine.list(.waitingChildren, isBackwards: true) == parents.reversed())
        for id in [parents[2], late[0], parents[0]] {
            engine.advance(5)
            try engine.cancel(id)
        }
        #expect(try engine.list(.cancelled) == [parents[2], late[0], parents[0]])
        #expect(try engine.list(.waitingChildren) == [parents[1]])
        #expect(try engine.list(.delayed) == [late[1], late[2]])
        #expect(try engine.list(.completed) == [] && engine.list(.failed) == [])
        let row = try #require(try engine.page(GetJobs(queue: "q", state: .delayed)).rows.first)
        #expect(row.dueIn == 85 && row.name == "100")
    }

    @Test func `a walk shows each job that stays once, whatever comes and goes between its pages`() throws {
        let ids = try (0..<10).map { try engine.add(job("\($0)")) }
        var next = 0
        let seen = try engine.list(.waiting) {
            // One before and one behind the cursor, and one more at the end.
            if next < 3 { try engine.cancel(ids[next * 3]) }
            try engine.add(job("new\(next)"))
            next += 1
        }
        #expect(Set(seen).count == seen.count)
        let waiting = try ids.filter { try engine.state($0) == .waiting }
        #expect(Set(seen).isSuperset(of: waiting))
        #expect(seen.filter(ids.contains) == ids.filter(seen.contains))
    }

    @Test func `a cursor of another list is refused`() throws {
        for name in ["a", "b", "c"] { try engine.add(job(name)) }
        try engine.add(job("o", queue: "o"))
        let cursor = try engine.page(GetJobs(queue: "q", state: .waiting, rows: 1)).next
        for request in [
            GetJobs(queue: "o", state: .waiting, cursor: cursor), GetJobs(queue: "q", state: .delayed, cursor: cursor),
            GetJobs(queue: "q", state: .waiting, isBackwards: true, cursor: cursor),
            GetJobs(queue: "q", state: .waiting, cursor: JobListCursor(order: 0, job: 1)),
        ] {
            #expect(try refusal { _ = try engine.page(request) } == .invalidCursor)
        }
        #expect(try refusal { _ = try engine.page(GetJobs(queue: "none", state: .waiting)) } == .queueNotFound)
    }

    @Test(arguments: JobState.allCases, [false, true])
    func `a cursor with the last id that there is ends no server`(state: JobState, isBackwards: Bool) throws {
        let flow = try engine.add(.flow([job("child", queue: "o"), job("a", after: [.node("child")])]))
        for name in ["b", "c", "d", "e", "f", "g"] { try engine.add(job(name) { $0.delay = name > "e" ? 50 : 0 }) }
        try engine.cancel(flow["a"])
        _ = try engine.add(.flow([job("other", queue: "o"), job("h", after: [.node("other")])]))
        for lease in try engine.lease("q", 2) { engine.stageComplete(lease) }
        try engine.commit()
        try engine.fail(engine.ready()[0].job)
        _ = try engine.lease()
        let queue = try #require(engine.open.reads.queueIDs["q"])
        let words = [UInt64(queue.rawValue), UInt64(state.rawValue), isBackwards ? 1 : 0]
        let order = PageCursor("", .getJobs, words)
        for place in [0, engine.elapsed, engine.wall, 1 << 48 - 1] as [UInt64] {
            for last in [0, UInt64.max] {
                var request = GetJobs(queue: "q", state: state, isBackwards: isBackwards)
                request.cursor = JobListCursor(order: order.seal(place), job: last)
                #expect(try refusal { _ = try engine.page(request) } == nil)
            }
        }
    }

    // MARK: Priorities

    @Test func `waiting jobs are counted by priority`() throws {
        for (index, priority) in [5, 0, 5, 2_097_151, 0, 0].enumerated() {
            try engine.add(job("\(index)") { $0.priority = UInt32(priority) })
        }
        let all: [[UInt32]] = [[0, 3], [5, 2], [2_097_151, 1]]
        for rows in 0...3 as ClosedRange<UInt32> { #expect(try engine.priorities(rows: rows) == all) }
        let leases = try engine.lease("q", 4)
        #expect(try engine.priorities() == [[5, 1], [2_097_151, 1]])
        engine.stageReturn(leases[0])
        engine.stageComplete(leases[3])
        engine.stageWrite(leases[1])
        try engine.commit()
        #expect(try engine.priorities() == [[0, 1], [5, 1], [2_097_151, 1]])
        try engine.restart()
        #expect(try engine.priorities() == [[0, 2], [5, 1], [2_097_151, 1]])
        try engine.clean(.drain(delayedToo: false))
        #expect(try engine.priorities() == [])
    }

    // MARK: The oldest ready job

    @Test func `the oldest ready job is that which has been ready for longest`() throws {
        #expect(try refusal { _ = try engine.queueView() } == .queueNotFound)
        let slow = try engine.add(job("slow") { $0.priority = 9 })
        engine.advance(100)
        let lifo = try engine.add(job("first") { $0.lifo = true })
        engine.advance(10)
        let last = try engine.add(job("last") { $0.lifo = true })
        engine.advance(1)
        #expect(try engine.queueView().oldestReady == 111)
        let lease = try engine.lease(slow)
        #expect(try engine.queueView().oldestReady == 11)
        try engine.complete(lifo)
        #expect(try engine.queueView().oldestReady == 1)
        engine.stageReturn(lease)
        try engine.commit()
        engine.advance(3)
        #expect(try engine.queueView().oldestReady == 4)
        try engine.complete(last)
        #expect(try engine.queueView().oldestReady == 3)
        try engine.complete(slow)
        #expect(try engine.queueView().oldestReady == nil)
    }

    @Test func `a delayed job is ready since it was promoted, and a released one since its release`() throws {
        try engine.add(job("late") { $0.delay = 1000 })
        engine.advance(1500)
        #expect(try engine.queueView().oldestReady == nil)
        try engine.promote()
        engine.advance(20)
        #expect(try engine.queueView().oldestReady == 20)
        let flow = try engine.add(.flow([job("c", queue: "o"), job("p", queue: "r", after: [.node("c")])]))
        engine.advance(70)
        try engine.complete(flow["c"])
        engine.advance(7)
        #expect(try engine.queueView("r").oldestReady == 7)
    }

    // MARK: All queues

    @Test func `queues are listed in the order in which they were named, with their counts`() throws {
        for name in ["c", "a", "b"] { try engine.add(job(name, queue: name)) }
        try engine.set([.paused], queue: "d") { $0.isPaused = true }
        _ = try engine.lease("a")
        var names: [String] = []
        var cursor: UInt64 = 0
        repeat {
            let page = try engine.open.read {
                try engine.open.reads.queues(ListQueues(cursor: cursor, rows: 3), $0, engine.lookup)
            }
            for row in page.rows {
                names.append(row.name)
                #expect(row.isPaused == (row.name == "d"))
                #expect(row.counts[.active] == (row.name == "a" ? 1 : 0))
                #expect(row.counts[.waiting] == (["b", "c"].contains(row.name) ? 1 : 0))
            }
            cursor = page.next
        } while cursor != 0
        #expect(names == ["c", "a", "b", "d"])
    }
}
