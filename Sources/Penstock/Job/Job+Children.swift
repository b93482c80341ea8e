import PenstockWire

// What a handler can do about the job that it runs.

extension Job {
    // MARK: Children

    /// Adds jobs that this one then depends on: all of them, or none.
    ///
    /// They begin at once, beside this handler. To go on with their results, wait for them:
    ///
    /// ```swift
    /// Worker(client, queue: "reports") { (job: Job<Month>) in
    ///     try await job.addChildren(
    ///         job.data.days.map { FlowJob("day", queue: "days", data: $0, key: "\($0)") }
    ///     )
    ///     try await job.waitForChildren()
    ///     return try await job.childrenValues(as: Int.self).values.reduce(0, +)
    /// }
    /// ```
    ///
    /// A job that has waited runs again from the start, and so does one that is
    /// retried. A child with a *key* is then not added twice: the add of a key that
    /// exists under this job returns the stored child. Below a child with a key,
    /// jobs without one have the key of the child and their place in it, at most 255
    /// bytes together.
    ///
    /// A child without children of its own belongs to the flow of this job; any
    /// other is a flow of its own.
    ///
    /// No producer is part of this: its defaults, options and interceptors do not apply.
    ///
    /// - Parameter children: their `options.onFailure` and `condition` say when this job runs on, as in any tree.
    /// - Returns: the children in their order, without what is below them.
    /// - Throws: ``PenstockError``; with `cycle` where a child would wait for this job, and with `fenced` where the job's
    ///   lease has been lost: nothing is added then.
    @discardableResult
    public func addChildren(_ children: [FlowJob]) async throws(PenstockError) -> [JobHandle] {
        if children.isEmpty { return [] }
        var plan = AddPlan()
        for child in children {
            let flow = child.children.isEmpty ? Flow(alone: PlannedJob(child)) : try Flow(child).keyed(child.key)
            try plan.add(flow, child: ChildFields(condition: child.condition.wire))
        }
        return try plan.added(try await lease.add(plan, client), client).map { $0.jobs[0] }
    }

    /// Adds jobs that this one then depends on. See ``addChildren(_:)``.
    @discardableResult
    public func addChildren(
        @FlowJobBuilder _ children: () throws -> [FlowJob]
    ) async throws -> [JobHandle] {
        try await addChildren(try children())
    }

    /// Adds a job that this one then depends on. See ``addChildren(_:)-([FlowJob])``.
    ///
    /// - Parameters:
    ///   - data: any value that can be encoded; none if it is left out.
    ///   - condition: after which end of the child this job runs on.
    ///   - key: a name for the child under this job, 1...255 bytes of UTF-8: it is not added twice.
    @discardableResult
    public func addChild<ChildData: Encodable & Sendable>(
        _ name: String,
        queue: String,
        data: ChildData = NoPayload(),
        options: JobOptions = JobOptions(),
        condition: EdgeCondition = .success,
        key: String? = nil
    ) async throws(PenstockError) -> JobHandle {
        let child = FlowJob(name, queue: queue, data: data, options: options, condition: condition, key: key)
        return try await addChildren([child])[0]
    }

    /// Adds a flow whose last jobs, those that no other one of it depends on, this job then depends on.
    ///
    /// It is a flow of its own, not a part of that of this job.
    ///
    /// No producer is part of this: its defaults, options and interceptors do not apply.
    ///
    /// - Parameters:
    ///   - key: a name for the flow under this job: its jobs are not added twice. A job in it has the key and its place,
    ///     "key/12" say, which together are at most 255 bytes.
    ///   - onFailure: what this job does if one of those jobs fails for good; nil leaves it to their own options.
    ///   - condition: after which end of those jobs this one runs on.
    /// - Throws: ``PenstockError``, as ``addChildren(_:)-([FlowJob])`` does.
    @discardableResult
    public func addFlow(
        _ flow: Flow,
        key: String? = nil,
        onFailure: FailurePolicy? = nil,
        condition: EdgeCondition = .success
    ) async throws(PenstockError) -> FlowHandle {
        var plan = AddPlan()
        try plan.add(try flow.keyed(key), child: ChildFields(policy: onFailure?.wire, condition: condition.wire))
        return try plan.handles(try await lease.add(plan, client), client)[0]
    }

    // MARK: Waiting for them

