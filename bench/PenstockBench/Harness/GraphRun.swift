internal import BenchSupport
internal import PenstockWire

/// Flows of one shape and size, added and worked off on a server of their own.
///
/// All that can run at once is added first: then every size has the same number of jobs to choose from, and shares its
/// commits with as many. Only chains go one after the other: side by side, they would share what one alone pays for.
struct GraphRun {
    let graph: FlowGraph
    /// Flows that are added together, and how often.
    let copies: Int
    let rounds: Int

    /// Chains take a commit for each job: beyond so many jobs there is one of them.
    private static let jobsOfChainsMax = 10_000

    /// - Parameter jobs: how many there are in all, about.
    init(_ graph: FlowGraph, jobs: Int) {
        self.graph = graph
        switch graph.shape {
        case .chain: (copies, rounds) = (1, max(1, min(jobs, Self.jobsOfChainsMax) / graph.size))
        case .fanIn, .fanOut, .dag: (copies, rounds) = (max(1, jobs / graph.size), 1)
        }
    }

    struct Figures {
        var added: RunFigures
        var through: RunFigures
        var sample: GrowthSample
    }

    func measure(_ workload: Workload, _ progress: Progress) throws -> Figures {
        try workload.withClient { client in
            client.onProgress = progress.show
            let before = try serverUsage(client)
            var figures: (added: RunFigures, through: RunFigures)?
            for round in 0..<rounds {
                let (added, through) = try measure(workload, client, round: round)
                figures = figures.map { ($0.added + added, $0.through + through) } ?? (added, through)
            }
            guard let figures else { preconditionFailure("there is at least one round") }
            return Figures(
                added: figures.added,
                through: figures.through,
                sample: sample(figures.added, figures.through, before)
            )
        }
    }

    /// Adds the flows, works them off, and checks that everything ran as it should.
    private func measure(
        _ workload: Workload,
        _ client: WireClient,
        round: Int
    ) throws -> (added: RunFigures, through: RunFigures) {
        let source = JobSource(payloadBytes: workload.payloadBytes)
        let queues = [source.queue, source.parentQueue]
        var adds = GraphAdds(
            FlowGraph(shape: graph.shape, size: graph.size, seed: UInt64(round)),
            copies: copies,
            source: source
        )
        let jobs = copies * graph.jobs
        let addMeter = try Meter(client)
        var addSeconds = 0.0
        while let items = adds.next() {
            let (outcome, seconds) = try client.add(items, queues: queues)
            try adds.take(outcome)
            addSeconds += seconds
        }
        let added = try addMeter.end(client, jobs: jobs, seconds: addSeconds)
        client.state.beginMeasuring()
        client.state.journal = DeliveryJournal(jobs: jobs)
        let meter = try Meter(client)
        try client.subscribe(to: queues, credits: workload.outstanding)
        try client.run { client.state.acknowledged == jobs }
        let seconds = Double(client.state.lastOutcomeAt - client.state.firstDeliveryAt) / 1e9
        let through = try meter.end(client, jobs: jobs, seconds: seconds)
        try client.unsubscribe()
        try check(client, queues, adds.flows)
        return (added, through)
    }

    /// - Throws: unless every job ran once, after its dependencies, and has completed.
    private func check(_ client: WireClient, _ queues: [String], _ flows: [GraphFlow]) throws {
        if let fault = client.state.journal?.fault(in: flows) { throw ClientFailure.wrong(fault) }
        client.state.journal = nil
        var completed = 0
        for queue in graph.hub == nil ? [queues[0]] : queues {
            let counts = try client.request(GetQueue(queue: queue), QueueView.self).counts
            guard counts.total == counts[.completed] else {
                throw ClientFailure.wrong("of \(counts.total) jobs \(counts[.completed]) completed")
            }
            completed += Int(counts[.completed])
        }
        guard completed == flows.count * graph.jobs else {
            throw ClientFailure.wrong("\(completed) jobs completed, not \(flows.count * graph.jobs)")
        }
    }

    private func serverUsage(_ client: WireClient) throws -> ProcessUsage? {
        let view = try client.request(GetServer(), ServerView.self)
        return try? ProcessUsage(pid: Int32(bitPattern: view.processID))
    }

    private func sample(_ added: RunFigures, _ through: RunFigures, _ before: ProcessUsage?) -> GrowthSample {
        var memory: BenchReport.Growth.Memory?
        if let before, let anonymousAdded = added.serverAnonymousBytes,
            let anonymousAfter = through.serverAnonymousBytes, let residentAfter = through.serverResidentBytes
        {
            memory = .init(
                jobs: through.jobs,
                residentBefore: before.residentBytes,
                residentAfter: residentAfter,
                anonymousBefore: before.anonymousBytes,
                anonymousAdded: anonymousAdded,
                anonymousAfter: anonymousAfter
            )
        }
        return GrowthSample(
            size: graph.size,
            flows: copies * rounds,
            jobs: through.jobs,
            edges: copies * rounds * graph.edges,
            add: added.part,
            through: through.part,
            memory: memory
        )
    }
}

extension RunFigures {
    fileprivate var part: GrowthSample.Part {
        GrowthSample.Part(seconds: seconds, serverCPU: serverCPU.map { $0 / .microseconds(1) }, commits: commits)
    }

    /// Two parts of the same run, the second after the first.
    static func + (first: RunFigures, second: RunFigures) -> RunFigures {
        var sum = second
        sum.jobs += first.jobs
        sum.seconds += first.seconds
        sum.commits += first.commits
        sum.serverCPU = first.serverCPU.flatMap { before in second.serverCPU.map { before + $0 } }
        sum.clientCPU += first.clientCPU
        if let before = first.othersCPUShare, let after = second.othersCPUShare {
            sum.othersCPUShare = (before * first.seconds + after * second.seconds) / sum.seconds
        }
        return sum
    }
}
