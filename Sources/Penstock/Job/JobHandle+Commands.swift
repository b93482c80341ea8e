import PenstockWire

// What anybody may do about a job.

/// What one dependency becomes by hand, whatever becomes of the job.
public enum DependencyResolution: String, Hashable, Sendable, Codable, CaseIterable {
    /// As if it had completed, with the result that the job has, or with none.
    case processed
    /// As if it had failed, and that did not matter.
    case ignored
    /// The dependent does not depend on it any more.
    case removed

    fileprivate var wire: Resolve.Resolution {
        switch self {
        case .processed: .processed
        case .ignored: .ignored
        case .removed: .removed
        }
    }
}

extension JobHandle {
    // MARK: Cancel and retry

    /// Cancels the job, if it has not finished.
    ///
    /// A job that runs is taken from its worker, and its task is cancelled. For
    /// its dependents a cancelled job counts as a failed one.
    ///
    /// - Parameter reason: for people; at most 1,024 bytes of UTF-8. The message of the failure ends with it:
    ///   "It was cancelled: reason".
    /// - Returns: how many jobs were cancelled: 1, or 0 where the job had finished.
    /// - Throws: ``PenstockError``; its code is `jobNotFound` where there is no such job any more.
    @discardableResult
    public func cancel(reason: String = "") async throws(PenstockError) -> Int {
        try await cancel(.job(id.wire), reason)
    }

    /// Cancels the job, and those below it that nothing else needs: its dependencies, theirs, and so on.
    ///
    /// - Parameter reason: for people; at most 1,024 bytes of UTF-8.
    /// - Returns: how many jobs were cancelled; 0 where the job had finished. Where very many are, the server goes on
    ///   with them after its answer, and counts those that it had reached.
    @discardableResult
    public func cancelTree(reason: String = "") async throws(PenstockError) -> Int {
        try await cancel(.tree(id.wire), reason)
    }

    private func cancel(_ target: Cancel.Target, _ reason: String) async throws(PenstockError) -> Int {
        try Checks.reason(reason)
        return try await client.count(Cancel(sequence: 0, target: target, reason: reason))
    }

    /// Runs a failed or cancelled job again, and makes dependents that failed because of it wait for it again.
    ///
    /// - Parameter keepCounters: true: attempts made and stalls stay counted; false, the default: they begin at 0.
    /// - Returns: how many jobs are run again: the job, and siblings that were cancelled with its failure.
    /// - Throws: ``PenstockError``; its code is `notRetryable` where the job has not failed and was not cancelled.
    @discardableResult
    public func retry(keepCounters: Bool = false) async throws(PenstockError) -> Int {
        try await retry(keepCounters, nil)
    }

    /// Runs a failed or cancelled job again, with other data. See ``retry(keepCounters:)``.
    ///
    /// - Parameter data: what the job's data is from now on.
    @discardableResult
    public func retry<Data: Encodable & Sendable>(
        keepCounters: Bool = false,
        data: Data
    ) async throws(PenstockError) -> Int {
        let data = try PayloadCoder.encode(data)
        try Checks.data(data.bytes)
        return try await retry(keepCounters, data)
    }

    /// Runs a job again that has finished in any way, also one that completed.
    ///
    /// A completed job can be run again only while no job that depends on it has started.
    ///
    /// - Returns: how many jobs are run again.
    /// - Throws: ``PenstockError``; its code is `dependentStarted` where it is too late for that, and
    ///   `notRetryable` where the job has not finished.
    @discardableResult
    public func rerun() async throws(PenstockError) -> Int {
        try await client.count(Retry(sequence: 0, target: .job(id.wire), reruns: true))
    }

    private func retry(_ keepCounters: Bool, _ data: RawPayload?) async throws(PenstockError) -> Int {
        try await client.count(
            Retry(sequence: 0, target: .job(id.wire), keepsCounters: keepCounters, data: data?.wire)
        )
    }

    /// Makes a delayed job ready now, whatever time it would wait for. It takes its turn by its priority and its place.
    ///
    /// - Throws: ``PenstockError``; its code is `wrongState` where the job is not delayed.
    public func promote() async throws(PenstockError) {
        _ = try await client.count(Promote(sequence: 0, target: .job(id.wire)))
    }

    // MARK: By hand

    /// Completes the job by hand, without a result. See ``complete(_:)``.
    public func complete() async throws(PenstockError) { try await complete(NoPayload()) }

    /// Completes the job by hand, as if a worker had: its dependents go on.
    ///
    /// A job that runs is taken from its worker.
    ///
    /// - Parameter result: encoded, at most 1 MiB.
    /// - Throws: ``PenstockError``; its code is `alreadyFinished` where the job has finished.
    public func complete<Result: Encodable & Sendable>(_ result: Result) async throws(PenstockError) {
        let payload = try PayloadCoder.encode(result)
        try Checks.result(payload.bytes)
        try await client.carryOut(Finish(sequence: 0, job: id.wire, ending: .complete(payload.wire)))
    }

    /// Fails the job by hand, for good: its dependents do what their policies say.
    ///
    /// A job that runs is taken from its worker.
    ///
    /// - Parameters:
    ///   - message: why; at most 4,096 bytes of UTF-8.
    ///   - details: whatever belongs to it, in a form of your own; at most 16 KiB.
    /// - Throws: ``PenstockError``; its code is `alreadyFinished` where the job has finished.
    public func fail(_ message: String, details: [UInt8] = []) async throws(PenstockError) {
        guard message.utf8.count <= Limits.failureMessageBytesMax, details.count <= Limits.failureDetailsBytesMax
        else {
            throw PenstockError(
                .failureTooLarge,
                "A failure of \(message.utf8.count) and \(details.count) bytes; "
                    + "\(Limits.failureMessageBytesMax) and \(Limits.failureDetailsBytesMax) are allowed."
            )
        }
        let ending = Finish.Ending.fail(message: message, details: details)
        try await client.carryOut(Finish(sequence: 0, job: id.wire, ending: ending))
    }

    /// Decides by hand what one dependency of this job is for it, whatever becomes of that job.
    ///
    /// It is the way on for a job that waits for a failed one under the policy
    /// ``FailurePolicy/wait``, where a retry makes no sense.
    ///
    /// - Throws: ``PenstockError``; its code is `edgeNotFound` where this job does not depend on `dependency`.
    public func resolve(_ dependency: JobID, as resolution: DependencyResolution) async throws(PenstockError) {
        try await client.carryOut(
            Resolve(sequence: 0, dependent: id.wire, dependency: dependency.wire, to: resolution.wire)
        )
    }

    // MARK: Removal

    /// Removes the job.
    ///
    /// Dependents lose their dependence on it where it had not finished; the last
    /// one releases them. A result that dependents need stays for them.
    ///
    /// - Parameter children: true, the default: the dependencies that nothing else needs go too, and so on downwards.
    /// - Returns: how many jobs were removed.
    /// - Throws: ``PenstockError``; its code is `jobLeased` where one of them runs: then nothing is removed.
    @discardableResult
    public func remove(children: Bool = true) async throws(PenstockError) -> Int {
        try await client.count(Remove(sequence: 0, target: .job(id.wire, keepsDependencies: !children)))
    }

    /// Removes those dependencies of the job that have not finished and do not run; the job goes on without them.
    ///
    /// - Returns: how many jobs were removed.
    @discardableResult
    public func removeUnprocessedChildren() async throws(PenstockError) -> Int {
        try await client.count(Remove(sequence: 0, target: .unprocessedDependencies(of: id.wire)))
    }
}
