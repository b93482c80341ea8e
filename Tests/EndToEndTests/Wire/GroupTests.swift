import PenstockTesting
import PenstockWire
import TestSupport
import Testing

/// Groups through the socket: the order of the rounds, and the bounds of groups.
@Suite(.inTurns(limit: .seconds(120))) struct `Groups on the wire` {
    @Test func `a tenant with one job is served next, though another one has 10,000`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            for _ in 0..<10 { try client.add(1000, queue: "q", group: "large") }
            try client.subscribe(["q"], jobs: 1)
            var held = try client.deliveries()[0]
            #expect(held.group == "large")
            let small = try client.add(1, queue: "q", group: "small")
            try client.complete(held)
            held = try client.deliveries()[0]
            #expect(held.job == small[0] && held.group == "small")
            try client.complete(held)
            held = try client.deliveries()[0]
            #expect(held.group == "large")
            let rows = try client.groups("q").rows
            #expect(rows.map(\.name) == ["large"] && rows.map(\.waiting) == [9998] && rows.map(\.active) == [1])
        }
    }

    @Test func `rounds go over the groups, with priority and place in each, and with the jobs that have none`()
        async throws
    {
        try await withWireServer { server in
            let client = try server.openClient()
            var (low, lifo) = (NodeOptions(), NodeOptions())
            low.priority = 5
            lifo.lifo = true
            let a = try client.add(1, queue: "q", group: "a", low) + client.add(3, queue: "q", group: "a")
            let b = try client.add(2, queue: "q", group: "b") + client.add(1, queue: "q", group: "b", lifo)
            let plain = try client.add(2, queue: "q")
            try client.subscribe(["q"], jobs: 9)
            let order = [plain[0], b[2], a[1], plain[1], b[0], a[2], b[1], a[3], a[0]]
            #expect(try client.deliveries(9).map(\.job) == order)
        }
    }

    @Test func `stalls, retries, promotions and a pause keep every job in its turn`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            var (twice, late) = (NodeOptions(), NodeOptions())
            twice.attempts = 2
            late.delay = 60_000
            let a = try client.add(3, queue: "q", group: "a", twice)
            let b = try client.add(2, queue: "q", group: "b")
            let c = try client.add(1, queue: "q", group: "b", late)
            try client.subscribe(["q"], jobs: 2)
            // In the first round, the newest group comes first.
            var held = try client.deliveries(2)
            #expect(held.map(\.job) == [b[0], a[0]])
            #expect(try client.set("q", .paused) { $0.isPaused = true } == .ok)
            // The failed one goes to the tail of its group, the one that is given back to its place.
            try client.fail(held[1])
            client.send(Release(tokens: [held[0].token]), correlation: 9)
            _ = try client.reply(to: 9, Released.self).get()
            #expect(try client.promote(.job(c[0])) == 1)
            #expect(try client.deliveredNothing())
            try client.set("q", .paused)
            var seen: [JobID] = []
            for _ in 0..<3 {
                held = try client.deliveries(2)
                seen += held.map(\.job)
                for delivery in held { try client.complete(delivery) }
            }
            #expect(seen == [b[0], a[1], b[1], a[2], c[0], a[0]])
        }
    }

    @Test func `a group has its bound, whose places outlast a restart and are freed by the end of a lease`()
        async throws
    {
        try await withWireServer { server in
            let client = try server.openClient()
            #expect(try client.setGroup("q", "bounded", 2) == .ok)
            let bounded = try client.add(4, queue: "q", group: "bounded")
            let free = try client.add(3, queue: "q", group: "free")
            try client.subscribe(["q"], jobs: 10)
            var held = try client.deliveries(5)
            #expect(Set(held.map(\.job)) == Set(free + bounded[0..<2]))
            #expect(try client.deliveredNothing())
            #expect(try client.groups("q", "bounded").rows.map(\.active) == [2])
            let ended = try #require(held.firstIndex { $0.job == bounded[0] })
            try client.complete(held.remove(at: ended))
            let next = try client.deliveries()[0]
            #expect(next.job == bounded[2])
            try server.restart()
            let other = try server.openClient()
            try other.subscribe(["q"], jobs: 10)
            #expect(try other.deliveredNothing())
            let row = try #require(try other.groups("q", "bounded").rows.first)
            #expect((row.waiting, row.active, row.concurrency) == (1, 2, 2))
            let again = try server.wireClient()
            let resumed = try again.resume(client, holding: (held + [next]).map(\.token))
            #expect(resumed.held.fenced.isEmpty)
            #expect(try again.complete(next) == .ok)
            #expect(try other.deliveries()[0].job == bounded[3])
            #expect(try other.deliveredNothing())
        }
    }

    @Test func `a bound of every group leaves jobs without one alone, and a group's own wins`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            #expect(try client.setGroup("q", "", 1) == .ok)
            #expect(try client.setGroup("q", "b", 2) == .ok)
            try client.add(3, queue: "q", group: "a")
            try client.add(3, queue: "q", group: "b")
            try client.add(3, queue: "q")
            try client.subscribe(["q"], jobs: 20)
            let groups = try client.deliveries(6).map(\.group)
            #expect(
                groups.count { $0 == "a" } == 1 && groups.count { $0 == "b" } == 2 && groups.count { $0 == "" } == 3
            )
            #expect(try client.deliveredNothing())
            #expect(try client.groups("q").concurrency == 1)
            #expect(try client.setGroup("q", "", 0) == .ok)
            #expect(try client.deliveries(2).map(\.group) == ["a", "a"])
            #expect(try client.deliveredNothing())
            #expect(try client.setGroup("q", "b", 0) == .ok)
            #expect(try client.deliveries().map(\.group) == ["b"])
        }
    }

    @Test func `a thousand groups of one job each are served in a round`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let nodes = (0..<2000).map {
                AddItem(isFlow: false, nodes: [AddNode(queue: 0, name: "n", group: "g\($0 % 1000)")])
            }
            let jobs = try client.add(
                Add(sequence: client.newSequence(), queues: ["q"], items: nodes),
                capacity: 1 << 20
            )
            try client.subscribe(["q"], jobs: 2000)
            let order = try client.deliveries(2000).map(\.job)
            #expect(order == jobs[..<1000].reversed() + jobs[1000...].reversed())
        }
    }

    // MARK: Prefetch

    @Test func `a bound of groups and prefetch from their queue refuse each other`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.subscribe(["q"], jobs: 1, prefetches: true)
            #expect(try client.setGroup("q", "a", 1) == .prefetchLimited)
            #expect(try client.setGroup("q", "", 1) == .prefetchLimited)
            #expect(try client.setGroup("q", "a", 0) == .ok)
            _ = try client.request(Unsubscribe(), stream: 1, Unsubscribed.self).get()
            #expect(try client.setGroup("q", "a", 1) == .ok)
            let subscribe = Subscribe(queues: ["q"], creditJobs: 1, prefetches: true)
            #expect(try client.request(subscribe, stream: 1, Subscribed.self).refusal == .prefetchLimited)
        }
    }

    @Test func `a reserved job that is given back has its old turn in its group`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let a = try client.add(2, queue: "q", group: "a")
            let b = try client.add(2, queue: "q", group: "b")
            try client.subscribe(["q"], jobs: 3, prefetches: true)
            #expect(try client.deliveries(3).map(\.job) == [b[0], a[0], b[1]])
            #expect(try client.groups("q").rows.map { [$0.waiting, $0.active] } == [[2, 0], [2, 0]])
            _ = try client.request(Unsubscribe(), stream: 1, Unsubscribed.self).get()
            try client.subscribe(["q"], stream: 2, jobs: 4)
            let jobs = try client.deliveries(4).map(\.job)
            #expect(jobs.filter(a.contains) == a && jobs.filter(b.contains) == b)
        }
    }
}

extension WireClient {
    @discardableResult
    fileprivate func add(
        _ count: Int,
        queue: String,
        group: String,
        _ options: NodeOptions = .default
    ) throws -> [JobID] {
        let node = AddNode(queue: 0, name: "n", group: group, options: options)
        let items = [AddItem](repeating: AddItem(isFlow: false, nodes: [node]), count: count)
        return try add(Add(sequence: newSequence(), queues: [queue], items: items), capacity: 1 << 20)
    }

    fileprivate func setGroup(_ queue: String, _ group: String, _ concurrency: UInt32) throws -> ErrorCode? {
        let number = newSequence()
        send(SetGroup(sequence: number, queue: queue, group: group, concurrency: concurrency))
        return ErrorCode(rawValue: try outcome(number).status)
    }

    fileprivate func groups(_ queue: String, _ group: String = "") throws -> GroupPage {
        try request(GetGroups(queue: queue, group: group), GroupPage.self).get()
    }
}
