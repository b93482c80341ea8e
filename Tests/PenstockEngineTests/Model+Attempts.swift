import PenstockWire

@testable import PenstockEngine

/// What workers do with the jobs that they hold; a lease that was taken away is fenced.
extension Model {
    func complete(_ id: JobID) -> ErrorCode {
        guard let job = endLease(id) else { return .fenced }
        job.made += 1
        end(job, .completed)
        carryOut()
        return .ok
    }

    func fail(_ id: JobID, unrecoverable: Bool, delay: UInt64?) -> ErrorCode {
        guard let job = endLease(id) else { return .fenced }
        job.made += 1
        if unrecoverable || job.made >= Int(job.options.attempts) {
            end(job, .failed, unrecoverable ? .unrecoverable : .error)
            carryOut()
            return .ok
        }
        job.cause = .error
        job.hasFailed = true
        job.place = nil
        let backoff = job.options.backoff
        var wait = backoff.kind == .exponential ? backoff.delay << UInt64(job.made - 1) : backoff.delay
        if backoff.maximum > 0 { wait = min(wait, backoff.maximum) }
        if let delay { wait = delay }
        if wait == 0 {
            makeReady(job)
        } else {
            self.delay(job, by: wait, spread: delay == nil ? wait * UInt64(backoff.jitter) / 1000 : 0)
        }
        return .ok
    }

    func giveBack(_ id: JobID, isStall: Bool) {
        guard let job = endLease(id) else { return }
        if isStall { job.stalled += 1 }
        if isStall && job.stalled > Int(job.options.maxStalledCount) {
            end(job, .failed, .stalled)
            return carryOut()
        }
        makeReady(job)
    }

    func writeLease(_ id: JobID) {
        begin()
        guard leased.contains(id), let job = jobs[id] else { return }
        job.started += 1
        job.state = .active
        job.isLeaseWritten = true
    }

    func promote() {
        begin()
        let due = jobs.values.filter { $0.state == .delayed && $0.due <= elapsed }
        for job in due.sorted(by: { ($0.due, $0.id) < ($1.due, $1.id) }) {
            makeReady(job)
            draws += 1
        }
    }

    /// The job, if its lease is still good.
    private func endLease(_ id: JobID) -> Job? {
        begin()
        guard leased.remove(id) != nil, let job = jobs[id] else { return nil }
        if !job.isLeaseWritten { job.started += 1 }
        job.isLeaseWritten = false
        return job
    }
}
