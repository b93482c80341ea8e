import PenstockTesting
import PenstockWire
import TestSupport
import Testing

/// Prefetch: jobs that are reserved for a worker until it says that it has started them.
@Suite(.inTurns) struct `Reserved jobs on the wire` {
    @Test func `a reserved job waits for everybody else, and is active once it was started`() async throws {
        try await withWireServer { server in
            let (client, other) = (try server.openClient(), try server.openClient())
            let jobs = try client.add(3, queue: "q")
            try client.subscribe(["q"], jobs: 2, prefetches: true)
            let deliveries = try client.deliveries(2)
            #expect(deliveries.map(\.job) == Array(jobs[..<2]))
            #expect(deliveries.map(\.attemptsStarted) == [1, 1])
            var counts = try other.counts("q")
            #expect((counts[.waiting], counts[.active]) == (3, 0))
            #expect(try other.job(jobs[0]).attemptsStarted == 0)
            let workers = try other.request(GetWorkers(), WorkerPage.self).get().rows
            #expect(workers.map(\.reserved) == [2] && workers.map(\.held) == [0])
            // Nobody else gets it.
            try other.subscribe(["q"], jobs: 5)
            #expect(try other.deliveries().map(\.job) == [jobs[2]])
            #expect(try other.deliveredNothing())
            client.start(deliveries[1])
            client.start(deliveries[1])
            try client.roundTrip()
            counts = try other.counts("q")
            #expect((counts[.waiting], counts[.active]) == (1, 2))
            #expect(try other.job(jobs[1]).attemptsStarted == 1)
            #expect(try client.complete(deliveries[1]) == .ok)
            let done = try other.job(jobs[1])
            #expect((done.state, done.attemptsStarted, done.attemptsMade) == (.completed, 1, 1))
        }
    }

