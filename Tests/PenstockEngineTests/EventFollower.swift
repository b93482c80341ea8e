import PenstockWire

@testable import PenstockEngine

/// Somebody who listens to everything from the begin, and knows by that alone where every job is.
final class EventFollower {
    /// What was told last of each job that was not removed.
    private var last: [JobID: EventKind] = [:]
    private var problems: [String] = []
    /// Jobs that were there at a restart in the midst of a large add: which of them had been told of is not known to the
    /// engine any more.
    private var uncertain: Set<JobID> = []

    func forget(_ jobs: Set<JobID>) { uncertain.formUnion(jobs) }

    func take(_ events: [Event]) {
        for event in events where event.head.job != .none {
            let (job, kind) = (event.head.job, event.head.kind)
            if (last[job] == nil) != (kind == .added) && !uncertain.contains(job) {
                problems.append("job \(job) is told to be \(kind) out of turn")
            }
            switch kind {
            case .added, .waiting, .delayed, .waitingChildren, .completed, .failed, .cancelled, .retried:
                last[job] = kind
            case .removed: last[job] = nil
            default: break
            }
        }
    }

    /// What was told, against what is stored.
    func problems(_ dump: Dump, _ engine: borrowing Engine) -> [String] {
        var problems = problems
        var told = last
        for (job, record) in dump.jobs where !record.marks.contains(.isRemoved) && !engine.isStaged(job) {
            let kind = told.removeValue(forKey: job)
            // The jobs of a large add are told slice by slice.
            if kind == nil && engine.isSettling || uncertain.contains(job) { continue }
            if !fits(kind, record.state) {
                problems.append(
                    "job \(job) is \(record.state), and was told to be \(kind.map { "\($0)" } ?? "nothing")"
                )
            }
        }
        for (job, kind) in told where !uncertain.contains(job) {
            problems.append("job \(job) is gone, and was told to be \(kind) last")
        }
        return problems
    }

    private func fits(_ kind: EventKind?, _ state: JobState) -> Bool {
        switch state {
        // A lease that is written was told of when it was granted, if at all.
        case .waiting, .active: kind == .waiting
        case .delayed: kind == .delayed
        // A job that is retried with many others waits for them for a while.
        case .waitingChildren: kind == .waitingChildren || kind == .retried
        case .completed: kind == .completed
        case .failed: kind == .failed
        case .cancelled: kind == .cancelled
        }
    }
}
