import PenstockWire

@testable import PenstockEngine

/// What takes jobs out: removals by hand, and the cleaning of a queue.
extension Model {
    func remove(_ target: Remove.Target) -> Answer {
        begin()
        let going: [Job]
        switch target {
        case .job(let id, let keepsDependencies):
            guard let job = jobs[id] else { return .refused([.jobNotFound]) }
            going = keepsDependencies ? [job] : withWhatOnlyTheyNeed([job], sparesLeased: false)
        case .flow(let id):
            guard let jobs = flows[id] else { return .refused([.flowNotFound]) }
            going = jobs
        case .unprocessedDependencies(let id):
            guard let job = jobs[id] else { return .refused([.jobNotFound]) }
            let free = job.edges.map(\.dependency).filter {
                jobs[$0.id] != nil && !$0.state.isFinished && !leased.contains($0.id)
            }
            going = withWhatOnlyTheyNeed(free, sparesLeased: true)
        }
        guard !going.contains(where: { leased.contains($0.id) }) else { return .refused([.jobLeased]) }
        take(going, runningFlows)
        carryOut()
        return .count(UInt32(going.count))
    }

    var runningFlows: Set<FlowID> { Set(flows.keys.filter { !status(of: $0).isFinished }) }

    /// The jobs, and repeatedly each dependency all of whose dependents are among them.
    private func withWhatOnlyTheyNeed(_ jobs: [Job], sparesLeased: Bool) -> [Job] {
        var going = jobs
        var isGoing = Set(jobs.map(\.id))
        var isComplete = false
        while !isComplete {
            isComplete = true
            for dependency in going.flatMap(\.edges).map(\.dependency)
            where self.jobs[dependency.id] != nil && !isGoing.contains(dependency.id)
                && !(sparesLeased && leased.contains(dependency.id))
                && dependency.dependents.allSatisfy({ isGoing.contains($0.dependent.id) })
            {
                going.append(dependency)
                isGoing.insert(dependency.id)
                isComplete = false
            }
        }
        return going
    }

    // MARK: Cleaning

    /// Removes jobs of the queue, and no others. Those that have not finished count as cancelled.
    func clean(_ queue: String, _ kind: Clean.Kind) -> Answer {
        begin()
        guard queues.contains(queue) else { return .refused([.queueNotFound]) }
        let all = jobs.values.filter { $0.queue == queue }
        let free = all.filter { !leased.contains($0.id) }
        var going: [Job]
        switch kind {
        case .drain(let delayedToo): going = inOrder(free, [.waiting] + (delayedToo ? [.delayed] : []))
        case .clean(let state, let age, let limit):
            going = inOrder(free, [state]).filter { age == 0 || isOlder($0, than: age) }
            if limit > 0 { going = Array(going.prefix(Int(limit))) }
        case .obliterate(let force):
            guard force || free.count == all.count else { return .refused([.jobLeased]) }
            settings[queue] = nil
            going = inOrder(all, [.completed, .failed, .cancelled, .waitingChildren, .waiting, .delayed, .active])
        }
        let running = runningFlows
        for job in going where !job.state.isFinished { cancel(job) }
        // What they depended on loses them before their own dependents learn of it.
        unlink(going, running)
        carryOut()
        take(going, running)
        carryOut()
        return .count(UInt32(going.count))
    }

    /// Those that finished first, would be served first, are due first, or were added first.
    func inOrder(_ jobs: [Job], _ states: [JobState]) -> [Job] {
        states.flatMap { state in
            let jobs = jobs.filter { $0.state == state }
            return switch state {
            case .completed, .failed, .cancelled:
                jobs.sorted { ($0.finishedAtElapsed, $0.id) < ($1.finishedAtElapsed, $1.id) }
            case .waiting:
                jobs.sorted { ($0.options.priority, $0.place!, $0.id) < ($1.options.priority, $1.place!, $1.id) }
            case .delayed: jobs.sorted { ($0.due, $0.id) < ($1.due, $1.id) }
            case .waitingChildren, .active: jobs.sorted { $0.id < $1.id }
            }
        }
    }

    /// It finished, or was added, so long ago.
    private func isOlder(_ job: Job, than age: UInt64) -> Bool {
        job.state.isFinished ? job.finishedAtElapsed + age <= elapsed : job.createdAt + age <= wall
    }

    // MARK: Taking out

    /// The jobs go, all at once. Their dependents lose the edges that have no outcome; where one has an outcome, the
    /// job is kept for that.
    ///
    /// - Parameter running: the flows that had not finished before: how they end is seen from what is left of them.
    func take(_ going: [Job], _ running: Set<FlowID>) {
        for flow in flows.keys where !running.contains(flow) { keptStatus[flow] = status(of: flow) }
        for job in going { forget(job) }
        unlink(going, running)
        var dependents: [Job] = []
        for job in going {
            for edge in job.told where edge.kind == .unprocessed {
                dependents.append(edge.dependent)
                remove(edge)
            }
            guard !job.dependents.isEmpty else { continue }
            tombstones[job.id] = job
            if !job.state.isFinished { job.state = .cancelled }
        }
        for dependent in dependents where jobs[dependent.id] != nil { releaseIfFree(dependent) }
    }

    private func forget(_ job: Job) {
        takeAway(job)
        jobs[job.id] = nil
        customIDs = customIDs.filter { $0.value !== job }
        for other in jobs.values { other.keys = other.keys.filter { $0.value !== job } }
        guard job.flow != .none else { return }
        flows[job.flow]!.removeAll { $0 === job }
        guard flows[job.flow]!.isEmpty else { return }
        flows[job.flow] = nil
        cancelledFlows.remove(job.flow)
        keptStatus[job.flow] = nil
    }

    private func unlink(_ going: [Job], _ running: Set<FlowID>) {
        for job in going {
            for edge in job.edges { letGo(of: edge, running) }
            job.edges = []
        }
    }

    /// A dependency loses a dependent that is removed; in a flow that goes on it may be a sink by that.
    private func letGo(of edge: Edge, _ running: Set<FlowID>) {
        let dependency = edge.dependency
        loseDependent(edge)
        guard dependency.flow == edge.dependent.flow, running.contains(dependency.flow) else { return }
        dependency.hasDependentInFlow = dependency.dependents.contains { $0.dependent.flow == dependency.flow }
    }
}
