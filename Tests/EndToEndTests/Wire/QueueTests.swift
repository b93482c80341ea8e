import PenstockTesting
import PenstockWire
import TestSupport
import Testing
import UV

/// Settings of queues, and lists of their jobs, through the socket.
@Suite(.inTurns(limit: .seconds(120))) struct `Queues on the wire` {
    private static let minute = Duration.seconds(15)

    // MARK: Pause

    @Test func `after a pause nothing is delivered, leases go on, and a restart changes nothing`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let first = try client.add(3, queue: "q")
            try client.subscribe(["q"], jobs: 1)
            let delivery = try client.deliveries()[0]
            #expect(delivery.job == first[0])
            #expect(try client.set("q", .paused) { $0.isPaused = true } == .ok)
            #expect(try client.complete(delivery) == .ok)
            var urgent = NodeOptions()
            urgent.lifo = true
            let late = try client.add(queue: "q", options: urgent)
            #expect(try client.deliveredNothing())
            #expect(try client.queue("q").settings.isPaused && client.counts("q")[.waiting] == 3)
            try server.restart()
            let other = try server.openClient()
            try other.subscribe(["q"], jobs: 10)
            #expect(try other.deliveredNothing())
            #expect(try other.queue("q").settings.isPaused)
            try other.set("q", .paused)
            #expect(try other.deliveries(3).map(\.job) == late + first[1...])
        }
    }

    @Test func `flows go on through paused queues, up to where a job would run`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            for queue in ["middle", "top"] { try client.set(queue, .paused) { $0.isPaused = true } }
            func chain() throws -> [JobID] {
                let nodes = ["low", "middle", "top"].enumerated().map { index, name in
                    AddNode(
                        queue: UInt16(index),
                        name: name,
                        dependencies: index == 0 ? [] : [DependencyFields(.node(UInt64(index - 1)))]
                    )
                }
                return try client.add(
                    Add(
                        sequence: client.newSequence(),
                        queues: ["low", "middle", "top"],
                        items: [AddItem(isFlow: true, nodes: nodes)]
                    )
                )
            }
            let (failing, completing, cancelled) = (try chain(), try chain(), try chain())
            try client.subscribe(["low", "middle", "top"], jobs: 10)
            let deliveries = try client.deliveries(3)
            #expect(deliveries.map(\.job) == [failing[0], completing[0], cancelled[0]])
            try client.fail(deliveries[0], unrecoverable: true)
            try client.complete(deliveries[1])
            let number = client.newSequence()
            client.send(Cancel(sequence: number, target: .job(cancelled[0])))
            _ = try client.succeeded(number)
            #expect(try failing.map { try client.job($0).state } == [.failed, .failed, .failed])
            #expect(try completing.map { try client.job($0).state } == [.completed, .waiting, .waitingChildren])
            #expect(try cancelled.map { try client.job($0).state } == [.cancelled, .failed, .failed])
            #expect(try client.deliveredNothing())
            let retry = client.newSequence()
            client.send(Retry(sequence: retry, target: .job(failing[0])))
            _ = try client.succeeded(retry)
            let again = try client.deliveries()[0]
            #expect(again.job == failing[0])
            try client.complete(again)
            for queue in ["middle", "top"] {
                try client.set(queue, .paused)
                for delivery in try client.deliveries(2) { try client.complete(delivery) }
            }
            #expect(try (failing + completing).allSatisfy { try client.job($0).state == .completed })
        }
    }

    // MARK: Rate

    @Test func `a rate lets so many go in each window, over all sessions, and the rest stays waiting`() async throws {
        try await withWireServer { server in
            let clients = try (0..<2).map { _ in try server.openClient() }
            let minute = UInt64(Self.minute.components.seconds) * 1000
            #expect(try clients[0].set("q", .rate) { $0.rate = RateLimit(max: 3, window: minute) } == .ok)
            let jobs = try clients[0].add(10, queue: "q")
            for client in clients { try client.subscribe(["q"], jobs: 10) }
            var seen: [JobID] = []
            for window in 1...4 {
                let expected = min(window * 3, 10)
                while seen.count < expected {
                    for client in clients {
                        for delivery in try client.allDeliveries() {
                            seen.append(delivery.job)
                            // An end gives no room back.
                            try client.complete(delivery)
                        }
                    }
                }
                #expect(seen.count == expected)
                for client in clients { #expect(try client.deliveredNothing()) }
                #expect(try clients[0].counts("q")[.waiting] == UInt32(10 - expected))
                if window < 4 {
                    #expect((1...minute).contains(try clients[0].queue("q").limitedFor))
                    server.advanceLeases(by: Self.minute)
                }
            }
            // Which of a window's jobs goes to whom is another matter.
            for window in stride(from: 0, to: 10, by: 3) {
                let end = min(window + 3, 10)
                #expect(Set(seen[window..<end]) == Set(jobs[window..<end]))
            }
        }
    }

    @Test func `a rate is kept over a restart, and its window begins anew`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.set("q", .rate) { $0.rate = RateLimit(max: 1, window: 15_000) }
            let jobs = try client.add(3, queue: "q")
            try client.subscribe(["q"], jobs: 10)
            let delivery = try client.deliveries()[0]
            try client.complete(delivery)
            #expect(try client.deliveredNothing())
            try server.restart()
            let other = try server.openClient()
            try other.subscribe(["q"], jobs: 10)
            #expect(try other.deliveries()[0].job == jobs[1])
            #expect(try other.deliveredNothing())
        }
    }

    @Test func `a job that is moved because of a rate comes back to its place, and its queue rests`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let jobs = try client.add(3, queue: "q")
            try client.subscribe(["q", "other"], jobs: 1)
            let delivery = try client.deliveries()[0]
            let number = client.newSequence()
            client.send(
                Move(
                    sequence: number,
                    slot: delivery.slot,
                    token: delivery.token,
                    to: .rateLimited,
                    delay: 15_000
                )
            )
            #expect(try client.hasMoved(number))
            #expect(try client.deliveredNothing())
            let view = try client.job(jobs[0])
            #expect(view.state == .waiting && view.attemptsMade == 0 && view.attemptsStarted == 1)
            #expect((1...15_000).contains(try client.queue("q").limitedFor))
            let other = try client.add(queue: "other")
            let next = try client.deliveries()[0]
            #expect(next.job == other[0])
            server.advanceLeases(by: Self.minute)
            try client.complete(next)
            #expect(try client.deliveries()[0].job == jobs[0])
        }
    }

    // MARK: Concurrency

    @Test(arguments: [false, true])
    func `slots are kept over a restart, and freed by the end of their jobs`(isCrash: Bool) async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.set("q", .concurrency) { $0.concurrency = 2 }
            let jobs = try client.add(4, queue: "q")
            try client.subscribe(["q"], jobs: 10)
            let held = try client.deliveries(2)
            #expect(try client.deliveredNothing())
            // The leases are written with this command at the latest.
            try client.add(queue: "other")
            if isCrash { server.crash() } else { server.stop() }
            try server.start()
            let other = try server.openClient()
            try other.subscribe(["q"], jobs: 10)
            #expect(try other.deliveredNothing())
            #expect(try other.list(.active, of: "q") == Array(jobs[..<2]))
            let again = try server.wireClient()
            let resumed = try again.resume(client, holding: held.map(\.token))
            #expect(resumed.held.fenced.isEmpty)
            #expect(try again.complete(held[0]) == .ok)
            #expect(try other.deliveries()[0].job == jobs[2])
            #expect(try other.deliveredNothing())
            again.send(Release(tokens: [held[1].token]), correlation: 77)
            #expect(try again.reply(to: 77, Released.self).get().fenced.isEmpty)
            // Back at its place, before the fourth.
            #expect(try other.deliveries()[0].job == jobs[1])
            #expect(try other.deliveredNothing())
        }
    }

    @Test(arguments: [false, true])
    func `a bound that is set while its jobs run and nothing waits outlasts a restart`(isCrash: Bool) async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let jobs = try client.add(2, queue: "q")
            try client.subscribe(["q"], jobs: 2)
            let held = try client.deliveries(2)
            try client.set("q", .concurrency) { $0.concurrency = 2 }
            // The leases are written with this command at the latest.
            try client.add(queue: "other")
            if isCrash { server.crash() } else { server.stop() }
            try server.start()
            let other = try server.openClient()
            let late = try other.add(queue: "q")
            try other.subscribe(["q"], jobs: 10)
            #expect(try other.deliveredNothing())
            #expect(try other.list(.active, of: "q") == jobs)
            let again = try server.wireClient()
            #expect(try again.resume(client, holding: held.map(\.token)).held.fenced.isEmpty)
            #expect(try again.complete(held[0]) == .ok)
            #expect(try other.deliveries()[0].job == late[0])
        }
    }

    // MARK: Length

    @Test func `a full queue takes no more, and exactly as many as it may, from eight connections`() async throws {
        try await withWireServer { server in
            let setter = try server.openClient()
            try setter.set("q", .maxLength) { $0.maxLength = 100 }
            let threads = try (0..<8).map { _ in
                let counts = Counts()
                let port = server.port
                let thread = try OSThread {
                    do {
                        let client = try WireClient(port: port)
                        try client.open()
                        for round in 0..<40 {
                            let size = 1 + round % 3
                            do {
                                try client.add(size, queue: "q")
                                counts.added += size
                            } catch let refusal as WireRefusal where refusal.code == .queueFull {
                                counts.refused += 1
                            }
                        }
                    } catch {
                        counts.failure = "\(error)"
                    }
                }
                return (thread, counts)
            }
            var added = 0
            for (thread, counts) in threads {
                thread.join()
                #expect(counts.failure == nil)
                added += counts.added
            }
            #expect(added == 100)
            #expect(try setter.counts("q")[.waiting] == 100)
            try setter.subscribe(["q"])
            try setter.complete(try setter.deliveries()[0])
            #expect(try setter.add(queue: "q").count == 1)
            #expect(throws: WireRefusal(code: .queueFull)) { try setter.add(queue: "q") }
        }
    }

    /// What one client has come to; its thread has ended before it is read.
    private final class Counts: @unchecked Sendable {
        var added = 0
        var refused = 0
        var failure: String?
    }

    // MARK: Lists

    @Test func `pages are exact in both directions, and a leased job is active at once`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let jobs = try client.add(50, queue: "q")
            try client.subscribe(["q"], jobs: 5)
            let deliveries = try client.deliveries(5)
            for rows in [1, 7, 50, 0] as [UInt32] {
                #expect(try client.list(.waiting, of: "q", rows: rows) == Array(jobs[5...]))
                #expect(try client.list(.waiting, of: "q", isBackwards: true, rows: rows) == jobs[5...].reversed())
                #expect(try client.list(.active, of: "q", rows: rows) == Array(jobs[..<5]))
            }
            // The lease is written, and the job is active still.
            server.advanceLeases(by: .seconds(1))
            try client.add(queue: "other")
            #expect(try client.list(.active, of: "q") == Array(jobs[..<5]))
            for delivery in deliveries { try client.complete(delivery) }
            #expect(try client.list(.completed, of: "q").count == 5)
            let names = try client.request(ListQueues(), QueuePage.self).get().rows.map(\.name)
            #expect(names == ["q", "other"])
            let page = try client.request(GetPriorities(queue: "q"), PriorityPage.self).get()
            let waiting = try client.counts("q")[.waiting]
            #expect(page.rows.map(\.priority) == [0] && page.rows[0].waiting == waiting)
        }
    }

    @Test func `the oldest ready job ages with the server's time`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.add(queue: "q")
            server.advance(by: .seconds(3600))
            let age = try #require(try client.queue("q").oldestReady)
            #expect((3_600_000..<3_660_000).contains(age))
            try client.subscribe(["q"])
            _ = try client.deliveries()
            #expect(try client.queue("q").oldestReady == nil)
        }
    }

    @Test func `promoted jobs are delivered at once, and what is no delayed job is refused`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            var hour = NodeOptions()
            hour.delay = 3_600_000
            let jobs = try client.add(3, queue: "q", options: hour)
            try client.subscribe(["q"], jobs: 10)
            #expect(try client.deliveredNothing())
            #expect(try client.promote(.job(jobs[1])) == 1)
            #expect(try client.deliveries()[0].job == jobs[1])
            #expect(try client.promote(.queue("q")) == 2)
            #expect(try client.deliveries(2).map(\.job) == [jobs[0], jobs[2]])
            let number = client.newSequence()
            client.send(Promote(sequence: number, target: .job(jobs[0])))
            #expect(ErrorCode(rawValue: try client.outcome(number).status) == .wrongState)
        }
    }
}
