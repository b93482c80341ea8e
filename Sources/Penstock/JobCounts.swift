import PenstockWire

/// How many jobs of a flow or a queue are in each state.
public struct JobCounts: Hashable, Sendable {
    public let waiting: Int
    public let delayed: Int
    public let waitingChildren: Int
    public let active: Int
    public let completed: Int
    public let failed: Int
    public let cancelled: Int

    public var total: Int { finished + waiting + delayed + waitingChildren + active }
    /// Completed, failed and cancelled.
    public var finished: Int { completed + failed + cancelled }

    public subscript(state: JobState) -> Int {
        switch state {
        case .waiting: waiting
        case .delayed: delayed
        case .waitingChildren: waitingChildren
        case .active: active
        case .completed: completed
        case .failed: failed
        case .cancelled: cancelled
        }
    }
}

extension JobCounts {
    init(_ counts: StateCounts) {
        waiting = Int(counts[.waiting])
        delayed = Int(counts[.delayed])
        waitingChildren = Int(counts[.waitingChildren])
        active = Int(counts[.active])
        completed = Int(counts[.completed])
        failed = Int(counts[.failed])
        cancelled = Int(counts[.cancelled])
    }
}
