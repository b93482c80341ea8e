import PenstockWire

// What anybody may do about a flow.

extension FlowHandle {
    /// Cancels all jobs of the flow that have not finished, as one: no job of the flow reacts to the end of another.
    ///
    /// A job that runs is taken from its worker, and its task is cancelled. For
    /// jobs of other flows that depend on this one, a cancelled job counts as a failed one.
    ///
    /// - Parameter reason: for people; at most 1,024 bytes of UTF-8. The message of each failure ends with it:
    ///   "Its flow was cancelled: reason".
    /// - Returns: how many jobs were cancelled; 0 for a flow that had finished. Of a very large flow the server goes on
    ///   after its answer, and counts those that it had reached: the flow is *settling* until then.
    /// - Throws: ``PenstockError``; its code is `flowNotFound` where there is no such flow.
    @discardableResult
    public func cancel(reason: String = "") async throws(PenstockError) -> Int {
        try Checks.reason(reason)
        let flow = try await number().wire
        return try await client.count(Cancel(sequence: 0, target: .flow(flow), reason: reason))
    }

    /// Runs all failed and cancelled jobs of the flow again, and what failed only because of them.
    ///
    /// Jobs that had completed are not run again, and their results stay.
    ///
    /// - Parameter keepCounters: true: attempts made and stalls stay counted; false, the default: they begin at 0.
    /// - Returns: how many jobs are run again; of a very large flow, as for ``cancel(reason:)``.
    @discardableResult
    public func retry(keepCounters: Bool = false) async throws(PenstockError) -> Int {
        let flow = try await number().wire
        return try await client.count(Retry(sequence: 0, target: .flow(flow), keepsCounters: keepCounters))
    }

    /// Removes the flow with all of its jobs. What they depend on outside of the flow stays.
    ///
    /// Jobs outside of the flow that depend on one of them lose that dependence where it had not finished.
    ///
    /// - Returns: how many jobs were removed.
    /// - Throws: ``PenstockError``; its code is `jobLeased` where a job of it runs: then nothing is removed.
    @discardableResult
    public func remove() async throws(PenstockError) -> Int {
        let flow = try await number().wire
        return try await client.count(Remove(sequence: 0, target: .flow(flow)))
    }
}
