/// Jobs of any queues and what each of them waits for: a directed graph without cycles, added as a whole or not at all.
///
/// ```swift
/// var etl = Flow("nightly")
/// let extract = etl.add("extract", queue: "etl", data: source)
/// let clean = etl.add("clean", queue: "etl", after: extract)
/// let enrich = etl.add("enrich", queue: "etl", after: extract, onFailure: .ignore)
/// etl.add("load", queue: "warehouse", after: clean, enrich)
/// let handle = try await flows.add(etl)
/// ```
///
/// Where jobs are listed rather than built up, ids of the flow's own name them,
/// in any order:
///
/// ```swift
/// var report = Flow("report")
/// report.add("send", queue: "mail", dependsOn: ["render"])
/// report.add("render", queue: "pdf", id: "render")
/// ```
///
/// A cycle is found before anything is sent; the error names the jobs along it.
public struct Flow: Sendable {
    /// At most 255 bytes of UTF-8; need not be unique.
    public var name: String
    /// What the flow's owner wants to know of it, stored with the flow: any value that can be encoded, at most
    /// 4,096 bytes of JSON. Read it with ``FlowSummary/metadata(as:)``.
    public var metadata: any Encodable & Sendable
    /// The jobs so far, in the order in which they were added.
    public private(set) var jobs: [PlannedJob] = []
    /// True for a job that is added alone: the flow exists only on its way to the server.
    public let isJobAlone: Bool
    /// What tells its nodes from those of other flows.
    let token: UInt64

    /// - Parameter metadata: stored with the flow; none if it is left out.
    public init<Metadata: Encodable & Sendable>(_ name: String = "", metadata: Metadata = NoPayload()) {
        self.name = name
        self.metadata = metadata
        isJobAlone = false
        token = .random(in: 1 ... .max)
    }

    /// A job alone; its flow has no nodes that anybody could name.
    init(alone job: PlannedJob) {
        name = ""
        metadata = NoPayload()
        jobs = [job]
        isJobAlone = true
        token = 0
    }

    /// Jobs in the flow so far.
    public var count: Int { jobs.count }

    /// Adds a job.
    ///
    /// - Parameters:
    ///   - name: 1...255 bytes of UTF-8: what kind of job this is.
    ///   - id: an id within this flow, for `dependsOn` and to find the job in the
    ///     ``FlowHandle``. It is not stored; `options.id` is the one that is.
    ///   - data: any value that can be encoded; none if it is left out.
    ///   - options: how the job is run and kept; what they don't give, the producer's defaults do.
    ///   - after: jobs of this flow that have to complete first.
    ///   - dependsOn: ids of such jobs, which may come later in the flow.
    ///   - onFailure: what the dependents of this job do if it fails for good; wins over the options.
    @discardableResult
    public mutating func add<Data: Encodable & Sendable>(
        _ name: String,
        queue: String,
        id: String? = nil,
        data: Data = NoPayload(),
        options: JobOptions = JobOptions(),
        after dependencies: FlowNode...,
        dependsOn localIDs: [String] = [],
        onFailure: FailurePolicy? = nil
    ) -> FlowNode {
        add(
            name,
            queue: queue,
            id: id,
            data: data,
            options: options,
            after: dependencies.map { FlowDependency($0) },
            dependsOn: localIDs,
            onFailure: onFailure
        )
    }

    /// Adds a job, with a policy for each edge, or with dependencies that exist already.
    ///
    /// ```swift
    /// flow.add("publish", queue: "web", after: [.init(render, onFailure: .wait), .init(job: approval.id)])
    /// ```
    ///
    /// - Parameters:
    ///   - name: 1...255 bytes of UTF-8: what kind of job this is.
    ///   - queue: 1...128 bytes of UTF-8, without `:`.
    ///   - id: an id within this flow, for `dependsOn` and to find the job in the
    ///     ``FlowHandle``. It is not stored; `options.id` is the one that is.
    ///   - data: any value that can be encoded; none if it is left out.
    ///   - options: how the job is run and kept; what they don't give, the producer's defaults do.
    ///   - after: what has to end first, each with its own policy and condition; at most 10,000 with `dependsOn`.
    ///   - dependsOn: ids of jobs of this flow that have to complete first; they may come later in it.
    ///   - onFailure: what the dependents of this job do if it fails for good; wins over the options.
    /// - Returns: the job's node, for the `after` of others.
    @discardableResult
    public mutating func add<Data: Encodable & Sendable>(
        _ name: String,
        queue: String,
        id: String? = nil,
        data: Data = NoPayload(),
        options: JobOptions = JobOptions(),
        after dependencies: [FlowDependency],
        dependsOn localIDs: [String] = [],
        onFailure: FailurePolicy? = nil
    ) -> FlowNode {
        var options = options
        if let onFailure { options.onFailure = onFailure }
        jobs.append(
            PlannedJob(
                name: name,
                queue: queue,
                data: data,
                options: options,
                localID: id,
                dependencies: dependencies + localIDs.map { FlowDependency(id: $0) }
            )
        )
        return FlowNode(flow: token, index: jobs.count - 1)
    }

    /// Looks at every job, and changes it if it wants to: for a ``FlowInterceptor``.
    public mutating func updateJobs<Failure: Error>(
        _ body: (inout PlannedJob) throws(Failure) -> Void
    ) throws(Failure) {
        for index in jobs.indices { try body(&jobs[index]) }
    }
}

extension Flow {
    /// The index of a node, or nil where it is of another flow.
    func index(of node: FlowNode) -> Int? {
        node.flow == token && node.index < jobs.count ? node.index : nil
    }

    /// A tree as a flow: every child is a dependency of its parent. The root is the first job.
    ///
    /// - Parameters:
    ///   - name: the flow's name; that of the root job by default.
    ///   - metadata: stored with the flow; none if it is left out.
    public init<Metadata: Encodable & Sendable>(
        _ tree: FlowJob,
        name: String? = nil,
        metadata: Metadata = NoPayload()
    ) {
        self.init(name ?? tree.name, metadata: metadata)
        // Without recursion: a tree may be as deep as it is large.
        var open: [(job: FlowJob, parent: Int?)] = [(tree, nil)]
        while let (job, parent) = open.popLast() {
            let index = jobs.count
            jobs.append(PlannedJob(job))
            if let parent {
                jobs[parent].dependencies.append(
                    FlowDependency(FlowNode(flow: token, index: index), condition: job.condition)
                )
            }
            for child in job.children.reversed() { open.append((child, index)) }
        }
    }
}
