import PenstockWire

@testable import PenstockEngine

/// How long finished jobs are kept.
extension Model {
    /// Takes every finished job that is too old, or one too many, and that nobody needs.
    func retain() {
        begin()
        var going: [Job] = []
        for queue in queues {
            for state in [JobState.completed, .failed, .cancelled] {
                let jobs = inOrder(jobs.values.filter { $0.queue == queue }, [state])
                var newer = jobs.count
                for job in jobs {
                    newer -= 1
                    if isToGo(job, newer: newer) && isDoneWith(job) { going.append(job) }
                }
            }
        }
        take(going, runningFlows)
        carryOut()
    }

    private func isToGo(_ job: Job, newer: Int) -> Bool {
        let isCompleted = job.state == .completed
        let own = isCompleted ? job.options.keepCompleted : job.options.keepFailed
        let rule = own ?? (isCompleted ? retention.completed : retention.failed)
        let isOneTooMany = rule.count != Retention.countUnbounded && newer >= rule.count
        if !isOneTooMany && rule.age == Retention.ageUnbounded { return false }
        // For a minute it can be read, whatever was asked for.
        return elapsed >= job.finishedAtElapsed + max(isOneTooMany ? 0 : rule.age, 60_000)
    }

    /// Its flow has finished, and so have those that depend on it, and the one that may add it again by its key.
    private func isDoneWith(_ job: Job) -> Bool {
        if let flow = flows[job.flow], !flow.allSatisfy(\.state.isFinished) { return false }
        if let holder = jobs[job.keyHolder], !holder.state.isFinished { return false }
        return job.dependents.allSatisfy { $0.dependent.state.isFinished }
    }
}
