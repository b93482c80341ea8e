import PenstockTesting
import PenstockWire
import TestSupport
import Testing

/// Who listens, and what they are told, frame by frame.
@Suite(.inTurns) struct `Events on the wire` {
    private let ends: EventKinds = [EventKinds(.completed), EventKinds(.failed)]

    @Test func `a job is told from its add to its end, each step once and in its order`() async throws {
        try await withWireServer { server in
            let listener = try server.openClient()
            let worker = try server.openClient()
            let start = try listener.listen()
            try worker.subscribe(["q"])
            let job = try worker.add(queue: "q")[0]
            let delivery = try worker.deliveries()[0]
            #expect(try worker.report(delivery, progress: [1, 2]) == .ok)
            #expect(try worker.complete(delivery) == .ok)
            let (events, lost) = try listener.events(6)
            #expect(lost == 0)
            #expect(events.map(\.head.kind) == [.added, .waiting, .active, .progress, .completed, .drained])
            #expect(events.dropLast().allSatisfy { $0.head.job == job && $0.queue == "q" && $0.name == "job" })
            #expect(events[0].head.sequence > start)
            #expect(zip(events, events.dropFirst()).allSatisfy { $0.head.sequence < $1.head.sequence })
            #expect(events[2].head.attempt == 1 && events[2].data == Array("wire".utf8))
            #expect(events[3].data == [1, 2] && events[3].head.contentType == .binary)
            #expect(events.allSatisfy { $0.head.time > 0 })
        }
    }

    @Test func `a reserved job is told to be active when it was started, by word or by deed`() async throws {
        try await withWireServer { server in
            let (listener, worker) = (try server.openClient(), try server.openClient())
            let jobs = try worker.add(2, queue: "q")
            try listener.listen(kinds: [EventKinds(.active), EventKinds(.completed)])
            try worker.subscribe(["q"], jobs: 2, prefetches: true)
            let deliveries = try worker.deliveries(2)
            #expect(try listener.wasToldNothing())
            worker.start(deliveries[1])
            var event = try listener.events(1).events[0]
            #expect(event.head.kind == .active && event.head.job == jobs[1] && event.head.attempt == 1)
            #expect(event.data == Array("wire".utf8))
            #expect(try worker.complete(deliveries[0]) == .ok)
            let told = try listener.events(2).events
            #expect(told.map(\.head.kind) == [.active, .completed] && told.map(\.head.job) == [jobs[0], jobs[0]])
            #expect(try worker.complete(deliveries[1]) == .ok)
            event = try listener.events(1).events[0]
            #expect(event.head.kind == .completed && event.head.job == jobs[1])
        }
    }

    @Test func `an add that counts as one with another is told of the job that it stands for`() async throws {
        try await withWireServer { server in
            let (listener, client) = (try server.openClient(), try server.openClient())
            try listener.listen(kinds: [EventKinds(.added), EventKinds(.deduplicated)])
            let node = AddNode(queue: 0, name: "n", deduplication: Deduplication(id: "once"))
            let single = AddItem(isFlow: false, nodes: [node])
            let jobs = try client.add(Add(sequence: client.newSequence(), queues: ["q"], items: [single, single]))
            #expect(Set(jobs).count == 1)
            _ = try client.add(Add(sequence: client.newSequence(), queues: ["q"], items: [single]))
            let (events, lost) = try listener.events(3)
            #expect(lost == 0 && events.map(\.head.kind) == [.added, .deduplicated, .deduplicated])
            #expect(events.allSatisfy { $0.head.job == jobs[0] && $0.queue == "q" })
            #expect(events[1].data == Array("once".utf8) && events[2].data == events[1].data)
        }
    }

