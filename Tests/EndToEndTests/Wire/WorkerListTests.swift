import PenstockTesting
import PenstockWire
import TestSupport
import Testing

/// Credits that are taken back, weights, and the list of workers, frame by frame.
@Suite(.inTurns) struct `Workers on the wire` {
    @Test func `credits that were taken back are not given out again by the ends of jobs`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.add(10, queue: "q")
            try client.subscribe(["q"], jobs: 3)
            let deliveries = try client.deliveries(3)
            client.send(Debit(jobs: 2, bytes: 0), stream: 1)
            for delivery in deliveries[..<2] {
                #expect(try client.complete(delivery) == .ok)
                #expect(try client.deliveredNothing())
            }
            #expect(try client.complete(deliveries[2]) == .ok)
            _ = try client.deliveries(1)
            #expect(try client.deliveredNothing())
        }
    }

    @Test func `credits can't be owed without a bound, nor on no stream`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.subscribe(["q"], jobs: 1)
            client.send(Debit(jobs: 65_537, bytes: 0), stream: 1)
            client.send(Debit(jobs: 1, bytes: 0), stream: 1)
            #expect(try client.nextError().error == .invalidRequest)
            client.send(Debit(jobs: 1, bytes: 0), stream: 9)
            #expect(try client.nextError().error == .unknownStream)
        }
    }

    @Test func `credits of a queue that is being made can be taken back`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let adder = try server.openClient()
            // All three in one go: the queue does not exist yet.
            client.send(Subscribe(queues: ["new"], creditJobs: 2), correlation: 5, stream: 1)
            client.send(Debit(jobs: 2, bytes: 0), stream: 1)
            client.send(Credit(jobs: 1, bytes: 0), stream: 1)
            _ = try client.reply(to: 5, Subscribed.self).get()
            try adder.add(3, queue: "new")
            _ = try client.deliveries(1)
            #expect(try client.deliveredNothing())
        }
    }

    @Test func `jobs of a connection that is lost are listed under their session while their leases last`()
        async throws
    {
        try await withWireServer { server in
            let lost = try server.openClient()
            let watcher = try server.openClient()
            func rows(queue: String = "", from cursor: UInt64 = 0) throws -> [WorkerPage.Row] {
                try watcher.request(GetWorkers(queue: queue, cursor: cursor), WorkerPage.self).get().rows
            }
            try lost.add(2, queue: "q")
            try watcher.add(1, queue: "other")
            try lost.subscribe(["q"], jobs: 3)
            let job = try lost.deliveries(2)[0].job
            #expect(try rows().map(\.isSubscribed) == [true])
            #expect(try rows().first?.credits == 1)
            lost.close()
            try watcher.poll { _ in try rows().map(\.isConnected) == [false] }
            let row = try #require(try rows(queue: "q").first)
            #expect(!row.isSubscribed && row.queues.isEmpty && row.held == 2)
            #expect(row.jobs.map(\.job).contains(job) && row.jobs.map(\.queue) == ["q", "q"])
            #expect(try rows(queue: "other").isEmpty)
            server.advanceLeases(by: .seconds(40))
            let later = try server.openClient()
            try later.poll { _ in try later.request(GetWorkers(), WorkerPage.self).get().rows.isEmpty }
        }
    }

    @Test func `a session is listed with a queue of which it holds a job, however many others it holds`() async throws {
        try await withWireServer { server in
            let holder = try server.openClient()
            let watcher = try server.openClient()
            try holder.add(Limits.workerJobsMax + 1, queue: "many")
            try holder.add(1, queue: "one")
            try holder.subscribe(["many"], stream: 1, jobs: UInt32(Limits.workerJobsMax + 1))
            _ = try holder.deliveries(Limits.workerJobsMax + 1)
            try holder.subscribe(["one"], stream: 2)
            _ = try holder.deliveries(1)
            for stream in UInt32(1)...2 {
                _ = try holder.request(Unsubscribe(), stream: stream, Unsubscribed.self).get()
            }
            let page = try watcher.request(GetWorkers(queue: "one"), WorkerPage.self).get()
            #expect(page.rows.map(\.held) == [UInt32(Limits.workerJobsMax) + 2])
        }
    }

    @Test func `a walk through the workers names each once`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            for stream in 1...7 {
                let subscribe = Subscribe(queues: ["q"], creditJobs: UInt32(stream), worker: "w\(stream)")
                _ = try client.request(subscribe, stream: UInt32(stream), Subscribed.self).get()
            }
            var names: [String] = []
            var cursor: UInt64 = 0
            repeat {
                let page = try client.request(GetWorkers(cursor: cursor, rows: 3), WorkerPage.self).get()
                #expect(page.rows.count <= 3)
                names += page.rows.map(\.worker)
                cursor = page.next
            } while cursor != 0
            #expect(names == (1...7).map { "w\($0)" })
            let refusal = try client.request(GetWorkers(queue: "nowhere"), WorkerPage.self).refusal
            #expect(refusal == .queueNotFound)
        }
    }

    @Test func `queues give as many jobs in their turn as they weigh`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.add(8, queue: "a")
            try client.add(8, queue: "b")
            let subscribe = Subscribe(queues: ["a", "b"], creditJobs: 16, weights: [3, 1])
            _ = try client.request(subscribe, stream: 1, Subscribed.self).get()
            let queues = try client.deliveries(16).map(\.queue)
            #expect(queues == [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 1, 1, 1, 1, 1])
        }
    }
}
