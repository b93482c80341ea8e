import PenstockWire

/// Flows and jobs on their way into one add: checked, sorted and encoded.
///
/// The jobs of an item stand on the wire in the order of ``FlowOrder``; `places`
/// says for each job, in the order of its flow, where it stands.
struct AddPlan {
    /// One flow of the plan, or one job alone.
    struct Entry {
        var flow: Flow
        var places: [Int]
    }

    private(set) var items: [AddItem] = []
    private(set) var entries: [Entry] = []
    private(set) var queues: [String] = []
    private(set) var jobCount = 0
    private(set) var dataBytes = 0
    private let defaults: OptionDefaults
    private var queueIndices: [String: UInt16] = [:]
    private var customIDs: Set<String> = []
    private var keys: Set<String> = []

    init(defaults: OptionDefaults = .none) { self.defaults = defaults }

    /// - Parameter child: the edges from the flow's last jobs to the job that a worker holds; nil where there are none.
    mutating func add(_ flow: Flow, child: ChildFields? = nil) throws(PenstockError) {
        guard !flow.jobs.isEmpty else {
            throw PenstockError(.emptyAdd, "The flow \(Names.quoted(flow.name)) holds no job; it must hold one.")
        }
        guard !flow.isJobAlone || flow.count == 1 else {
            throw PenstockError(
                .invalidRequest,
                "A job alone has become \(flow.count) jobs; only a flow can hold them."
            )
        }
        try Checks.name(flow.name, "flow name")
        try count(flow.count)
        // A job alone waits for nothing; many of them in one add are not sorted one by one.
        let edges = flow.isJobAlone ? [[]] : try AddPlan.edges(of: flow)
        let order = flow.isJobAlone ? [0] : try AddPlan.order(of: flow, edges)
        try check(deduplicationsOf: flow, edges)
        var places = [Int](repeating: 0, count: order.count)
        for (place, job) in order.enumerated() { places[job] = place }
        let first = jobCount - order.count
        var item = AddItem(
            kind: flow.isJobAlone ? .job : .flow,
            name: flow.name,
            child: child,
            metadata: try metadata(of: flow),
            nodes: []
        )
        item.nodes.reserveCapacity(order.count)
        for job in order {
            let dependencies = edges[job].map { $0.fields { UInt64(first + places[$0]) } }
            item.nodes.append(try encoded(flow.jobs[job], dependencies, isChild: child != nil))
        }
        items.append(item)
        entries.append(Entry(flow: flow, places: places))
    }

    private mutating func count(_ jobs: Int) throws(PenstockError) {
        jobCount += jobs
        guard jobCount <= Limits.stagedJobsMax, entries.count < Limits.itemsPerAddMax else {
            throw PenstockError(
                .tooManyJobs,
                "More than \(Limits.stagedJobsMax) jobs or \(Limits.itemsPerAddMax) flows in one add, which is the most. Split it into several adds."
            )
        }
    }

    private func metadata(of flow: Flow) throws(PenstockError) -> Payload? {
        let payload = try PayloadCoder.encode(flow.metadata)
        guard payload != .none else { return nil }
        guard !flow.isJobAlone else {
            throw PenstockError(.invalidOption, "A job alone has no metadata; a flow can have some.")
        }
        guard payload.bytes.count <= Limits.metadataBytesMax else {
            throw PenstockError(
                .invalidOption,
                "Metadata of \(payload.bytes.count) bytes; at most \(Limits.metadataBytesMax) are allowed."
            )
        }
        return payload.wire
    }

    // MARK: Jobs

    private mutating func encoded(
        _ job: PlannedJob,
        _ dependencies: [DependencyFields],
        isChild: Bool
    ) throws(PenstockError) -> AddNode {
        do throws(PenstockError) {
            try Checks.job(job.name)
            let data = try PayloadCoder.encode(job.data)
            try Checks.data(data.bytes)
            dataBytes += data.bytes.count
            guard dataBytes <= Limits.stagedBytesMax else {
                throw PenstockError(
                    .addTooLarge,
                    "The add holds more than \(Limits.stagedBytesMax) bytes of data. Split it into several adds."
                )
            }
            if let id = job.options.id {
                try Checks.customID(id)
                guard customIDs.insert("\(job.queue):\(id)").inserted else {
                    throw PenstockError(
                        .duplicateCustomID,
                        "The custom id \(Names.quoted(id)) is given twice in one add."
                    )
                }
            }
            if let key = job.key { try check(key: key, isChild: isChild) }
            let options = defaults.fill(job.options, queue: job.queue)
            if let group = options.group { try Checks.group(group) }
            return AddNode(
                queue: try queueIndex(job.queue),
                name: job.name,
                contentType: ContentType(rawValue: data.kind.rawValue),
                data: data.bytes,
                dependencies: dependencies,
                customID: job.options.id,
                childKey: job.key,
                headers: try options.wireHeaders(),
                deduplication: try options.deduplication?.wire(),
                group: options.group,
                options: try options.wire(),
                explicit: options.explicit
            )
        } catch {
            throw PenstockError(error.code, "Job \(Names.quoted(job.name)): \(error.message)")
        }
    }

    private mutating func check(key: String, isChild: Bool) throws(PenstockError) {
        guard isChild else {
            throw PenstockError(.invalidOption, "A key is for the children that a handler adds to its own job.")
        }
        guard !key.isEmpty, key.utf8.count <= Limits.childKeyBytesMax else {
            throw PenstockError(
                .invalidOption,
                "A key of \(key.utf8.count) bytes; 1 to \(Limits.childKeyBytesMax) are allowed."
            )
        }
        guard keys.insert(key).inserted else {
            throw PenstockError(.duplicateCustomID, "The key \(Names.quoted(key)) is given twice in one add.")
        }
    }

    private mutating func queueIndex(_ queue: String) throws(PenstockError) -> UInt16 {
        if let index = queueIndices[queue] { return index }
        try Checks.queue(queue)
        guard queues.count < Limits.queuesPerMessageMax else {
            throw PenstockError(
                .invalidRequest,
                "More than \(Limits.queuesPerMessageMax) queues in one add, which is the most."
            )
        }
        let index = UInt16(queues.count)
        queues.append(queue)
        queueIndices[queue] = index
        return index
    }
}
