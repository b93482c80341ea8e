import PenstockWire
import Testing

/// The checker's own negative controls: a small history that is right, and each way to make it wrong.
@Suite struct CheckerTests {
    @Test func `a history that is right has no violations`() {
        let history = History()
        #expect(Checker.check(history.ledger, history.observation) == [])
    }

    @Test func `an acknowledged add that is not there is found`() {
        var history = History()
        history.addJob(sequence: 2, as: JobID(9), at: .init(commit: 5, index: 0))
        history.observation.jobs[JobID(9)] = .some(nil)
        expectFound(history, "job 9 of 0/2 is not there")
    }

    @Test func `a missing job, flow or edge of an acknowledged flow is found`() {
        var history = History()
        history.observation.jobs[JobID(2)] = .some(nil)
        expectFound(history, "job 2 of 0/1 is not there")
        history = History()
        history.observation.flows[FlowID(1)] = .some(nil)
        expectFound(history, "flow 1 of 0/1 is not there")
        history = History()
        history.flow { $0.nodes.removeLast() }
        expectFound(history, "has the jobs")
        history = History()
        history.flow { $0.edges.removeLast() }
        expectFound(history, "edge 1 of node 2")
    }

    @Test func `half of an unacknowledged flow is found, and the whole of it is not`() {
        var history = History()
        history.ledger.commands[0][0].outcome = nil
        history.observation.moment = .beforeResume
        history.forgetAttempts()
        #expect(Checker.check(history.ledger, history.observation) == [])
        history.observation.jobs[JobID(2)] = .some(nil)
        history.observation.queues["q"] = History.counts(waiting: 2)
        expectFound(history, "node 1 of 0/1 is not there, others of it are")
        history = History()
        history.ledger.commands[0][0].outcome = nil
        history.forgetAttempts()
        expectFound(history, "has no outcome, though its session has resumed")
    }

    @Test func `an add that was applied twice is found`() {
        var history = History()
        history.observation.queues["q"] = History.counts(waiting: 0, completed: 4)
        expectFound(history, "queue q has 4 jobs; 3 were added")
        history = History()
        history.addJob(sequence: 2, as: JobID(3), at: .init(commit: 5, index: 0))
        expectFound(history, "job 3 was made by")
        history = History()
        history.observation.jobs[JobID(7)] = history.observation.jobs[JobID(1)]
        expectFound(history, "job 7 is node 0 of 0/1")
    }

    @Test func `a completion that was lost, altered or doubled is found`() {
        var history = History()
        history.job(JobID(1)) {
            $0.state = .waiting; $0.attemptsMade = 0; $0.outcome = .none
        }
        expectFound(history, "job 1 is waiting, and")
        history = History()
        history.job(JobID(1)) { $0.outcome = .result(.binary, [7]) }
        expectFound(history, "a result that no accepted completion gave")
        history = History()
        history.complete(LeaseToken(epoch: 1, counter: 9), of: JobID(1), at: .init(commit: 9, index: 0))
        expectFound(history, "job 1 was completed by")
        history = History()
        history.job(JobID(1)) { $0.attemptsMade = 2 }
        expectFound(history, "job 1 has made 2 attempts; 1 were accepted")
    }

    @Test func `a dead token that was accepted, and a live one that was fenced, are found`() {
        var history = History()
        history.ledger.commands[1][0].mustBeFenced = true
        expectFound(history, "with the dead token")
        history = History()
        history.complete(LeaseToken(epoch: 1, counter: 1), of: JobID(1), at: .init(commit: 9, index: 0))
        expectFound(history, "was accepted from")
        history = History()
        history.ledger.commands[1][2].outcome?.status = ErrorCode.fenced.rawValue
        expectFound(history, "and its token 10000000003 lived")
    }

    @Test func `places that are taken twice, or out of order, are found`() {
        var history = History()
        history.ledger.commands[1][0].outcome?.commit = 1
        history.ledger.commands[1][0].outcome?.index = 0
        expectFound(history, "have one place")
        history = History()
        history.ledger.commands[1][1].outcome?.commit = 8
        expectFound(history, "and the command before it")
        history = History()
        history.ledger.commands[0][0].outcome?.commit = 3
        history.ledger.commands[0][0].outcome?.index = 9
        expectFound(history, "was told before it was sent")
    }

    @Test func `a dependent that ran before its dependencies is found`() {
        var history = History()
        history.ledger.commands[1].swapAt(1, 2)
        history.ledger.commands[1][1].outcome = history.ledger.commands[1][2].outcome.map { _ in
            .init(commit: 3, index: 0, status: 0, at: 6)
        }
        history.ledger.commands[1][2].outcome = .init(commit: 4, index: 0, status: 0, at: 8)
        expectFound(history, "job 3 ran at")
    }

    @Test func `a job that has not finished in the end is found`() {
        var history = History()
        history.job(JobID(3)) {
            $0.state = .waitingChildren; $0.attemptsMade = 0; $0.outcome = .none
        }
        history.observation.queues["q"] = History.counts(waiting: 1, completed: 2)
        history.ledger.commands[1].removeLast()
        expectFound(history, "job 3 is waitingChildren in the end")
    }

