import PenstockTesting
import PenstockWire
import TestSupport
import Testing

/// Removing, cleaning and retention, through the socket.
@Suite(.inTurns) struct `Removal on the wire` {
    @Test func `a removed tree is gone for every reader, and stays so over a crash`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let ids = try client.addTree()
            #expect(try client.remove(.job(ids[3], keepsDependencies: false)).get() == 4)
            let other = try server.openClient()
            for id in ids { #expect(try other.request(GetJob(job: .id(id)), JobView.self).refusal == .jobNotFound) }
            #expect(try other.counts("q") == StateCounts())
            #expect(try client.remove(.job(ids[3], keepsDependencies: false)).refusal == .jobNotFound)
            server.crash()
            try server.start()
            let later = try server.openClient()
            for id in ids { #expect(try later.request(GetJob(job: .id(id)), JobView.self).refusal == .jobNotFound) }
        }
    }

    @Test func `nothing is removed while one of the jobs is leased`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let ids = try client.addTree()
            try client.subscribe(["q"])
            let delivery = try client.deliveries()[0]
            #expect(delivery.job == ids[0])
            #expect(try client.remove(.job(ids[3], keepsDependencies: false)).refusal == .jobLeased)
            #expect(try client.job(ids[3]).state == .waitingChildren)
            #expect(try client.complete(delivery) == .ok)
        }
    }

    @Test func `whoever waits for a removed job, or its flow, is told that it is gone`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let waiter = try server.openClient()
            let ids = try client.addTree()
            let flow = try client.job(ids[0]).flow
            waiter.send(Wait(target: .job(ids[0]), timeout: 60_000), correlation: 1)
            waiter.send(Wait(target: .flow(flow), timeout: 60_000), correlation: 2)
            try waiter.roundTrip()
            #expect(try client.remove(.flow(flow)).get() == 4)
            let answers = try [waiter.nextError(), waiter.nextError()]
            #expect(Set(answers.map(\.header.correlation)) == [1, 2])
            #expect(Set(answers.map(\.error)) == [.jobNotFound, .flowNotFound])
        }
    }

    @Test func `a result can be read by the dependent after its job was removed`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let ids = try client.addTree()
            try client.subscribe(["q"])
            let delivery = try client.deliveries()[0]
            let number = client.newSequence()
            let done = Completion(slot: delivery.slot, token: delivery.token, contentType: .binary, result: [4, 2])
            client.send(Complete(sequence: number, completions: [done]))
            #expect(try client.outcome(number).status == 0)
            #expect(try client.remove(.job(ids[0], keepsDependencies: false)).get() == 1)
            let request = GetDependencies(job: ids[1], pages: [GetDependencies.Page(kind: .processed)])
            let row = try client.request(request, DependencyPages.self).get().pages[0].rows[0]
            #expect(row.job == ids[0] && row.name == "base" && row.queue == "q")
            #expect(row.outcome == .result(.binary, [4, 2]))
        }
    }

    @Test func `a forced obliteration takes the jobs from their workers`() async throws {
        try await withWireServer { server in
            let worker = try server.openClient()
            let client = try server.openClient()
            try client.add(5, queue: "q")
            try worker.subscribe(["q"], jobs: 2)
            let deliveries = try worker.deliveries(2)
            #expect(try client.clean(.obliterate(force: false)).refusal == .jobLeased)
            #expect(try client.clean(.obliterate(force: true)).get() == 5)
            var revoked: Set<LeaseToken> = []
            while revoked.count < 2 {
                for lease in try worker.next(Revoked.self).leases { revoked.insert(lease.token) }
            }
            #expect(revoked == Set(deliveries.map(\.token)))
            for delivery in deliveries { #expect(try worker.complete(delivery) == .fenced) }
            #expect(try client.counts("q") == StateCounts())
            // The queue goes on.
            let ids = try client.add(queue: "q")
            #expect(try worker.deliveries()[0].job == ids[0])
        }
    }

    @Test func `a drained queue delivers nothing, and a refused clean changes nothing`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.add(3, queue: "q")
            var late = NodeOptions()
            late.delay = 60_000
            try client.add(2, queue: "q", options: late)
            #expect(try client.clean(.drain(delayedToo: false)).get() == 3)
            #expect(try client.counts("q")[.delayed] == 2)
            #expect(try client.clean(.drain(delayedToo: true), queue: "none").refusal == .queueNotFound)
            try client.subscribe(["q"])
            #expect(try client.deliveredNothing())
            #expect(try client.clean(.clean(.delayed, age: 0, limit: 1)).get() == 1)
            #expect(try client.counts("q")[.delayed] == 1)
        }
    }

    @Test func `finished jobs go by themselves when they are old enough`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            var options = NodeOptions()
            options.keepCompleted = Retention(count: 0)
            let gone = try client.add(queue: "q", options: options)[0]
            let kept = try client.add(queue: "q")[0]
            try client.subscribe(["q"], jobs: 2)
            for delivery in try client.deliveries(2) { #expect(try client.complete(delivery, result: [1]) == .ok) }
            // A look is due, and finds nothing that is old enough.
            server.advanceLeases(by: .seconds(10))
            try client.roundTrip()
            #expect(try client.job(gone).state == .completed)
            server.advance(by: .seconds(60))
            try client.poll { _ in try client.request(GetJob(job: .id(gone)), JobView.self).refusal == .jobNotFound }
            #expect(try client.job(kept).state == .completed)
            server.advance(by: .seconds(8 * 86_400))
            try client.poll { _ in try client.request(GetJob(job: .id(kept)), JobView.self).refusal == .jobNotFound }
        }
    }

    @Test func `an idle server commits nothing to keep its jobs`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            try client.add(queue: "q")
            try client.subscribe(["q"])
            #expect(try client.complete(try client.deliveries()[0]) == .ok)
            let before = try client.roundTrip().commits
            server.advanceLeases(by: .seconds(10))
            try client.poll { $0.commits > before }
            let after = try client.roundTrip().commits
            for _ in 0..<3 {
                server.advanceLeases(by: .seconds(5))
                try client.roundTrip()
            }
            #expect(try client.roundTrip().commits == after)
        }
    }
}

