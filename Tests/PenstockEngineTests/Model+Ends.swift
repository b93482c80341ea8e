import PenstockWire

@testable import PenstockEngine

/// What the end of a job does to those that depend on it, and to those that only it needed.
extension Model {
    /// Tells the dependent of the edge how its dependency ended.
    func settle(_ edge: Edge) {
        let (dependent, dependency) = (edge.dependent, edge.dependency)
        guard dependency.state.isFinished else { return }
        let hasFailed = dependency.state != .completed && !dependency.isSkipped
        // It stays unprocessed until the dependency completes, or somebody does something about it.
        if edge.isHeld && hasFailed { return }
        let matters = edge.counts && !dependent.state.isFinished
        (edge.isHeld, edge.isByHand) = (false, false)
        if dependency.state == .completed {
            edge.kind = .processed
            if matters && edge.condition == .failure { return skip(dependent) }
        } else if dependency.isSkipped || edge.condition != .success {
            edge.kind = .ignored
        } else {
            switch edge.policy {
            case .failParent:
                edge.kind = .failed
                if matters { return fail(dependent, because: dependency) }
            case .ignore: edge.kind = .ignored
            case .remove:
                // A cancellation reaches both of them as one set: no policy acts inside.
                if dependency.state == .cancelled && !matters { edge.kind = .ignored } else { remove(edge) }
            case .continue:
                edge.kind = .ignored
                if matters { for other in dependent.edges where other.kind == .unprocessed { other.isDetached = true } }
            case .wait: if matters { edge.isHeld = true } else { edge.kind = .ignored }
            }
        }
        if matters { releaseIfFree(dependent) }
    }

    func remove(_ edge: Edge) {
        edge.dependent.edges.removeAll { $0 === edge }
        loseDependent(edge)
    }

    /// A dependency loses a dependent. If it was removed, it goes for good with the last one.
    func loseDependent(_ edge: Edge) {
        let dependency = edge.dependency
        dependency.dependents.removeAll { $0 === edge }
        if dependency.first === edge { dependency.first = nil }
        if dependency.dependents.isEmpty { tombstones[dependency.id] = nil }
    }

    private func fail(_ job: Job, because dependency: Job) {
        if job.state == .active { job.made += 1 }
        takeAway(job)
        end(job, .failed, .dependency)
        job.failedDependency = dependency.id
        if job.options.cancelSiblings { effects.append(.prune(job, top: job)) }
    }

    private func skip(_ job: Job) {
        takeAway(job)
        job.isSkipped = true
        end(job, .cancelled)
    }

    // MARK: Cancelling

    func cancel(_ target: Cancel.Target) -> Answer {
        begin()
        switch target {
        case .job(let id), .tree(let id):
            guard let job = jobs[id] else { return .refused([.jobNotFound]) }
            guard !job.state.isFinished else { return .count(0) }
            if case .tree = target {
                job.isPruned = true
                effects.append(.prune(job, top: job))
            }
            cancel(job)
        case .flow(let id):
            guard let jobs = flows[id] else { return .refused([.flowNotFound]) }
            let unfinished = jobs.filter { !$0.state.isFinished }
            guard !unfinished.isEmpty else { return .count(0) }
            cancelledFlows.insert(id)
            for job in unfinished { cancel(job) }
        }
        carryOut()
        return .count(touched)
    }

    func cancel(_ job: Job) {
        touched += 1
        takeAway(job)
        end(job, .cancelled)
    }

    /// Cancels the unfinished dependencies that nobody needs any more but the job, the top, or what was cancelled so.
    func prune(_ job: Job, top: Job) {
        guard job.state.isFinished else { return }
        for edge in job.edges where !edge.dependency.state.isFinished {
            let dependency = edge.dependency
            let isNeeded = dependency.dependents.map(\.dependent).contains {
                $0 !== job && $0 !== top && !($0.state == .cancelled && $0.isPruned)
            }
            if isNeeded { continue }
            dependency.isPruned = true
            cancel(dependency)
            effects.append(.prune(dependency, top: top))
        }
    }

    // MARK: By hand

    func finish(_ id: JobID, result: JobOutcome?) -> Answer {
        begin()
        guard let job = jobs[id] else { return .refused([.jobNotFound]) }
        guard !job.state.isFinished else { return .refused([.alreadyFinished]) }
        takeAway(job)
        if let result {
            job.result = result
            end(job, .completed)
        } else {
            end(job, .failed, .error)
        }
        carryOut()
        return .done
    }

    func resolve(_ dependent: JobID, _ dependency: JobID, to resolution: Resolve.Resolution) -> Answer {
        begin()
        guard let job = jobs[dependent] else { return .refused([.jobNotFound]) }
        guard let edge = job.edges.first(where: { $0.dependency.id == dependency }) else {
            return .refused([.edgeNotFound])
        }
        guard edge.kind == .unprocessed || edge.kind == .failed else { return .refused([.alreadyFinished]) }
        edge.isHeld = false
        switch resolution {
        case .processed: (edge.kind, edge.isByHand) = (.processed, true)
        case .ignored: (edge.kind, edge.isByHand) = (.ignored, true)
        case .removed: remove(edge)
        }
        if job.state == .failed && job.cause == .dependency { reviveIfFree(job, dependency) }
        releaseIfFree(job)
        carryOut()
        return .done
    }

    enum Answer {
        case done
        case count(UInt32)
        /// Whether a job that was to be put off was.
        case moved(Bool)
        case scheduled(SchedulerOutcome)
        /// Any of these codes is right.
        case refused(Set<ErrorCode>)
    }
}
