import PenstockWire

/// How many jobs of a flow or a queue are in each state.
public struct JobCounts: Hashable, Sendable {
    /// Ready to be taken by a worker.
    public let waiting: Int
    /// With a time at which they become waiting.
    public let delayed: Int
    /// With a dependency that has not finished.
    public let waitingChildren: Int
    /// Held by workers.
    public let active: Int
    /// Ended with a result, or without one.
    public let completed: Int
    /// Failed for good.
    public let failed: Int
    /// Cancelled, those of a flow that were not needed among them: see ``EdgeCondition/failure``.
    public let cancelled: Int

    /// All of them.
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