    @Test func `each listener hears its queue, its flow or everything, and the kinds it wants`() async throws {
        try await withWireServer { [ends] server in
            let client = try server.openClient()
            let nodes = [
                AddNode(queue: 0, name: "a"), AddNode(queue: 1, name: "b", dependencies: [DependencyFields(.node(0))]),
            ]
            let item = AddItem(isFlow: true, name: "f", nodes: nodes)
            let add = Add(sequence: client.newSequence(), queues: ["x", "y"], items: [item])
            client.send(add)
            let body = try client.outcome(add.sequence).body
            var reader = WireReader(body.rawSpan)
            let flow = try AddOutcome(from: &reader).items[0].flow
            try client.listen(.queue("x"), stream: 1)
            try client.listen(.queue("y"), stream: 2)
            try client.listen(.flow(flow), stream: 3)
            try client.listen(.all, stream: 4, kinds: ends)
            try client.add(queue: "y")
            try client.subscribe(["x", "y"], stream: 5, jobs: 3)
            for _ in 0..<3 { try client.complete(client.deliveries()[0]) }
            #expect(try client.told(3, stream: 1) == ["a active", "a completed", "x drained"])
            let y = try client.told(8, stream: 2)
            #expect(
                y.sorted() == [
                    "b active", "b completed", "b waiting", "job active", "job added", "job completed", "job waiting",
                    "y drained",
                ]
            )
            let ofFlow = ["a active", "a completed", "b waiting", "b active", "b completed", "f flowFinished"]
            #expect(try client.told(6, stream: 3) == ofFlow)
            #expect(try client.told(3, stream: 4).sorted() == ["a completed", "b completed", "job completed"])
            #expect(try client.wasToldNothing())
        }
    }

    @Test func `a listener that comes back in time misses nothing`() async throws {
        try await withWireServer { server in
            let worker = try server.openClient()
            let first = try server.openClient()
            try first.listen(.queue("q"))
            try worker.add(queue: "q")
            let known = try #require(try first.events(2).events.last).head.sequence
            first.close()
            try worker.add(3, queue: "q")
            try worker.poll { $0.connections == 1 }
            try worker.add(queue: "q")
            // Nearly ten minutes.
            server.advance(by: .seconds(590))
            let second = try server.openClient()
            #expect(try second.listen(.queue("q"), since: known) == known)
            let (events, lost) = try second.events(8)
            #expect(lost == 0 && events.count == 8 && events.allSatisfy { $0.head.sequence > known })
            // And once more, from the midst of it.
            #expect(try second.listen(.queue("q"), stream: 9, since: events[3].head.sequence) > known)
            #expect(try second.events(4, stream: 9).events == Array(events[4...]))
        }
    }

    @Test func `ten minutes after the last listener its events are gone, and a later one is told of the gap`()
        async throws
    {
        try await withWireServer { server in
            let worker = try server.openClient()
            let first = try server.openClient()
            try first.listen(.queue("q"))
            try worker.add(queue: "q")
            let known = try #require(try first.events(2).events.last).head.sequence
            #expect(try first.request(Unlisten(), stream: 7, Unlistened.self).refusal == nil)
            server.advance(by: .seconds(601))
            // The engine has been told, and gathers nothing, when this is applied.
            try worker.add(queue: "q")
            try worker.add(queue: "q")
            let second = try server.openClient()
            let start = try second.listen(.queue("q"), since: known)
            #expect(start > known)
            #expect(try second.gap() == start)
            try worker.add(queue: "q")
            #expect(try second.told(2) == ["job added", "job waiting"])
        }
    }

    @Test func `a restart is told as a gap, and numbers go on rising`() async throws {
        try await withWireServer { server in
            let before = try server.openClient()
            try before.listen()
            try before.add(queue: "q")
            let known = try #require(try before.events(2).events.last).head.sequence
            try server.restart()
            let client = try server.openClient()
            let start = try client.listen(since: known)
            #expect(start > known)
            #expect(try client.gap() == start)
            try client.add(queue: "q")
            #expect(try client.events(2).events[0].head.sequence > start)
            // A number that this server has not come to can't be gone on behind.
            try client.listen(stream: 8, since: .max)
            #expect(try client.gap(stream: 8) > 0)
        }
    }

    @Test func `events beyond what is kept leave a gap before those that are`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let known = try client.listen(.queue("q"), kinds: EventKinds(.removed))
            try client.subscribe(["q"])
            try client.add(queue: "q")
            let delivery = try client.deliveries()[0]
            let progress = [UInt8](repeating: 1, count: Limits.progressBytesMax)
            for _ in 0..<6 { #expect(try client.report(delivery, progress: progress, times: 100) == .ok) }
            let late = try server.openClient()
            let start = try late.listen(.queue("q"), since: known)
            let (events, lost) = try late.events(400)
            #expect(start > known && lost == start)
            #expect(events[0].head.sequence == lost + 1 && events[0].head.kind == .progress)
            let bytes = events.reduce(0) { $0 + $1.byteCount }
            #expect(bytes <= Limits.eventBytesMax)
        }
    }

    @Test func `a listener that does not read hurts nobody, and is told what it has missed`() async throws {
        try await withWireServer { server in
            let slow = try server.openClient()
            let worker = try server.openClient()
            let quick = try server.openClient()
            try slow.listen(.queue("q"))
            try quick.listen(.queue("q"), kinds: EventKinds(.completed))
            try worker.subscribe(["q"])
            try worker.add(queue: "q")
            let delivery = try worker.deliveries()[0]
            let progress = [UInt8](repeating: 1, count: Limits.progressBytesMax)
            // 25 MiB: more than the kernel takes and the server keeps, and three times what closes a connection.
            for _ in 0..<16 {
                #expect(try worker.report(delivery, progress: progress, times: 100) == .ok)
                for client in [slow, worker, quick] { client.send(Heartbeat(number: 0)) }
            }
            #expect(try worker.complete(delivery) == .ok)
            #expect(try quick.told(1) == ["job completed"])
            var lost: UInt64 = 0
            var last: [Event] = []
            while last.last?.head.kind != .drained {
                let (events, gap) = try slow.events(1)
                lost = max(lost, gap)
                last = events
            }
            #expect(lost > 0)
            #expect(try slow.roundTrip().connections == 3)
        }
    }

    @Test func `credits bound what is sent before the listener grants more`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.listen(.queue("q"), bytes: 0)
            try client.add(10, queue: "q")
            #expect(try client.wasToldNothing())
            client.send(Credit(jobs: 0, bytes: 1), stream: 7)
            #expect(try client.events(1).events.map(\.head.kind) == [.added])
            #expect(try client.wasToldNothing())
            client.send(Credit(jobs: 0, bytes: 1 << 20), stream: 7)
            #expect(try client.events(19).events.count == 19)
            client.send(Credit(jobs: 1, bytes: 0), stream: 7)
            #expect(try client.nextError().error == .invalidRequest)
            client.send(Debit(jobs: 0, bytes: 1), stream: 7)
            #expect(try client.nextError().error == .invalidRequest)
            client.send(Credit(jobs: 0, bytes: UInt32(Limits.creditBytesMax)), stream: 7)
            #expect(try client.nextError().error == .invalidRequest)
        }
    }

    @Test func `nothing is told after UNLISTENED`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let other = try server.openClient()
            try client.listen(.queue("q"))
            try other.add(5, queue: "q")
            #expect(try client.request(Unlisten(), stream: 7, Unlistened.self).refusal == nil)
            while client.skipped.contains(where: { $0.opcode == .events }) { _ = try client.next(Events.self) }
            try other.add(5, queue: "q")
            #expect(try client.wasToldNothing())
            #expect(try client.request(Unlisten(), stream: 7, Unlistened.self).refusal == .unknownStream)
            // The stream's number is free again, also for a subscription.
            try client.subscribe(["q"], stream: 7, jobs: 0)
        }
    }

    @Test func `what can't be listened to is refused`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            func refusal(_ listen: Listen, stream: UInt32 = 7) throws -> ErrorCode? {
                try client.request(listen, stream: stream, Listening.self).refusal
            }
            #expect(try refusal(Listen(.all), stream: 0) == .unknownStream)
            #expect(try refusal(Listen(.flow(FlowID(4711)))) == .flowNotFound)
            #expect(try refusal(Listen(.queue("a:b"))) == .invalidQueueName)
            #expect(try refusal(Listen(.queue(""))) == .invalidQueueName)
            #expect(try refusal(Listen(.all, kinds: [])) == .invalidOption)
            #expect(try refusal(Listen(.all, creditBytes: UInt32(Limits.creditBytesMax + 1))) == .invalidRequest)
            try client.subscribe(["q"], stream: 3)
            #expect(try refusal(Listen(.all), stream: 3) == .streamInUse)
            try client.listen(.all, stream: 4)
            #expect(try refusal(Listen(.all), stream: 4) == .streamInUse)
            let subscribe = Subscribe(queues: ["q"], creditJobs: 1)
            #expect(try client.request(subscribe, stream: 4, Subscribed.self).refusal == .streamInUse)
            for stream in 10..<264 as Range<UInt32> { #expect(try refusal(Listen(.all), stream: stream) == nil) }
            #expect(try refusal(Listen(.all), stream: 300) == .invalidRequest)
        }
    }

    @Test func `a listener that is taken back before it has begun is answered, and told nothing`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let other = try server.openClient()
            client.send(
                bytes: WireClient.frame(Listen(.queue("new"), creditBytes: 1), correlation: 5, stream: 7)
                    + WireClient.frame(Credit(jobs: 0, bytes: 1000), stream: 7)
                    + WireClient.frame(Unlisten(), correlation: 6, stream: 7)
            )
            #expect(try client.reply(to: 5, Listening.self).refusal == nil)
            #expect(try client.reply(to: 6, Unlistened.self).refusal == nil)
            try other.add(queue: "new")
            #expect(try client.wasToldNothing())
            // A second one takes the same wait for the engine, and has begun with it.
            try client.listen(.queue("new"))
            try other.add(queue: "new")
            #expect(try client.told(2) == ["job added", "job waiting"])
        }
    }

    @Test func `credits that come while a listener begins count`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            client.send(
                bytes: WireClient.frame(Listen(.queue("new"), creditBytes: 0), correlation: 5, stream: 7)
                    + WireClient.frame(Credit(jobs: 0, bytes: 1000), stream: 7)
            )
            _ = try client.reply(to: 5, Listening.self).get()
            try client.add(queue: "new")
            #expect(try client.told(2) == ["job added", "job waiting"])
        }
    }

    @Test func `a job is never told to be active before it is told to be waiting, whoever works`() async throws {
        try await withWireServer { server in
            let listener = try server.openClient()
            try listener.listen()
            let workers = try (0..<3).map { _ in try server.openClient() }
            let adder = try server.openClient()
            for worker in workers { try worker.subscribe(["q"], jobs: 50) }
            for _ in 0..<40 { try adder.add(25, queue: "q") }
            var done = 0
            while done < 1000 {
                for worker in workers {
                    for delivery in try worker.allDeliveries() {
                        #expect(try worker.complete(delivery) == .ok)
                        done += 1
                    }
                }
            }
            var steps: [JobID: [EventKind]] = [:]
            var count = 0
            while count < 4000 {
                let (events, lost) = try listener.events(1)
                #expect(lost == 0)
                for event in events where event.head.job != .none {
                    steps[event.head.job, default: []].append(event.head.kind)
                    count += 1
                }
            }
            #expect(steps.count == 1000)
            for (job, kinds) in steps { #expect(kinds == [.added, .waiting, .active, .completed], "\(job)") }
        }
    }
}
