import PenstockWire

@testable import PenstockEngine

/// What is told of the work on a job: its attempts, its progress and its log.
extension Model {
    struct Attempt: Equatable {
        var number: Int
        var ending: AttemptEnding
        var finishedAt: UInt64
    }

    struct Log {
        var lines: [(number: Int, text: String, time: UInt64)] = []
        var count = 0

        mutating func append(_ text: String, at time: UInt64) {
            count += 1
            lines.append((count, text, time))
        }
    }

    /// Keeps an attempt that has just ended.
    func keep(_ job: Job, _ ending: AttemptEnding) {
        job.attempts.append(Attempt(number: job.started, ending: ending, finishedAt: wall))
    }

    /// With the one that runs, or that completed the job.
    func allAttempts(of job: Job) -> [Attempt] {
        if leased.contains(job.id) {
            let number = job.started + (job.isLeaseWritten ? 0 : 1)
            return job.attempts + [Attempt(number: number, ending: .running, finishedAt: 0)]
        }
        guard job.state == .completed, job.started > job.attempts.last?.number ?? 0 else { return job.attempts }
        return job.attempts + [Attempt(number: job.started, ending: .completed, finishedAt: job.finishedAt)]
    }

    func report(_ id: JobID, progress: Payload?, data: [UInt8]?, lines: [String]) -> Answer {
        begin()
        guard let job = held(id) else { return .refused([.fenced]) }
        if let progress { job.progress = progress }
        if let data { job.data = data }
        for line in lines { job.log.append(line, at: wall) }
        job.log.lines = job.log.lines.suffix(Int(job.options.keepLogs))
        return .done
    }

    func clearLogs(_ id: JobID, keep: UInt32) -> Answer {
        begin()
        guard let job = jobs[id] else { return .refused([.jobNotFound]) }
        job.log.lines = job.log.lines.suffix(Int(keep))
        return .done
    }
}
