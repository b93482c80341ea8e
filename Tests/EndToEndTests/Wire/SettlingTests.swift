import PenstockTesting
import PenstockWire
import TestSupport
import Testing

/// Effects that are too large for one transaction.
@Suite(.inTurns) struct `Large effects on the wire` {
    /// A job, and three flows of 9,999 jobs each that depend on it.
    private func wide(_ client: WireClient) throws -> (cause: JobID, flows: [FlowID]) {
        let cause = try client.add(queue: "cause")[0]
        var flows: [FlowID] = []
        for _ in 0..<3 {
            let node = AddNode(queue: 0, name: "job", dependencies: [DependencyFields(.job(cause))])
            var nodes = Array(repeating: node, count: 9_999)
            nodes[9_998].customID = "last of \(flows.count)"
            let item = AddItem(isFlow: true, nodes: nodes)
            let add = Add(sequence: client.newSequence(), queues: ["wide"], items: [item])
            let jobs = try client.add(add, capacity: 1 << 20)
            flows.append(try client.job(jobs[0]).flow)
        }
        return (cause, flows)
    }

    @Test func `nobody is shown half of a large failure`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let (_, flows) = try wide(client)
            try client.subscribe(["cause"])
            #expect(try client.fail(client.deliveries()[0]) == .ok)
            for flow in flows {
                let page = try client.settled(GetFlowNodes(flow: flow, cursor: 0, rows: 1000), FlowNodePage.self)
                #expect(Set(page.rows.map(\.state)).count == 1, "before, or after")
            }
            for flow in flows {
                let view = try client.request(Wait(target: .flow(flow)), FlowView.self).get()
                #expect(view.status == .failed && view.counts[.failed] == 9_999)
            }
            #expect(try client.counts("wide")[.failed] == 29_997)
        }
    }

    @Test func `a job that is asked for by its custom id is not shown before its flow has settled`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            _ = try wide(client)
            try client.subscribe(["cause"])
            #expect(try client.fail(client.deliveries()[0]) == .ok)
            for index in 0..<3 {
                let request = GetJob(job: .custom(queue: "wide", id: "last of \(index)"))
                #expect(try client.settled(request, JobView.self).state == .failed)
            }
        }
    }

    @Test func `a large failure goes on after a crash in its midst`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let (_, flows) = try wide(client)
            try client.subscribe(["cause"])
            #expect(try client.fail(client.deliveries()[0]) == .ok)
            server.crash()
            try server.start()
            let other = try server.openClient()
            for flow in flows {
                let view = try other.request(Wait(target: .flow(flow)), FlowView.self).get()
                #expect(view.counts[.failed] == 9_999)
            }
        }
    }

    @Test func `a large fan-out is released in slices, and all of it runs`() async throws {
        try await withWireServer { server in
            let client = try server.openClient()
            let (cause, _) = try wide(client)
            try client.subscribe(["cause"])
            let delivery = try client.deliveries()[0]
            #expect(delivery.job == cause)
            #expect(try client.complete(delivery) == .ok)
            try client.poll { _ in try client.counts("wide")[.waiting] == 29_997 }
        }
    }
}
