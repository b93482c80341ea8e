import PenstockWire

// What anybody may do about all jobs of a queue. Removals act on this queue only: they follow no dependencies.

extension Queue {
    /// Runs all failed and cancelled jobs of the queue again, and what failed only because of them.
    ///
    /// - Parameter keepCounters: true: attempts made and stalls stay counted; false, the default: they begin at 0.
    /// - Returns: how many jobs are run again; where they are very many, those that the server reached at once.
    /// - Throws: ``PenstockError``; its code is `queueNotFound` where there is no such queue.
    @discardableResult
    public func retryAll(keepCounters: Bool = false) async throws(PenstockError) -> Int {
        try Checks.queue(name)
        return try await client.count(Retry(sequence: 0, target: .queue(name), keepsCounters: keepCounters))
    }

    /// Makes all delayed jobs of the queue ready now, those first that would be due first.
    ///
    /// - Returns: how many jobs are ready now; of very many, the server goes on with the rest after its answer.
    /// - Throws: ``PenstockError``; its code is `queueNotFound` where there is no such queue.
    @discardableResult
    public func promoteAll() async throws(PenstockError) -> Int {
        try Checks.queue(name)
        return try await client.count(Promote(sequence: 0, target: .queue(name)))
    }

    /// Removes the jobs that wait in the queue.
    ///
    /// For the jobs that depend on them they count as cancelled.
    ///
    /// - Parameter delayed: true: those that wait for their time too. False by default.
    /// - Returns: how many jobs were removed at once; of very many, the server removes the rest after its answer.
    /// - Throws: ``PenstockError``; its code is `queueNotFound` where there is no such queue.
    @discardableResult
    public func drain(delayed: Bool = false) async throws(PenstockError) -> Int {
        try await clean(.drain(delayedToo: delayed))
    }

    /// Removes the jobs that are in a state and have been there, or in the queue, for long enough.
    ///
    /// With a limit those go first that finished first; of unfinished jobs those that would run first, that are due
    /// first, or, of those that wait for children, that were added first; in a queue with groups, waiting jobs go group
    /// by group.
    ///
    /// - Parameters:
    ///   - state: any but active.
    ///   - age: at least so long ago a finished job finished, and an unfinished one was added; zero, the default, is
    ///     any time. At most ten years.
    ///   - limit: how many at most, 1...4,294,967,295; nil, the default: all of them.
    /// - Returns: how many jobs were removed at once; of very many, the server removes the rest after its answer.
    /// - Throws: ``PenstockError``; its code is `invalidOption` where the state, the age or the limit can't be, and
    ///   `queueNotFound` where there is no such queue.
    @discardableResult
    public func clean(
        _ state: JobState,
        olderThan age: Duration = .zero,
        limit: Int? = nil
    ) async throws(PenstockError) -> Int {
        guard state != .active else {
            throw PenstockError(.invalidOption, "Active jobs can't be cleaned; those of any other state can.")
        }
        guard let bound = UInt32(exactly: limit ?? 0), limit != 0 else {
            throw PenstockError(.invalidOption, "A limit of \(limit ?? 0) jobs; 1 to \(UInt32.max) are allowed.")
        }
        return try await clean(.clean(state.wire, age: try age.wireMilliseconds("age of jobs"), limit: bound))
    }

    /// Removes all jobs of the queue, and all that was set of it. The queue stays known, and is empty.
    ///
    /// - Parameter force: true: jobs that run too; they are taken from their workers. False, the default: where a job
    ///   runs, nothing is removed.
    /// - Returns: how many jobs were removed at once; of very many, the server removes the rest after its answer.
    /// - Throws: ``PenstockError``; its code is `jobLeased` where a job runs and `force` is not given.
    @discardableResult
    public func obliterate(force: Bool = false) async throws(PenstockError) -> Int {
        try await clean(.obliterate(force: force))
    }

    private func clean(_ kind: Clean.Kind) async throws(PenstockError) -> Int {
        try Checks.queue(name)
        return try await client.count(Clean(sequence: 0, queue: name, kind: kind))
    }
}
