import PenstockTesting
import PenstockWire
import TestSupport
import Testing

/// Cancel, retry, finish and resolve: what any client may do to jobs and flows that exist.
@Suite(.inTurns) struct `Commands about flows on the wire` {
    /// One flow; each node depends on those before it that are named.
    private func flow(
        _ client: WireClient,
        _ nodes: [(queue: UInt16, after: [UInt64])],
        queues: [String] = ["q"],
        policy: FailurePolicy? = nil,
        condition: EdgeCondition = .success
    ) throws -> [JobID] {
        let nodes = nodes.map { node in
            AddNode(
                queue: node.queue,
                name: "job",
                dependencies: node.after.map { DependencyFields(.node($0), policy: policy, condition: condition) }
            )
        }
        return try client.add(
            Add(sequence: client.newSequence(), queues: queues, items: [AddItem(isFlow: true, nodes: nodes)]),
            capacity: 1 << 20
        )
    }

    private func send(_ client: WireClient, _ message: (UInt64) -> some WireMessage) throws -> Outcome {
        let number = client.newSequence()
        client.send(message(number))
        return try client.outcome(number)
    }

    private func count(_ outcome: Outcome) throws -> UInt32 {
        try #require(outcome.status == 0)
        var reader = WireReader(outcome.body.rawSpan)
        return try reader.u32()
    }

    private func code(_ outcome: Outcome) -> ErrorCode? { ErrorCode(rawValue: outcome.status) }

    @Test func `cancelling a job that runs takes it from its worker, and tells the reason`() async throws {
        try await withWireServer { server in
            let worker = try server.openClient()
            let client = try server.openClient()
            let jobs = try flow(client, [(0, []), (1, [0])], queues: ["q", "next"])
            try worker.subscribe(["q"])
            let delivery = try worker.deliveries()[0]
            #expect(try count(send(client) { Cancel(sequence: $0, target: .job(jobs[0]), reason: "not wanted") }) == 1)
            let revoked = try worker.next(Revoked.self).leases
            #expect(revoked.map(\.token) == [delivery.token] && revoked[0].reason == .cancelled)
            #expect(revoked[0].message == "It was cancelled: not wanted")
            #expect(try worker.complete(delivery) == .fenced)
            #expect(try client.job(jobs[0]).state == .cancelled)
            let dependent = try client.job(jobs[1])
            #expect(dependent.state == .failed && dependent.cause == .dependency)
            #expect(try count(send(client) { Cancel(sequence: $0, target: .job(jobs[0])) }) == 0, "it has ended")
            #expect(try client.job(jobs[0]).attemptsStarted == 1)
        }
    }

