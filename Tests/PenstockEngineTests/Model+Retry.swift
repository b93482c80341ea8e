import PenstockWire

@testable import PenstockEngine

/// Finished jobs that run again.
extension Model {
    func retry(_ target: Retry.Target, keepsCounters: Bool, reruns: Bool) -> Answer {
        begin()
        switch target {
        case .job(let id):
            guard let job = jobs[id] else { return .refused([.jobNotFound]) }
            guard job.state.isFinished, job.state != .completed || reruns else { return .refused([.notRetryable]) }
            let hasStarted = job.dependents.contains { $0.dependent.started > 0 || leased.contains($0.dependent.id) }
            if job.state == .completed && hasStarted { return .refused([.dependentStarted]) }
            retry(job, keepsCounters: keepsCounters)
        case .flow(let id):
            guard let jobs = flows[id] else { return .refused([.flowNotFound]) }
            for job in jobs where isRetriedWithOthers(job) { retry(job, keepsCounters: keepsCounters) }
        case .queue(let name):
            guard queues.contains(name) else { return .refused([.queueNotFound]) }
            let jobs = jobs.values.filter { $0.queue == name }.sorted { $0.id < $1.id }
            for job in jobs where isRetriedWithOthers(job) { retry(job, keepsCounters: keepsCounters) }
        }
        carryOut()
        return .count(touched)
    }

    private func isRetriedWithOthers(_ job: Job) -> Bool {
        guard job.state == .failed || job.state == .cancelled, !job.isSkipped else { return false }
        return job.cause != .dependency || firstFailed(of: job) == nil
    }

    /// The first dependency that failed the job and can still be retried.
    private func firstFailed(of job: Job) -> JobID? {
        job.edges.first { $0.kind == .failed && jobs[$0.dependency.id] != nil }?.dependency.id
    }

    private func retry(_ job: Job, keepsCounters: Bool) {
        touched += 1
        job.hasFailed = true
        job.place = nil
        if job.isPruned { effects.append(.restore(job)) }
        reset(job, keepsCounters: keepsCounters)
        retried.append(job)
    }

    /// Back to waiting-children: what may run starts when the whole retry has been carried out.
    private func reset(_ job: Job, keepsCounters: Bool) {
        if !keepsCounters { (job.made, job.stalled) = (0, 0) }
        job.attempts = allAttempts(of: job)
        job.state = .waitingChildren
        job.cause = .none
        job.failedDependency = .none
        cancelledFlows.remove(job.flow)
        keptStatus[job.flow] = nil
        effects.append(.reopen(job, withOthers: job.isPruned))
        (job.isSkipped, job.isPruned) = (false, false)
    }

    func start(_ job: Job) {
        guard job.state == .waitingChildren else { return }
        let running = job.edges.filter { !$0.dependency.state.isFinished }
        for edge in running where edge.kind == .unprocessed { edge.isHeld = false }
        for edge in running where edge.kind != .unprocessed && !edge.isByHand {
            edge.kind = .unprocessed
            edge.isDetached = false
        }
        if job.state == .waitingChildren && job.counting == 0 { makeReady(job) }
    }

    /// Opens the edge to a job that runs again, where the dependent can still wait for it.
    func reopen(_ edge: Edge, withOthers: Bool) {
        let job = edge.dependent
        switch job.state {
        case .waitingChildren: break
        case .waiting where !leased.contains(job.id), .delayed:
            job.state = .waitingChildren
            job.due = 0
        case .active:
            // It runs, and will wait for the edge as for any other.
            if edge.counts { edge.isHeld = false }
            return
        case .failed where job.cause == .dependency: break
        default: return
        }
        edge.isHeld = false
        edge.kind = .unprocessed
        edge.isDetached = false
        guard job.state == .failed else { return }
        if job.options.cancelSiblings && !withOthers { effects.append(.restore(job)) }
        reviveIfFree(job, edge.dependency.id)
    }

    /// Revives a job that failed with a dependency if none that failed it is left; else it names the first of those.
    func reviveIfFree(_ job: Job, _ dependency: JobID) {
        guard let failed = firstFailed(of: job) else { return reset(job, keepsCounters: false) }
        let isNamed = job.failedDependency == dependency || jobs[job.failedDependency] == nil
        if isNamed { job.failedDependency = failed }
    }

    /// Retries what was cancelled because only the job needed it.
    func restore(_ job: Job) {
        for dependency in job.edges.map(\.dependency)
        where jobs[dependency.id] != nil && dependency.state == .cancelled && dependency.isPruned {
            retry(dependency, keepsCounters: false)
        }
    }
}