    @Test func `a completion, a failure and a report say that a reserved job was started`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let jobs = try client.add(3, queue: "q")
            try client.subscribe(["q"], jobs: 3, prefetches: true)
            let deliveries = try client.deliveries(3)
            #expect(try client.complete(deliveries[0]) == .ok)
            #expect(try client.fail(deliveries[1]) == .ok)
            let number = client.newSequence()
            client.send(
                Report(sequence: number, slot: deliveries[2].slot, token: deliveries[2].token, lines: ["it runs"])
            )
            #expect(try client.outcome(number).status == 0)
            let views = try jobs.map { try client.job($0) }
            #expect(views.map(\.state) == [.completed, .failed, .active])
            #expect(views.map(\.attemptsStarted) == [1, 1, 1])
        }
    }

    @Test func `a reserved job that is released has never been started`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            var options = NodeOptions()
            options.maxStarted = 1
            let jobs = try client.add(2, queue: "q", options: options)
            try client.subscribe(["q"], jobs: 2, prefetches: true)
            let deliveries = try client.deliveries(2)
            client.start(deliveries[1])
            let fenced = try client.request(Release(tokens: deliveries.map(\.token)), Released.self).get().fenced
            #expect(fenced == [])
            let again = try client.deliveries()[0]
            #expect(again.job == jobs[0] && again.attemptsStarted == 1 && again.token != deliveries[0].token)
            // One that was started goes back in a command, and has had its start.
            let failed = try client.request(Wait(target: .job(jobs[1])), JobView.self).get()
            #expect((failed.state, failed.cause, failed.attemptsStarted) == (.failed, .stalled, 1))
            let attempts = try client.request(GetAttempts(job: jobs[0]), AttemptList.self).get().rows
            #expect(attempts.isEmpty)
            client.start(again)
            #expect(try client.complete(again) == .ok)
            #expect(try client.job(jobs[0]).attemptsStarted == 1)
        }
    }

    @Test func `a reserved lease that runs out is no stall, that of a started job is one`() async throws {
        try await withWireServer { server in
            let (lost, other) = (try server.openClient(), try server.openClient())
            var options = NodeOptions()
            options.maxStalledCount = 0
            let jobs = try lost.add(2, queue: "q", options: options)
            try lost.subscribe(["q"], jobs: 2, lockDuration: 1000, prefetches: true)
            let deliveries = try lost.deliveries(2)
            lost.start(deliveries[0])
            try lost.roundTrip()
            lost.close()
            try other.subscribe(["q"])
            #expect(try other.deliveredNothing())
            server.advanceLeases(by: .milliseconds(1100))
            let again = try other.deliveries()[0]
            #expect((again.job, again.stalledCount, again.attemptsStarted) == (jobs[1], 0, 1))
            let stalled = try other.request(Wait(target: .job(jobs[0])), JobView.self).get()
            #expect((stalled.state, stalled.cause) == (.failed, .stalled))
            #expect(try other.complete(again) == .ok)
        }
    }

    // MARK: Recalls

    @Test func `a pause asks for reserved jobs, and takes none that a worker has just begun`() async throws {
        try await withWireServer { server in
            let (client, controller) = (try server.openClient(), try server.openClient())
            let jobs = try client.add(4, queue: "q")
            try client.subscribe(["q"], jobs: 3, prefetches: true)
            let deliveries = try client.deliveries(3)
            client.start(deliveries[0])
            try client.roundTrip()
            #expect(try controller.set("q", .paused) { $0.isPaused = true } == .ok)
            #expect(try client.next(Recall.self).tokens == deliveries[1...].map(\.token))
            // It had begun the second before it read that.
            client.start(deliveries[1])
            #expect(try client.request(Release(tokens: [deliveries[2].token]), Released.self).get().fenced == [])
            #expect(try jobs.map { try controller.job($0).state } == [.active, .active, .waiting, .waiting])
            #expect(try controller.job(jobs[2]).attemptsStarted == 0)
            #expect(try client.complete(deliveries[1]) == .ok)
            #expect(try client.deliveredNothing())
            #expect(try controller.set("q", .paused) == .ok)
            #expect(try client.deliveries(2).map(\.job) == Array(jobs[2...]))
        }
    }

    @Test func `a worker that does not answer a recall loses its reservation in time, whatever it sends`() async throws
    {
        try await withWireServer { server in
            let (client, controller) = (try server.openClient(), try server.openClient())
            let job = try client.add(queue: "q")[0]
            try client.subscribe(["q"], lockDuration: 10_000, prefetches: true)
            let delivery = try client.deliveries()[0]
            #expect(try controller.set("q", .paused) { $0.isPaused = true } == .ok)
            _ = try client.next(Recall.self)
            server.advanceLeases(by: .seconds(6))
            try client.roundTrip()
            try controller.roundTrip()
            server.advanceLeases(by: .seconds(5))
            let revoked = try client.next(Revoked.self).leases
            #expect(revoked.map(\.token) == [delivery.token] && revoked.map(\.reason) == [.expired])
            client.start(delivery)
            #expect(try client.complete(delivery) == .fenced)
            let view = try controller.job(job)
            #expect((view.state, view.attemptsStarted, view.stalledCount) == (.waiting, 0, 0))
        }
    }

    @Test func `a queue that rests asks for what is reserved`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.add(2, queue: "q")
            try client.subscribe(["q"], jobs: 2, prefetches: true)
            let deliveries = try client.deliveries(2)
            client.start(deliveries[0])
            #expect(try client.move(deliveries[0], to: .rateLimited, delay: 5000))
            #expect(try client.next(Recall.self).tokens == [deliveries[1].token])
        }
    }

    @Test func `what is not started goes back with UNSUBSCRIBE, and a start that comes later counts for nothing`()
        async throws
    {
        try await withWireServer { server in
            let (client, other) = (try server.openClient(), try server.openClient())
            let jobs = try client.add(2, queue: "q")
            try client.subscribe(["q"], jobs: 2, prefetches: true)
            let deliveries = try client.deliveries(2)
            client.start(deliveries[0])
            _ = try client.request(Unsubscribe(), stream: 1, Unsubscribed.self).get()
            client.start(deliveries[1])
            #expect(try client.complete(deliveries[1]) == .fenced)
            #expect(try client.complete(deliveries[0]) == .ok)
            try other.subscribe(["q"])
            let again = try other.deliveries()[0]
            #expect(again.job == jobs[1] && again.attemptsStarted == 1)
        }
    }

    // MARK: What takes a reserved job away

    @Test func `a command takes a reserved job as one that waits, and its worker is told`() async throws {
        try await withWireServer { server in
            let (client, controller) = (try server.openClient(), try server.openClient())
            let jobs = try client.add(3, queue: "q", bytes: 10)
            try client.subscribe(["q"], jobs: 3, prefetches: true)
            let deliveries = try client.deliveries(3)
            var number = controller.newSequence()
            controller.send(Cancel(sequence: number, target: .job(jobs[0]), reason: "not needed"))
            #expect(try controller.outcome(number).status == 0)
            let cancelled = try client.next(Revoked.self).leases
            #expect(cancelled.map(\.token) == [deliveries[0].token] && cancelled.map(\.reason) == [.cancelled])
            #expect(try controller.job(jobs[0]).attemptsStarted == 0)
            number = controller.newSequence()
            controller.send(Remove(sequence: number, target: .job(jobs[1], keepsDependencies: false)))
            #expect(try controller.outcome(number).status == 0)
            #expect(try client.next(Revoked.self).leases.map(\.token) == [deliveries[1].token])
            number = controller.newSequence()
            controller.send(Update(sequence: number, job: jobs[2], data: Payload(.binary, [1, 2])))
            #expect(try controller.outcome(number).status == 0)
            #expect(try client.next(Revoked.self).leases.map(\.token) == [deliveries[2].token])
            let again = try client.deliveries()[0]
            #expect(again.job == jobs[2] && again.data == [1, 2] && again.attemptsStarted == 1)
        }
    }

    @Test func `a job that is not started within its ttl fails, though it is reserved`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            var options = NodeOptions()
            options.ttl = 60_000
            let jobs = try client.add(2, queue: "q", options: options)
            try client.subscribe(["q"], jobs: 2, prefetches: true)
            let deliveries = try client.deliveries(2)
            client.start(deliveries[0])
            try client.roundTrip()
            server.advance(by: .seconds(61))
            #expect(try client.next(Revoked.self).leases.map(\.token) == [deliveries[1].token])
            let expired = try client.job(jobs[1])
            #expect((expired.state, expired.cause, expired.attemptsStarted) == (.failed, .expired, 0))
            #expect(try client.complete(deliveries[0]) == .ok)
        }
    }

    @Test func `the timeout of an attempt begins with its start`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            var options = NodeOptions()
            options.timeout = 2000
            let job = try client.add(queue: "q", options: options)[0]
            try client.subscribe(["q"], prefetches: true)
            let delivery = try client.deliveries()[0]
            server.advanceLeases(by: .seconds(5))
            #expect(try client.job(job).state == .waiting)
            client.start(delivery)
            #expect(try client.job(job).state == .active)
            server.advanceLeases(by: .seconds(3))
            let revoked = try client.next(Revoked.self).leases
            #expect(revoked.map(\.reason) == [.timeout])
        }
    }

    // MARK: Connections and restarts

    @Test func `reserved jobs outlast a connection, and what a resume does not list goes back`() async throws {
        try await withWireServer { server in
            let (client, other) = (try server.openClient(), try server.openClient())
            let jobs = try client.add(2, queue: "q")
            try client.subscribe(["q"], jobs: 2, prefetches: true)
            let deliveries = try client.deliveries(2)
            try other.subscribe(["q"])
            client.close()
            #expect(try other.deliveredNothing())
            let back = try server.wireClient()
            #expect(try back.resume(client, confirmed: 1, holding: [deliveries[0].token]).held.fenced == [])
            let given = try other.deliveries()[0]
            #expect(given.job == jobs[1] && given.attemptsStarted == 1)
            back.start(deliveries[0])
            #expect(try back.job(jobs[0]).state == .active)
            #expect(try back.complete(deliveries[0]) == .ok)
        }
    }

    @Test func `what was recalled from a lost connection is asked for again`() async throws {
        try await withWireServer { server in
            let (client, controller) = (try server.openClient(), try server.openClient())
            try client.add(2, queue: "q")
            try client.subscribe(["q"], jobs: 2, prefetches: true)
            let tokens = try client.deliveries(2).map(\.token)
            client.close()
            try controller.poll { _ in
                let rows = try controller.request(GetWorkers(), WorkerPage.self).get().rows
                return rows.map(\.isConnected) == [false] && rows.map(\.reserved) == [2]
            }
            #expect(try controller.set("q", .paused) { $0.isPaused = true } == .ok)
            let back = try server.wireClient()
            try back.resume(client, confirmed: 1, holding: tokens)
            #expect(Set(try back.next(Recall.self).tokens) == Set(tokens))
        }
    }

    @Test(arguments: [false, true]) func `a restart forgets what is reserved, and keeps what was started`(isCrash: Bool)
        async throws
    {
        try await withWireServer { server in
            let client = try server.openClient()
            let jobs = try client.add(2, queue: "q")
            try client.subscribe(["q"], jobs: 2, prefetches: true)
            let deliveries = try client.deliveries(2)
            client.start(deliveries[0])
            try client.roundTrip()
            if isCrash {
                // Old enough to be written.
                let commit = try client.roundTrip().commit
                server.advanceLeases(by: .milliseconds(600))
                try client.poll { $0.commit > commit }
                server.crash()
            } else {
                server.stop()
            }
            try server.start()
            let back = try server.wireClient()
            let held = try back.resume(client, confirmed: 1, holding: deliveries.map(\.token)).held
            #expect(held.fenced == [deliveries[1].token])
            let views = try jobs.map { try back.job($0) }
            #expect(views.map(\.state) == [.active, .waiting])
            #expect(views.map(\.attemptsStarted) == [1, 0])
            #expect(try back.complete(deliveries[0]) == .ok)
        }
    }

    // MARK: Limits

    @Test func `nobody prefetches from a queue with a rate or a concurrency`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            func code(_ queues: [String], stream: UInt32, prefetches: Bool = true) throws -> ErrorCode? {
                let subscribe = Subscribe(queues: queues, creditJobs: 1, prefetches: prefetches)
                return try client.request(subscribe, stream: stream, Subscribed.self).refusal
            }
            #expect(try client.set("rate", .rate) { $0.rate = RateLimit(max: 5, window: 1000) } == .ok)
            #expect(try client.set("slots", .concurrency) { $0.concurrency = 3 } == .ok)
            #expect(try client.set("paused", .paused) { $0.isPaused = true } == .ok)
            #expect(try code(["free", "rate"], stream: 1) == .prefetchLimited)
            #expect(try code(["slots"], stream: 2) == .prefetchLimited)
            #expect(try code(["slots", "rate"], stream: 2, prefetches: false) == nil)
            #expect(try code(["free", "paused", "new"], stream: 1) == nil)
            // The other way round.
            #expect(try client.set("free", .rate) { $0.rate = RateLimit(max: 5, window: 1000) } == .prefetchLimited)
            #expect(try client.set("new", .concurrency) { $0.concurrency = 3 } == .prefetchLimited)
            #expect(try client.set("new", [.paused, .concurrency, .rate]) { $0.isPaused = true } == .ok)
            #expect(try client.queue("new").settings.isPaused)
            _ = try client.request(Unsubscribe(), stream: 1, Unsubscribed.self).get()
            #expect(try client.set("new", .concurrency) { $0.concurrency = 3 } == .ok)
            #expect(try code(["new"], stream: 1) == .prefetchLimited)
            #expect(try client.set("new", .concurrency) == .ok)
            #expect(try code(["new"], stream: 1) == nil)
        }
    }

    @Test func `a limit that is on its way is known to a subscription that comes behind it`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            for (round, queue) in ["a", "b"].enumerated() {
                if round == 1 { try client.add(queue: queue) }
                let number = client.newSequence()
                var settings = QueueSettings()
                settings.concurrency = 1
                let set = SetQueue(sequence: number, queue: queue, given: .concurrency, settings: settings)
                let subscribe = Subscribe(queues: [queue], creditJobs: 1, prefetches: true)
                client.send(bytes: WireClient.frame(set) + WireClient.frame(subscribe, correlation: 7, stream: 1))
                #expect(try client.reply(to: 7, Subscribed.self).refusal == .prefetchLimited)
                #expect(try client.outcome(number).status == 0)
            }
        }
    }
}

extension WireClient {
    func start(_ delivery: Delivery) {
        send(Started(leases: [Started.Lease(slot: delivery.slot, token: delivery.token)]))
    }
}