    private func expectFound(_ history: History, _ text: String, _ location: SourceLocation = #_sourceLocation) {
        let violations = Checker.check(history.ledger, history.observation)
        #expect(violations.contains { $0.contains(text) }, "\(violations)", sourceLocation: location)
    }
}

/// A flow of two jobs and one that depends on both, completed by one worker.
private struct History {
    var ledger = Ledger(clients: 2)
    var observation = Observation(moment: .drained, commit: 4)

    init() {
        let key = Ledger.Key(client: 0, sequence: 1)
        var nodes = (0..<3).map { AddNode(queue: 0, name: "job", data: JobTag(key: key, node: $0).data(padding: 0)) }
        nodes[2].dependencies = [DependencyFields(.node(0)), DependencyFields(.node(1))]
        let add = Add(sequence: 1, queues: ["q"], items: [AddItem(isFlow: true, name: "f", nodes: nodes)])
        var command = Ledger.Command(kind: .add(add), at: 1)
        command.outcome = .init(commit: 1, index: 0, status: 0, at: 2)
        command.outcome?.items = [AddOutcome.Item(flow: FlowID(1), first: JobID(1), nodes: 3)]
        ledger.commands[0] = [command]
        for job in 1...3 as ClosedRange<UInt64> {
            complete(LeaseToken(epoch: 1, counter: job), of: JobID(job), at: .init(commit: 1 + job, index: 0))
            show(JobID(job), nodes[Int(job) - 1], flow: FlowID(1))
        }
        var view = FlowView()
        view.id = FlowID(1)
        view.name = "f"
        view.status = .completed
        view.counts = History.counts(waiting: 0, completed: 3)
        let rows = (1...3 as ClosedRange<UInt64>).map {
            FlowNodePage.Row(
                job: JobID($0),
                queue: "q",
                name: "job",
                state: .completed,
                cause: .none,
                attemptsMade: 1,
                startedAt: 1,
                finishedAt: 1,
                dependencies: DependencyCounts(processed: $0 == 3 ? 2 : 0)
            )
        }
        let edges = (0..<2 as Range<UInt32>).map {
            FlowEdgePage.Row(
                dependent: JobID(3),
                position: $0,
                dependency: JobID(UInt64($0) + 1),
                kind: .processed,
                policy: .failParent
            )
        }
        observation.flows[FlowID(1)] = Observation.Flow(view: view, nodes: rows, edges: edges)
        observation.queues["q"] = History.counts(waiting: 0, completed: 3)
    }

    static func counts(waiting: UInt32, completed: UInt32 = 0) -> StateCounts {
        var counts = StateCounts()
        counts[.waiting] = waiting
        counts[.completed] = completed
        return counts
    }

    mutating func complete(_ token: LeaseToken, of job: JobID, at place: Ledger.Place) {
        ledger.leases[token] = Ledger.Lease(client: 1, job: job, epoch: 1)
        let time = 2 * place.commit
        var command = Ledger.Command(kind: .complete(token, result: [UInt8(job.rawValue)]), at: time - 1)
        command.outcome = .init(commit: place.commit, index: place.index, status: 0, at: time)
        ledger.commands[1].append(command)
    }

    mutating func addJob(sequence: UInt64, as job: JobID, at place: Ledger.Place) {
        let tag = JobTag(key: Ledger.Key(client: 0, sequence: sequence), node: 0)
        let node = AddNode(queue: 0, name: "job", data: tag.data(padding: 0))
        let add = Add(sequence: sequence, queues: ["q"], items: [AddItem(isFlow: false, nodes: [node])])
        var command = Ledger.Command(kind: .add(add), at: 2 * place.commit - 1)
        command.outcome = .init(commit: place.commit, index: place.index, status: 0, at: 2 * place.commit)
        command.outcome?.items = [AddOutcome.Item(flow: .none, first: job, nodes: 1)]
        ledger.commands[0].append(command)
    }

    private mutating func show(_ job: JobID, _ node: AddNode, flow: FlowID) {
        var view = JobView()
        view.id = job
        view.queue = "q"
        view.name = node.name
        view.data = node.data
        view.flow = flow
        view.state = .completed
        view.attemptsMade = 1
        view.dependencies.processed = UInt32(node.dependencies.count)
        view.outcome = .result(.binary, [UInt8(job.rawValue)])
        observation.jobs[job] = view
    }

    mutating func job(_ id: JobID, _ change: (inout JobView) -> Void) {
        guard case var view?? = observation.jobs[id] else { return }
        change(&view)
        observation.jobs[id] = view
    }

    mutating func flow(_ change: (inout Observation.Flow) -> Void) {
        guard case var flow?? = observation.flows[FlowID(1)] else { return }
        change(&flow)
        observation.flows[FlowID(1)] = flow
    }

    /// As if no job had been taken yet.
    mutating func forgetAttempts() {
        ledger.commands[1] = []
        for id in 1...3 as ClosedRange<UInt64> {
            job(JobID(id)) {
                $0.state = $0.dependencies.total > 0 ? .waitingChildren : .waiting
                $0.attemptsMade = 0
                $0.outcome = .none
            }
        }
        flow { $0.view.status = .running }
        observation.moment = observation.moment == .drained ? .settled : observation.moment
    }
}
