/// Reads an ADD body from front to back: the queues, then the items, each with its nodes.
///
///     u64 sequence | u16 queues | queues x str8
///     u16 items | items x ( u8 kind (0 job, 1 flow, 2 more of the last item of the part before) | str8 name
///                          | u8 options | options x tagged | u32 nodes | nodes x Node )
///     Node: u16 queue | str8 name | u8 contentType | bytes32 data
///           | u32 dependencies | dependencies x 12 bytes
///           | u8 options | options x ( u16 tag | u16 length | bytes )
///
/// Other commands hold all of this but the sequence, behind fields of their own.
package struct AddDecoder: ~Escapable {
    private var reader: WireReader
    private let context: AddContext
    /// 0 where the reading began at the queues.
    package let sequence: UInt64
    package let queueCount: Int
    private var queuesLeft: Int
    private var jobsLeft: Int
    private var itemsRead = 0
    private var mayHaveKeys = false
    /// What the nodes of some queues have of options that they do not give; by the queue's index. Mostly empty.
    package var defaults: [UInt16: NodeOptions] = [:]

    /// Bytes that the smallest node takes.
    package static let nodeByteCountMin = 13

    /// Reads the body of an ADD.
    @_lifetime(copy body)
    package init(_ body: RawSpan) throws(WireError) {
        var reader = WireReader(body)
        let sequence = try reader.u64()
        try self.init(reader, sequence: sequence, .add)
    }

    /// Reads the end of another command's body, which is as an ADD's from `queues` on. Places count from its begin.
    @_lifetime(copy tail)
    package init(tail: RawSpan, _ context: AddContext) throws(WireError) {
        try self.init(WireReader(tail), sequence: 0, context)
    }

    @_lifetime(copy reader)
    private init(_ reader: consuming WireReader, sequence: UInt64, _ context: AddContext) throws(WireError) {
        var reader = reader
        let count = try reader.count16(bytesEach: 1)
        guard count <= Limits.queuesPerMessageMax else {
            throw WireError(
                .invalidRequest,
                "\(count) queues in one add; \(Limits.queuesPerMessageMax) are allowed."
            )
        }
        self.sequence = sequence
        self.context = context
        queueCount = count
        queuesLeft = count
        jobsLeft = context.jobsMax
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
        guard count <= context.itemsMax else {
            throw WireError(.tooManyJobs, "\(count) flows or jobs here; \(context.itemsMax) are allowed.")
        }
        return count
    }

    /// The next item: what it is, and how many nodes follow.
    package mutating func nextItem() throws(WireError) -> ItemFields {
        let kind = try reader.value(ItemKind.self, "kind of item; 0 (job), 1 (flow) and in a part 2 (more) are")
        let name = try reader.range8()
        try Names.checkFlow(reader.bytes.extracting(name))
        var item = ItemFields(kind: kind, name: name)
        try readOptions(of: &item)
        item.nodes = try reader.count32(bytesEach: AddDecoder.nodeByteCountMin)
        guard item.nodes > 0 else { throw WireError(.emptyAdd, "A flow holds no job; it must hold at least one.") }
        guard item.nodes <= jobsLeft else {
            throw WireError(
                .tooManyJobs,
                "\(context.jobsMax - jobsLeft + item.nodes) jobs or more in one add; \(context.jobsMax) are allowed."
            )
        }
        jobsLeft -= item.nodes
        try check(item)
        itemsRead += 1
        mayHaveKeys = item.child != nil
        return item
    }

    private func check(_ item: ItemFields) throws(WireError) {
        switch item.kind {
        case .flow: return
        case .job:
            guard item.nodes == 1 else {
                throw WireError(.invalidRequest, "An item of kind job has \(item.nodes) nodes; it must have one.")
            }
            guard item.metadata == nil else {
                throw WireError(.invalidOption, "A job alone has no metadata; a flow can have some.")
            }
        case .more:
            guard context.goesOn, itemsRead == 0 else {
                throw WireError(
                    .invalidOption,
                    "Only the first item of a part that is not the first can be more of one."
                )
            }
            guard item.name.isEmpty, item.metadata == nil else {
                throw WireError(
                    .invalidOption,
                    "An item that goes on has neither a name nor options; its begin has them."
                )
            }
        }
    }

    private mutating func readOptions(of item: inout ItemFields) throws(WireError) {
        let optionCount = Int(try reader.u8())
        var seen: UInt32 = 0
        for _ in 0..<optionCount {
            let tag = try reader.u16()
            let place = try reader.range16()
            let number = tag & ~OptionTag.mustUnderstand
            if number <= ItemOptionTag.last {
                guard seen & 1 << UInt32(number) == 0 else {
                    throw WireError(.invalidOption, "Option \(number) stands twice in one item.")
                }
                seen |= 1 << UInt32(number)
            }
            try read(tag, place, &item)
        }
    }

    private func read(_ tag: UInt16, _ place: ByteRange, _ item: inout ItemFields) throws(WireError) {
        var reader = WireReader(reader.bytes.extracting(place))
        switch tag & ~OptionTag.mustUnderstand {
        case ItemOptionTag.child:
            guard context.allowsChildren else {
                throw WireError(
                    .invalidOption,
                    "Only what a worker adds to the job that it holds can be a child of it."
                )
            }
            item.child = try ChildFields(from: &reader)
        case ItemOptionTag.metadata:
            let contentType = ContentType(rawValue: try reader.u8())
            let count = reader.remaining
            guard count <= Limits.metadataBytesMax else {
                throw WireError(
                    .payloadTooLarge,
                    "Metadata of \(count) bytes; at most \(Limits.metadataBytesMax) are allowed."
                )
            }
            _ = try reader.range(count)
            item.metadata = ItemFields.Metadata(
                contentType: contentType,
                bytes: ByteRange(offset: Int(place.offset) + 1, count: count)
            )
        default:
            if tag & OptionTag.mustUnderstand != 0 { throw .unknownOption(tag) }
            return
        }
        try reader.end("an option")
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
        var fields = NodeFields(
            queue: queue,
            name: name,
            contentType: contentType,
            data: data,
            dependencyCount: dependencyCount,
            dependencies: dependencies,
            customID: .empty,
            childKey: .empty,
            headers: .empty,
            deduplication: .empty,
            group: .empty,
            options: defaults.isEmpty ? .default : defaults[queue] ?? .default
        )
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
            try read(tag, value, &fields)
        }
        // A time of its own wins over the delay of its queue; beside a delay of its own it is refused.
        if fields.options.at > 0 && seen & 1 << UInt32(OptionTag.delay) == 0 { fields.options.delay = 0 }
        if optionCount > 0 { try fields.options.validate() }
        if context.isTemplate { try checkTemplate(fields) }
        if !fields.deduplication.isEmpty { try checkDeduplication(fields) }
        return fields
    }

    /// Refuses a deduplication beside what it has no meaning with. Nobody may depend on the job either: see the plan.
    private func checkDeduplication(_ fields: NodeFields) throws(WireError) {
        guard context.allowsDeduplication else {
            throw WireError(
                .invalidOption,
                "A deduplication stands in an ADD only: not in what a worker adds under its lease, in a large add or in a template."
            )
        }
        guard fields.dependencyCount == 0 else {
            throw WireError(.invalidOption, "A job with a deduplication has no dependencies; this one names some.")
        }
        guard fields.options.repeatEvery == 0 else {
            throw WireError(.invalidOption, "A job is repeated or has a deduplication, not both.")
        }
        if fields.customID.isEmpty { return }
        guard try reader.bytes.deduplication(fields.deduplication)?.keepsLastIfActive != true else {
            throw WireError(
                .invalidOption,
                "A job has a custom id or is kept while another one is active, not both: what is kept has no id yet."
            )
        }
    }

    private func checkTemplate(_ fields: NodeFields) throws(WireError) {
        guard fields.customID.isEmpty, fields.options.repeatEvery == 0, fields.options.at == 0 else {
            throw WireError(
                .invalidOption,
                "A template has no custom id, and neither a repetition nor a time beside its scheduler's."
            )
        }
        var dependencies = WireReader(reader.bytes.extracting(fields.dependencies))
        for _ in 0..<fields.dependencyCount {
            guard case .node = try DependencyFields(from: &dependencies).target else {
                throw WireError(.invalidOption, "A template depends on jobs of its own only, not on ones that exist.")
            }
        }
    }

    private func read(_ tag: UInt16, _ place: ByteRange, _ fields: inout NodeFields) throws(WireError) {
        var reader = WireReader(reader.bytes.extracting(place))
        switch tag & ~OptionTag.mustUnderstand {
        case OptionTag.customID:
            try Names.checkCustomID(reader.bytes)
            fields.customID = place
        case OptionTag.childKey:
            guard mayHaveKeys else {
                throw WireError(
                    .invalidOption,
                    "Only a node of an item that is a child of the held job has a child's key."
                )
            }
            try Names.checkChildKey(reader.bytes)
            fields.childKey = place
        case OptionTag.headers:
            try Headers.check(reader.bytes)
            fields.headers = place
        case OptionTag.deduplication:
            _ = try Deduplication(from: &reader)
            fields.deduplication = place
        case OptionTag.group:
            try Names.checkGroup(reader.bytes)
            fields.group = place
        default:
            guard try fields.options.read(tag, &reader) else { return }
            try reader.end("an option")
        }
    }

    /// Call last: nothing may follow the last node.
    package func end() throws(WireError) { try reader.end("the add") }
}
