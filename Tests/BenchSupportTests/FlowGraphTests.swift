import PenstockWire
import Testing

@testable import PenstockBench

struct FlowGraphTests {
    @Test(arguments: FlowShape.allCases)
    func `every job comes after those that it depends on, and the edges are counted`(
        shape: FlowShape
    ) {
        let graph = FlowGraph(shape: shape, size: 300)
        var edges = 0
        for number in 0..<graph.jobs {
            let dependencies = graph.dependencies(of: number)
            #expect(dependencies.allSatisfy { (0..<number).contains($0) })
            #expect(Set(dependencies).count == dependencies.count)
            edges += dependencies.count
        }
        #expect(edges == graph.edges)
    }

    @Test func `the hub of a fan-in depends on all others, that of a fan-out none`() {
        #expect(FlowGraph(shape: .fanIn, size: 4).dependencies(of: 4) == [0, 1, 2, 3])
        #expect(FlowGraph(shape: .fanOut, size: 4).dependencies(of: 0).isEmpty)
        #expect(FlowGraph(shape: .fanOut, size: 4).dependencies(of: 4) == [0])
        #expect(FlowGraph(shape: .chain, size: 4).jobs == 4 && FlowGraph(shape: .fanIn, size: 4).jobs == 5)
    }

    @Test func `the random edges are the same each time, and others for another seed`() {
        let graph = FlowGraph(shape: .dag, size: 1000, seed: 3)
        #expect(graph.dependencies(of: 500) == graph.dependencies(of: 500))
        #expect(graph.dependencies(of: 500) != FlowGraph(shape: .dag, size: 1000, seed: 4).dependencies(of: 500))
    }

    @Test func `the generator gives the numbers that its authors give`() {
        var random = SplitMix64(state: 1_234_567)
        #expect([random.next(), random.next()] == [6_457_827_717_110_365_317, 3_203_168_211_198_807_973])
    }
}

struct GraphAddsTests {
    /// Adds everything against a server that gives ids from 1 on and knows custom ids; what it then holds.
    private struct Store {
        var jobs: [JobID: [JobID]] = [:]
        var custom: [String: JobID] = [:]
        var frames: [[AddItem]] = []

        init(_ adds: inout GraphAdds) throws {
            while let items = adds.next() {
                frames.append(items)
                try adds.take(add(items))
            }
        }

        private mutating func add(_ items: [AddItem]) -> AddOutcome {
            var nodes: [JobID] = []
            var outcome = AddOutcome(items: [])
            for item in items {
                let first = JobID(UInt64(jobs.count) + 1)
                var answer = AddOutcome.Item(flow: FlowID(1), first: first, nodes: UInt32(item.nodes.count))
                for (index, node) in item.nodes.enumerated() {
                    var job = JobID(UInt64(jobs.count) + 1)
                    if let stored = node.customID.flatMap({ custom[$0] }) {
                        job = stored
                        answer.existing.append(.init(node: UInt32(index), job: stored))
                    } else if let customID = node.customID {
                        custom[customID] = job
                    }
                    jobs[job, default: []] += node.dependencies.map { dependency in
                        switch dependency.target {
                        case .node(let index): nodes[Int(index)]
                        case .job(let id): id
                        }
                    }
                    nodes.append(job)
                }
                outcome.items.append(answer)
            }
            return outcome
        }
    }

    @Test(
        arguments: FlowShape.allCases,
        [(7, 300), (GraphAdds.jobsPerFrame, 2), (GraphAdds.jobsPerFrame + 1, 2), (2 * GraphAdds.jobsPerFrame + 500, 1)]
    ) func `what is stored is the graph, however many frames it takes`(shape: FlowShape, size: (jobs: Int, copies: Int))
        throws
    {
        let graph = FlowGraph(shape: shape, size: size.jobs, seed: 9)
        var adds = GraphAdds(graph, copies: size.copies, source: JobSource(payloadBytes: 0))
        let store = try Store(&adds)
        #expect(adds.flows.count == size.copies && store.jobs.count == size.copies * graph.jobs)
        for flow in adds.flows {
            for (number, job) in flow.ids.enumerated() {
                let expected = flow.graph.dependencies(of: number).map { flow.ids[$0] }
                #expect(store.jobs[job] == expected)
            }
        }
    }

    @Test func `frames hold about as many jobs, whatever the size of a flow`() throws {
        for (size, copies) in [(10, 1000), (10_000, 1)] {
            var adds = GraphAdds(
                FlowGraph(shape: .fanIn, size: size),
                copies: copies,
                source: JobSource(payloadBytes: 0)
            )
            let jobs = try Store(&adds).frames.map { $0.reduce(0) { $0 + $1.nodes.count } }
            #expect(jobs.dropLast().allSatisfy { (900...GraphAdds.jobsPerFrame + 1).contains($0) })
        }
    }

    @Test func `an outcome of other jobs than were sent is refused`() throws {
        var adds = GraphAdds(FlowGraph(shape: .chain, size: 3), copies: 1, source: JobSource(payloadBytes: 0))
        _ = adds.next()
        let error = #expect(throws: WireError.self) {
            try adds.take(AddOutcome(items: [.init(flow: FlowID(1), first: JobID(1), nodes: 2)]))
        }
        #expect(error?.code == .malformed)
    }
}

struct DeliveryJournalTests {
    /// A chain of three jobs with the ids 11, 12 and 13.
    private var flow: GraphFlow {
        var flow = GraphFlow(FlowGraph(shape: .chain, size: 3))
        flow.ids = [JobID(11), JobID(12), JobID(13)]
        return flow
    }

    private func fault(_ deliveries: (job: UInt64, answeredBefore: Int)...) -> String? {
        var journal = DeliveryJournal()
        for delivery in deliveries { journal.append(JobID(delivery.job), answeredBefore: delivery.answeredBefore) }
        return journal.fault(in: [flow])
    }

    @Test func `jobs that ran once and in order are as they should be`() {
        #expect(fault((11, 0), (12, 1), (13, 2)) == nil)
    }

    @Test func `a job that was delivered twice, or never, is found`() {
        #expect(fault((11, 0), (12, 1), (12, 2), (13, 3)) == "job 12 was delivered twice")
        #expect(fault((11, 0), (12, 1)) == "2 jobs were delivered, not 3")
        #expect(fault((11, 0), (12, 1), (99, 2)) == "job 13 was never delivered")
    }

    @Test func `a job that came before its dependency was completed is found`() {
        let expected = "job 13 was delivered before its dependency 12 was completed"
        #expect(fault((11, 0), (12, 1), (13, 1)) == expected)
        #expect(fault((11, 0), (13, 1), (12, 2)) == expected)
    }
}