extension WireClient {
    /// Adds a base that two jobs depend on, and a top that depends on both.
    fileprivate func addTree() throws -> [JobID] {
        func after(_ nodes: UInt64...) -> [DependencyFields] { nodes.map { DependencyFields(.node($0)) } }
        let nodes = [
            AddNode(queue: 0, name: "base"), AddNode(queue: 0, name: "left", dependencies: after(0)),
            AddNode(queue: 0, name: "right", dependencies: after(0)),
            AddNode(queue: 0, name: "top", dependencies: after(1, 2)),
        ]
        return try add(Add(sequence: newSequence(), queues: ["q"], items: [AddItem(isFlow: true, nodes: nodes)]))
    }

    /// How many jobs a removal came to, or why it was refused.
    fileprivate func remove(_ target: Remove.Target) throws -> Result<UInt32, WireRefusal> {
        let number = newSequence()
        send(Remove(sequence: number, target: target))
        return try count(number)
    }

    fileprivate func clean(_ kind: Clean.Kind, queue: String = "q") throws -> Result<UInt32, WireRefusal> {
        let number = newSequence()
        send(Clean(sequence: number, queue: queue, kind: kind))
        return try count(number)
    }

    private func count(_ number: UInt64) throws -> Result<UInt32, WireRefusal> {
        let outcome = try outcome(number)
        guard outcome.status == 0 else {
            return .failure(WireRefusal(code: ErrorCode(rawValue: outcome.status) ?? .internalError))
        }
        var reader = WireReader(outcome.body.rawSpan)
        return .success(try CountOutcome(from: &reader).jobs)
    }
}