    /// Waits for the children that this job has been given: it runs again from the start when they are done.
    ///
    /// Returns only where none of them is pending; then their values can be read.
    /// Else this run of the job is over: let the error pass. No attempt is counted.
    ///
    /// - Throws: ``JobMoved`` where the job waits now, and ``PenstockError``; its code is `fenced` where the job's lease
    ///   has been lost: it was not moved then.
    public func waitForChildren() async throws {
        if try await moveToWaitingChildren() { throw JobMoved() }
    }

    /// Moves the job to waiting-children, if something that it depends on is pending: it runs again from the start
    /// when that is done.
    ///
    /// - Returns: true where it was moved: this run is over, and what the handler ends with is dropped. False where
    ///   nothing is pending: the handler goes on.
    /// - Throws: ``PenstockError``; its code is `fenced` where the job's lease has been lost: it was not moved then.
    public func moveToWaitingChildren() async throws(PenstockError) -> Bool {
        try await lease.move(to: .waitingChildren, data: nil, client)
    }

    // MARK: What follows

    /// Completes the job and adds flows, both in one transaction: what follows a job can't get lost between the two.
    ///
    /// ```swift
    /// let path = try await render(job.data)
    /// try await job.complete(path, adding: [publish(path)])
    /// return path
    /// ```
    ///
    /// The job has ended with that. What the handler returns or throws after it is dropped.
    ///
    /// No producer is part of this: its defaults, options and interceptors do not apply.
    ///
    /// - Parameters:
    ///   - result: the job's result, encoded, at most 1 MiB.
    ///   - flows: at least one; nothing of them depends on this job unless it says so.
    /// - Throws: ``PenstockError``; its code is `unresolvedDependencies` where children of the job are pending: the
    ///   attempt has failed then. With `fenced` the job's lease has been lost, and neither was done.
    @discardableResult
    public func complete<Result: Encodable & Sendable>(
        _ result: Result,
        adding flows: [Flow]
    ) async throws(PenstockError) -> [FlowHandle] {
        let payload = try PayloadCoder.encode(result)
        try Checks.result(payload.bytes)
        var plan = AddPlan()
        for flow in flows { try plan.add(flow) }
        return try plan.handles(try await lease.complete(payload, adding: plan, client), client)
    }

    /// Completes the job and adds trees, both in one transaction. See ``complete(_:adding:)-(_,[Flow])``.
    @discardableResult
    public func complete<Result: Encodable & Sendable>(
        _ result: Result,
        adding trees: [FlowJob]
    ) async throws(PenstockError) -> [FlowHandle] {
        try await complete(result, adding: trees.map { Flow($0) })
    }
}

extension Job where Data: Encodable {
    /// As ``waitForChildren()``, with other data for the run that follows.
    ///
    /// ```swift
    /// var report = job.data
    /// if report.step == .split {
    ///     try await job.addChildren(parts(of: report))
    ///     report.step = .join
    ///     try await job.waitForChildren(updating: report)
    /// }
    /// return try await join(job.childrenValues(as: Part.self))
    /// ```
    ///
    /// - Parameter data: what the job's data is from now on, also where nothing is pending.
    public func waitForChildren(updating data: Data) async throws {
        if try await moveToWaitingChildren(updating: data) { throw JobMoved() }
    }

    /// As ``moveToWaitingChildren()``, with other data for the run that follows.
    ///
    /// - Parameter data: what the job's data is from now on, also where nothing is pending.
    public func moveToWaitingChildren(updating data: Data) async throws(PenstockError) -> Bool {
        try await lease.move(to: .waitingChildren, data: try PayloadCoder.encode(data), client)
    }
}

extension Flow {
    /// The flow with a key for each job that has none: the given one, and the job's place.
    fileprivate func keyed(_ key: String?) throws(PenstockError) -> Flow {
        guard let key else { return self }
        guard !key.isEmpty else { throw PenstockError(.invalidOption, "A key is empty; it has 1 to 255 bytes.") }
        var flow = self
        var place = 0
        try flow.updateJobs { (job) throws(PenstockError) in
            let derived = "\(key)/\(place)"
            place += 1
            if job.key != nil { return }
            guard derived.utf8.count <= Limits.childKeyBytesMax else {
                throw PenstockError(
                    .invalidOption,
                    "A key of \(key.utf8.count) bytes is too long for the jobs below it: theirs are that key and their place, \(derived.utf8.count) bytes; \(Limits.childKeyBytesMax) are allowed."
                )
            }
            job.key = derived
        }
        return flow
    }
}