    @Test func `a job that was cancelled while it waited never runs, and the credit goes to the next`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let jobs = try client.add(2, queue: "q")
            #expect(try count(send(client) { Cancel(sequence: $0, target: .job(jobs[0])) }) == 1)
            try client.subscribe(["q"], jobs: 2)
            #expect(try client.deliveries()[0].job == jobs[1])
            #expect(try client.deliveredNothing())
        }
    }

    @Test func `a flow is cancelled as one set, and its status says so until something of it is retried`() async throws
    {
        try await withWireServer { server in
            let client = try server.openClient()
            let jobs = try flow(client, [(0, []), (0, [0]), (0, [0]), (0, [1, 2])], policy: .wait)
            let flow = try client.job(jobs[0]).flow
            #expect(try count(send(client) { Cancel(sequence: $0, target: .flow(flow), reason: "late") }) == 4)
            let view = try client.request(GetFlow(flow: flow), FlowView.self).get()
            #expect(view.status == .cancelled && view.counts[.cancelled] == 4)
            #expect(try count(send(client) { Retry(sequence: $0, target: .flow(flow)) }) == 4)
            #expect(try client.request(GetFlow(flow: flow), FlowView.self).get().status == .running)
            try client.subscribe(["q"])
            for _ in jobs { #expect(try client.complete(client.deliveries()[0]) == .ok) }
            #expect(try client.request(GetFlow(flow: flow), FlowView.self).get().status == .completed)
        }
    }

    @Test func `a retry of the cause brings the chain back that failed with it`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let jobs = try flow(client, [(0, []), (0, [0]), (0, [1])])
            try client.subscribe(["q"])
            #expect(try client.fail(client.deliveries()[0]) == .ok)
            #expect(try jobs.map { try client.job($0).state } == [.failed, .failed, .failed])
            #expect(try count(send(client) { Retry(sequence: $0, target: .job(jobs[0])) }) == 1)
            #expect(try client.job(jobs[0]).attemptsMade == 0)
            for job in jobs {
                let delivery = try client.deliveries()[0]
                #expect(delivery.job == job)
                #expect(try client.complete(delivery) == .ok)
            }
            #expect(code(try send(client) { Retry(sequence: $0, target: .job(jobs[0])) }) == .notRetryable)
            #expect(
                code(try send(client) { Retry(sequence: $0, target: .job(jobs[0]), reruns: true) }) == .dependentStarted
            )
            #expect(try count(send(client) { Retry(sequence: $0, target: .job(jobs[2]), reruns: true) }) == 1)
        }
    }

    @Test func `a retry can bring other data, and a retry of a queue takes all that failed by themselves`() async throws
    {
        try await withWireServer { server in
            let client = try server.openClient()
            let jobs = try client.add(3, queue: "q", bytes: 10)
            try client.subscribe(["q"])
            for _ in jobs { #expect(try client.fail(client.deliveries()[0]) == .ok) }
            let data = Payload(.text, Array("new".utf8))
            #expect(try count(send(client) { Retry(sequence: $0, target: .job(jobs[1]), data: data) }) == 1)
            let delivery = try client.deliveries()[0]
            #expect(delivery.job == jobs[1] && delivery.data == data.bytes && delivery.contentType == .text)
            #expect(try client.complete(delivery) == .ok)
            #expect(try count(send(client) { Retry(sequence: $0, target: .queue("q")) }) == 2)
            for job in [jobs[0], jobs[2]] {
                let delivery = try client.deliveries()[0]
                #expect(delivery.job == job)
                #expect(try client.complete(delivery) == .ok)
            }
        }
    }

    @Test func `jobs and edges are decided by hand`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let jobs = try flow(
                client,
                [(0, []), (0, []), (0, []), (1, [0, 1, 2])],
                queues: ["q", "last"],
                policy: .wait
            )
            let result = Payload(.text, Array("42".utf8))
            #expect(code(try send(client) { Finish(sequence: $0, job: jobs[0], ending: .complete(result)) }) == .ok)
            #expect(try client.job(jobs[0]).outcome == .result(.text, result.bytes))
            #expect(
                code(try send(client) { Finish(sequence: $0, job: jobs[1], ending: .fail(message: "no", details: [])) })
                    == .ok
            )
            let status = try client.request(GetFlow(flow: client.job(jobs[0]).flow), FlowView.self).get().status
            #expect(status == .running)
            func resolve(_ dependency: JobID, _ to: Resolve.Resolution) throws -> ErrorCode? {
                code(try send(client) { Resolve(sequence: $0, dependent: jobs[3], dependency: dependency, to: to) })
            }
            #expect(try resolve(jobs[1], .ignored) == .ok)
            #expect(try client.job(jobs[3]).state == .waitingChildren)
            #expect(try resolve(jobs[2], .removed) == .ok)
            #expect(try client.job(jobs[3]).state == .waiting)
            #expect(try resolve(jobs[2], .removed) == .edgeNotFound)
            #expect(try resolve(jobs[0], .ignored) == .alreadyFinished)
            #expect(
                code(try send(client) { Finish(sequence: $0, job: jobs[0], ending: .complete(result)) })
                    == .alreadyFinished
            )
        }
    }

    @Test func `a compensation is skipped where nothing failed, and runs where something did; a cleanup always runs`()
        async throws
    {
        try await withWireServer { server in
            for fails in [false, true] {
                let client = try server.openClient()
                let queues = ["work-\(fails)", "undo-\(fails)", "clean-\(fails)"]
                let nodes = [
                    AddNode(queue: 0, name: "work"),
                    AddNode(queue: 1, name: "undo", dependencies: [.init(.node(0), condition: .failure)]),
                    AddNode(queue: 2, name: "clean", dependencies: [.init(.node(0), condition: .whatever)]),
                ]
                let jobs = try client.add(
                    Add(sequence: client.newSequence(), queues: queues, items: [AddItem(isFlow: true, nodes: nodes)])
                )
                try client.subscribe(queues, jobs: 3)
                let delivery = try client.deliveries()[0]
                #expect(try (fails ? client.fail(delivery) : client.complete(delivery)) == .ok)
                let next = try client.deliveries(fails ? 2 : 1)
                #expect(Set(next.map(\.job)) == Set(fails ? [jobs[1], jobs[2]] : [jobs[2]]))
                for delivery in next { #expect(try client.complete(delivery) == .ok) }
                let undo = try client.job(jobs[1])
                #expect(undo.state == (fails ? .completed : .cancelled) && undo.isSkipped == !fails)
                let view = try client.request(GetFlow(flow: undo.flow), FlowView.self).get()
                #expect(view.status == .completed, "of work no sink failed")
            }
        }
    }

    @Test func `what does not exist is named, and nothing is stored`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let unknown = JobID(999)
            #expect(code(try send(client) { Cancel(sequence: $0, target: .job(unknown)) }) == .jobNotFound)
            #expect(code(try send(client) { Cancel(sequence: $0, target: .flow(FlowID(9))) }) == .flowNotFound)
            #expect(code(try send(client) { Retry(sequence: $0, target: .job(unknown)) }) == .jobNotFound)
            #expect(code(try send(client) { Retry(sequence: $0, target: .queue("none")) }) == .queueNotFound)
            #expect(
                code(try send(client) { Resolve(sequence: $0, dependent: unknown, dependency: unknown, to: .ignored) })
                    == .jobNotFound
            )
        }
    }
}
