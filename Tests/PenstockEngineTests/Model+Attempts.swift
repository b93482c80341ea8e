import PenstockWire

@testable import PenstockEngine

/// What workers do with the jobs that they hold; a lease that was taken away is fenced.
extension Model {
    func complete(_ id: JobID, _ result: JobOutcome) -> ErrorCode {
        guard let job = endLease(id) else { return .fenced }
        let isWhole = job.counting == 0
        if isWhole {
            job.made += 1
            job.result = result
            end(job, .completed)
        } else {
            failAttempt(job, .error)
        }
        carryOut()
        return isWhole ? .ok : .unresolvedDependencies
    }

    func fail(_ id: JobID, unrecoverable: Bool, delay: UInt64?) -> ErrorCode {
        guard let job = endLease(id) else { return .fenced }
        failAttempt(job, unrecoverable ? .unrecoverable : .error, delay: delay)
        carryOut()
        return .ok
    }

    /// The attempt has taken too long.
    func timeOut(_ id: JobID) {
        guard let job = endLease(id) else { return }
        failAttempt(job, .timeout)
        carryOut()
    }

    private func failAttempt(_ job: Job, _ cause: FailureCause, delay: UInt64? = nil) {
        job.made += 1
        keep(job, cause == .timeout ? .timedOut : .failed)
        if cause == .unrecoverable || job.made >= Int(job.options.attempts) || !mayStartAgain(job) {
            return end(job, .failed, cause)
        }
        job.cause = cause
        job.hasFailed = true
        job.place = nil
        let backoff = job.options.backoff
        var wait = backoff.kind == .exponential ? backoff.delay << UInt64(job.made - 1) : backoff.delay
        if backoff.maximum > 0 { wait = min(wait, backoff.maximum) }
        if let delay { wait = delay }
        comeBack(job, after: wait, spread: delay == nil ? wait * UInt64(backoff.jitter) / 1000 : 0)
    }

    func giveBack(_ id: JobID, isStall: Bool) {
        guard let job = endLease(id) else { return }
        keep(job, isStall ? .stalled : .released)
        if isStall { job.stalled += 1 }
        if isStall && job.stalled > Int(job.options.maxStalledCount) || !mayStartAgain(job) {
            end(job, .failed, .stalled)
        } else {
            comeBack(job)
        }
        carryOut()
    }

    private func mayStartAgain(_ job: Job) -> Bool {
        job.options.maxStarted == 0 || job.started < Int(job.options.maxStarted)
    }

    /// A job that was active waits for its dependencies first, and its delay begins when they have resolved.
    private func comeBack(_ job: Job, after wait: UInt64 = 0, spread: UInt64 = 0) {
        if job.counting > 0 {
            job.state = .waitingChildren
            job.waitAtRelease = (wait, spread)
        } else if wait > 0 {
            delay(job, by: wait, spread: spread)
        } else {
            makeReady(job)
        }
    }

    func writeLease(_ id: JobID) {
        begin()
        guard leased.contains(id), let job = jobs[id] else { return }
        write(leaseOf: job)
    }

    func write(leaseOf job: Job) {
        guard !job.isLeaseWritten else { return }
        job.started += 1
        job.startBy = nil
        job.state = .active
        job.isLeaseWritten = true
    }

    /// The job, if its lease is still good.
    private func endLease(_ id: JobID) -> Job? {
        begin()
        guard let job = held(id) else { return nil }
        leave(job)
        return job
    }

    func held(_ id: JobID) -> Job? { leased.contains(id) ? jobs[id] : nil }

    func leave(_ job: Job) {
        leased.remove(job.id)
        if !job.isLeaseWritten { job.started += 1 }
        job.isLeaseWritten = false
        job.startBy = nil
    }

    // MARK: Growing

    /// The result of every job that completes with an add.
    static let resultWithAdd = JobOutcome.result(.json, [4, 2])

    /// The worker adds to its job, which goes on running, or completes by it.
    func addHeld(_ id: JobID, completes: Bool, _ items: [ItemSpec]) -> AddResult {
        begin()
        guard let job = held(id) else { return .refused([.fenced]) }
        if completes && job.counting > 0 { return .refused([complete(id, .none)]) }
        return add(items, heldBy: job, completes: completes)
    }

    func complete(_ job: Job) {
        leave(job)
        job.made += 1
        job.result = Model.resultWithAdd
        end(job, .completed)
    }

    /// The worker puts its job off. Where there is nothing to wait for, it goes on running.
    func move(_ id: JobID, to place: Move.Place, delay: UInt64, data: [UInt8]?) -> Answer {
        begin()
        guard let job = held(id) else { return .refused([.fenced]) }
        if let data { job.data = data }
        if place == .waitingChildren {
            for edge in job.edges {
                edge.isDetached = false
                if !edge.dependency.state.isFinished { edge.isHeld = false }
            }
            if job.counting == 0 { return .moved(false) }
        }
        leave(job)
        keep(job, .moved)
        if mayStartAgain(job) {
            comeBack(job, after: place == .delayed ? delay : 0)
        } else {
            end(job, .failed, .stalled)
        }
        carryOut()
        return .moved(true)
    }
}
