import PenstockWire

@testable import PenstockEngine

/// What happens when its time has come.
extension Model {
    /// Delays a job until a wall time, as the clocks stand; it is ready where that has come.
    func delay(_ job: Job, until time: UInt64) {
        guard time > wall else { return makeReady(job) }
        delay(job, by: time - wall)
        job.waitsUntil = time
    }

    func promote() {
        begin()
        for job in delayed({ $0.due <= elapsed }, by: \.due) {
            // Not before its time, if the wall clock was set back meanwhile.
            if let time = job.waitsUntil { delay(job, until: time) } else { makeReady(job) }
            draws += 1
        }
        // The clock was set forward.
        for job in delayed({ $0.waitsUntil ?? .max <= wall }, by: \.waitsUntil!) {
            makeReady(job)
            draws += 1
        }
    }

    private func delayed(_ isDue: (Job) -> Bool, by time: (Job) -> UInt64) -> [Job] {
        jobs.values.filter { $0.state == .delayed && isDue($0) }.sorted { (time($0), $0.id) < (time($1), $1.id) }
    }

    // MARK: Time to start

    func beginTimeToStart(_ job: Job) {
        guard job.options.ttl > 0, job.started == 0, job.startBy == nil else { return }
        job.startBy = elapsed + job.options.ttl
    }

    /// Fails the jobs that nobody has started in time. A restart may yet forget that a leased one was.
    func expire() {
        begin()
        let late = jobs.values.filter { $0.startBy ?? .max <= elapsed }
        for job in late.sorted(by: { ($0.startBy!, $0.id) < ($1.startBy!, $1.id) }) where job.startBy != nil {
            if leased.contains(job.id) {
                job.startBy = elapsed + Engine.startLimitGraceMilliseconds
            } else {
                takeAway(job)
                end(job, .failed, .expired)
                carryOut()
            }
        }
    }
}
