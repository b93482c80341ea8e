/// One node of an add, as places in the message: nothing is copied.
package struct NodeFields: Sendable {
    /// Index into the message's queues.
    package var queue: UInt16
    package var name: ByteRange
    package var contentType: ContentType
    package var data: ByteRange
    package var dependencyCount: Int
    /// ``DependencyFields`` of ``DependencyFields/byteCount`` bytes each.
    package var dependencies: ByteRange
    /// Empty where none was given: a custom id has at least one byte.
    package var customID: ByteRange
    package var options: NodeOptions
}

/// One dependency of a node.
///
///     u8 kind (0 node, 1 job) | u8 policy (255: the dependency's own) | u8 0 (condition: success) | u8 0 | u64 target
package struct DependencyFields: Equatable, Sendable {
    package static let byteCount = 12

    package enum Target: Equatable, Sendable {
        /// A node before this one in the message, counted from 0 over all items.
        case node(UInt64)
        /// A job that exists.
        case job(JobID)
    }

    package var target: Target
    /// The edge's own policy, which wins over the dependency's.
    package var policy: FailurePolicy?

    package init(_ target: Target, policy: FailurePolicy? = nil) {
        self.target = target
        self.policy = policy
    }

    package func encode(into writer: inout WireWriter) {
        switch target {
        case .node: writer.u8(0)
        case .job: writer.u8(1)
        }
        writer.u8(policy?.rawValue ?? 255)
        writer.u8(0)
        writer.u8(0)
        switch target {
        case .node(let index): writer.u64(index)
        case .job(let id): writer.jobID(id)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let kind = try reader.u8()
        let policy = try reader.u8()
        let condition = try reader.u8()
        _ = try reader.u8()
        let raw = try reader.u64()
        switch kind {
        case 0: target = .node(raw)
        case 1: target = .job(JobID(raw))
        default: throw WireError(.invalidOption, "\(kind) is no kind of dependency; 0 (node) and 1 (job) are.")
        }
        if policy == 255 {
            self.policy = nil
        } else if let known = FailurePolicy(rawValue: policy) {
            self.policy = known
        } else {
            throw WireError(.invalidOption, "\(policy) is no failure policy; 0 to 4, or 255 for none, are.")
        }
        guard condition == 0 else {
            throw WireError(.invalidOption, "\(condition) is no condition of an edge in this version; 0 (success) is.")
        }
    }
}

/// Reads an ADD body from front to back: the queues, then the items, each with its nodes.
///
///     u64 sequence | u16 queues | queues x str8
///     u16 items | items x ( u8 kind (0 job, 1 flow) | str8 name | u8 options | options x tagged
///                          | u32 nodes | nodes x Node )
///     Node: u16 queue | str8 name | u8 contentType | bytes32 data
///           | u32 dependencies | dependencies x 12 bytes
///           | u8 options | options x ( u16 tag | u16 length | bytes )
package struct AddDecoder: ~Escapable {
    private var reader: WireReader
    package let sequence: UInt64
    package let queueCount: Int
    private var queuesLeft: Int
    private var jobsLeft = Limits.jobsPerAddMax

    /// Bytes that the smallest node takes.
    package static let nodeByteCountMin = 13

    @_lifetime(copy body)
    package init(_ body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        sequence = try reader.u64()
        queueCount = try reader.count16(bytesEach: 1)
        queuesLeft = queueCount
        guard queueCount <= Limits.queuesPerMessageMax else {
            throw WireError(
                .invalidRequest,
                "\(queueCount) queues in one add; \(Limits.queuesPerMessageMax) are allowed."
            )
        }
        self.reader = reader
    }

    package var bytes: RawSpan {
        @_lifetime(copy self)
        get { reader.bytes }
    }

    /// Call ``queueCount`` times, first.
    package mutating func nextQueue() throws(WireError) -> ByteRange {
        precondition(queuesLeft > 0)
        queuesLeft -= 1
        return try reader.range8()
    }

    /// Call once, after the queues.
    package mutating func itemCount() throws(WireError) -> Int {
        precondition(queuesLeft == 0)
        let count = try reader.count16(bytesEach: 7)
        guard count > 0 else { throw WireError(.emptyAdd, "The add holds no job; it must hold at least one.") }
        guard count <= Limits.itemsPerAddMax else {
            throw WireError(.tooManyJobs, "\(count) flows in one add; \(Limits.itemsPerAddMax) are allowed.")
        }
        return count
    }

    /// The next item: whether it is a flow, its name, and how many nodes follow.
    package mutating func nextItem() throws(WireError) -> (isFlow: Bool, name: ByteRange, nodes: Int) {
        let kind = try reader.u8()
        guard kind <= 1 else {
            throw WireError(.invalidOption, "\(kind) is no kind of item; 0 (job) and 1 (flow) are.")
        }
        let name = try reader.range8()
        try Names.checkFlow(reader.bytes.extracting(name))
        try reader.skipOptions()
        let nodes = try reader.count32(bytesEach: AddDecoder.nodeByteCountMin)
        guard nodes > 0 else { throw WireError(.emptyAdd, "A flow holds no job; it must hold at least one.") }
        guard nodes <= jobsLeft else {
            throw WireError(
                .tooManyJobs,
                "\(Limits.jobsPerAddMax - jobsLeft + nodes) jobs or more in one add; \(Limits.jobsPerAddMax) are allowed."
            )
        }
        jobsLeft -= nodes
        guard kind == 1 || nodes == 1 else {
            throw WireError(.invalidRequest, "An item of kind job has \(nodes) nodes; it must have one.")
        }
        return (kind == 1, name, nodes)
    }

    package mutating func nextNode() throws(WireError) -> NodeFields {
        let queue = try reader.u16()
        guard Int(queue) < queueCount else {
            throw WireError(.malformed, "A node names queue \(queue) of \(queueCount) in the message.")
        }
        let name = try reader.range8()
        try Names.checkJob(reader.bytes.extracting(name))
        let contentType = ContentType(rawValue: try reader.u8())
        let data = try reader.range32()
        guard Int(data.count) <= Limits.payloadBytesMax else {
            throw WireError(
                .payloadTooLarge,
                "Data of \(data.count) bytes; at most \(Limits.payloadBytesMax) are allowed."
            )
        }
        let dependencyCount = try reader.count32(bytesEach: DependencyFields.byteCount)
        guard dependencyCount <= Limits.dependenciesPerNodeMax else {
            throw WireError(
                .tooManyDependencies,
                "\(dependencyCount) dependencies of one node; \(Limits.dependenciesPerNodeMax) are allowed in one add."
            )
        }
        let dependencies = try reader.range(dependencyCount * DependencyFields.byteCount)
        var customID = ByteRange.empty
        var options = NodeOptions.default
        let optionCount = Int(try reader.u8())
        var seen: UInt32 = 0
        for _ in 0..<optionCount {
            let tag = try reader.u16()
            let value = try reader.range16()
            let number = tag & ~OptionTag.mustUnderstand
            if number <= OptionTag.last {
                guard seen & 1 << UInt32(number) == 0 else {
                    throw WireError(.invalidOption, "Option \(number) stands twice in one node.")
                }
                seen |= 1 << UInt32(number)
            }
            try read(tag, value, &options, &customID)
        }
        if optionCount > 0 { try options.validate() }
        return NodeFields(
            queue: queue,
            name: name,
            contentType: contentType,
            data: data,
            dependencyCount: dependencyCount,
            dependencies: dependencies,
            customID: customID,
            options: options
        )
    }

    private func read(
        _ tag: UInt16,
        _ value: ByteRange,
        _ options: inout NodeOptions,
        _ customID: inout ByteRange
    ) throws(WireError) {
        var reader = WireReader(reader.bytes.extracting(value))
        switch tag & ~OptionTag.mustUnderstand {
        case OptionTag.priority: options.priority = try reader.u32()
        case OptionTag.delay: options.delay = try reader.u64()
        case OptionTag.attempts: options.attempts = try reader.u16()
        case OptionTag.backoff:
            options.backoff.kind = try reader.value(BackoffKind.self, "kind of backoff (0 fixed, 1 exponential)")
            options.backoff.delay = try reader.u64()
            options.backoff.maximum = try reader.u64()
            options.backoff.jitter = try reader.u16()
        case OptionTag.lifo: options.lifo = true
        case OptionTag.customID:
            try Names.checkCustomID(reader.bytes)
            customID = value
            return
        case OptionTag.rejectExisting: options.rejectExisting = true
        case OptionTag.onFailure:
            options.onFailure = try reader.value(FailurePolicy.self, "failure policy; 0 to 4 are")
        case OptionTag.maxStalledCount: options.maxStalledCount = try reader.u16()
        default:
            if tag & OptionTag.mustUnderstand != 0 { throw .unknownOption(tag) }
            return
        }
        try reader.end("an option")
    }

    /// Call last: nothing may follow the last node.
    package func end() throws(WireError) { try reader.end("the add") }
}
