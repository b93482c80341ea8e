import PenstockWire

/// Who holds a deduplication id.
public struct DeduplicationInfo: Hashable, Sendable {
    /// The job that holds it. It may be gone: retention takes finished jobs, and an id can be held for longer.
    public let job: JobID
    /// For how long it is held still; nil: until the job has finished.
    public let endsIn: Duration?
    /// True where an add is kept, and becomes a job when this one has ended.
    public let hasKept: Bool
}

// Deduplication ids of a queue: see ``JobOptions/deduplication``.

extension Queue {
    /// Which job holds a deduplication id; nil where it is free.
    ///
    /// - Throws: ``PenstockError``; its code is `queueNotFound` where there is no such queue.
    public func deduplication(_ id: String) async throws(PenstockError) -> DeduplicationInfo? {
        try Checks.queue(name)
        try Checks.deduplication(id)
        let view = try await client.read(DeduplicationView.self, GetDeduplication(queue: name, id: id))
        guard view.job != .none else { return nil }
        return DeduplicationInfo(
            job: JobID(view.job),
            endsIn: view.endsIn == 0 ? nil : .milliseconds(view.endsIn),
            hasKept: view.hasKept
        )
    }

    /// Frees a deduplication id: the next add of it makes a job, whatever became of the one that held it.
    ///
    /// An add that was kept for the id becomes a job at once, which does not hold it.
    ///
    /// - Parameter job: free it only where this job holds it; nil, the default: whichever does.
    /// - Returns: false where the id was free already, or another job's.
    /// - Throws: ``PenstockError``; its code is `queueNotFound` where there is no such queue.
    @discardableResult
    public func removeDeduplication(_ id: String, heldBy job: JobID? = nil) async throws(PenstockError) -> Bool {
        try Checks.queue(name)
        try Checks.deduplication(id)
        let message = RemoveDeduplication(sequence: 0, queue: name, id: id, job: job?.wire ?? .none)
        return try await client.count(message) > 0
    }
}
