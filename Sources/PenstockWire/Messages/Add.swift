/// One job of an add, as a value.
package struct AddNode: Equatable, Sendable {
    /// Index into the message's queues.
    package var queue: UInt16
    package var name: String
    package var contentType: ContentType
    package var data: [UInt8]
    package var dependencies: [DependencyFields]
    package var customID: String?
    /// Its key under the held job, in a child of it.
    package var childKey: String?
    package var headers: Headers
    package var deduplication: Deduplication?
    package var group: String?
    package var options: NodeOptions
    /// What is sent of them though it is at its default.
    package var explicit: ExplicitOptions

    package init(
        queue: UInt16,
        name: String,
        contentType: ContentType = .none,
        data: [UInt8] = [],
        dependencies: [DependencyFields] = [],
        customID: String? = nil,
        childKey: String? = nil,
        headers: Headers = Headers(),
        deduplication: Deduplication? = nil,
        group: String? = nil,
        options: NodeOptions = .default,
        explicit: ExplicitOptions = []
    ) {
        self.queue = queue
        self.name = name
        self.contentType = contentType
        self.data = data
        self.dependencies = dependencies
        self.customID = customID
        self.childKey = childKey
        self.headers = headers
        self.deduplication = deduplication
        self.group = group
        self.options = options
        self.explicit = explicit
    }
}

/// A flow, a job added alone, or more of the last item of the part before.
package struct AddItem: Equatable, Sendable {
    package var kind: ItemKind
    package var name: String
    /// The edges from its sinks to the held job, where it is a child of it.
    package var child: ChildFields?
    package var metadata: Payload?
    package var nodes: [AddNode]

    package init(
        kind: ItemKind,
        name: String = "",
        child: ChildFields? = nil,
        metadata: Payload? = nil,
        nodes: [AddNode]
    ) {
        self.kind = kind
        self.name = name
        self.child = child
        self.metadata = metadata
        self.nodes = nodes
    }

    package init(isFlow: Bool, name: String = "", nodes: [AddNode]) {
        self.init(kind: isFlow ? .flow : .job, name: name, nodes: nodes)
    }

    package var isFlow: Bool { kind == .flow }
}

/// What an ADD is but for its number; other commands end in the same. ``AddDecoder`` draws the layout.
package struct AddTail: Equatable, Sendable {
    package var queues: [String]
    package var items: [AddItem]

    package init(queues: [String], items: [AddItem]) {
        self.queues = queues
        self.items = items
    }

    package func encode(into writer: inout WireWriter) {
        writer.u16(UInt16(queues.count))
        for queue in queues { writer.string8(queue) }
        writer.u16(UInt16(items.count))
        for item in items { item.encode(into: &writer) }
    }

    package init(_ tail: RawSpan, _ context: AddContext) throws(WireError) {
        var decoder = try AddDecoder(tail: tail, context)
        try self.init(&decoder)
    }

    init(_ decoder: inout AddDecoder) throws(WireError) {
        queues = []
        for _ in 0..<decoder.queueCount {
            let range = try decoder.nextQueue()
            queues.append(try decoder.bytes.string(range, "queue name"))
        }
        items = []
        for _ in 0..<(try decoder.itemCount()) {
            let fields = try decoder.nextItem()
            var item = try AddItem(fields, in: decoder.bytes)
            for _ in 0..<fields.nodes {
                let node = try decoder.nextNode()
                item.nodes.append(try AddNode(node, in: decoder.bytes))
            }
            items.append(item)
        }
        try decoder.end()
    }
}

/// Flows and jobs that are added in one transaction: all of them, or none.
///
///     u64 sequence | AddTail
package struct Add: WireMessage {
    package static let opcode = Opcode.add
    package static let isReply = false
    package var sequence: UInt64
    package var queues: [String]
    package var items: [AddItem]

    package init(sequence: UInt64, queues: [String], items: [AddItem]) {
        self.sequence = sequence
        self.queues = queues
        self.items = items
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        AddTail(queues: queues, items: items).encode(into: &writer)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var decoder = try AddDecoder(reader.span(reader.remaining))
        let tail = try AddTail(&decoder)
        self.init(sequence: decoder.sequence, queues: tail.queues, items: tail.items)
    }
}

extension AddItem {
    /// The item without its nodes.
    package init(_ fields: ItemFields, in bytes: RawSpan) throws(WireError) {
        kind = fields.kind
        name = try bytes.string(fields.name, "flow name")
        child = fields.child
        metadata = fields.metadata.map { Payload($0.contentType, bytes.array($0.bytes)) }
        nodes = []
    }

    package func encode(into writer: inout WireWriter) {
        writer.u8(kind.rawValue)
        writer.string8(name)
        writer.u8((child == nil ? 0 : 1) + (metadata == nil ? 0 : 1))
        if let child {
            writer.u16(ItemOptionTag.child | OptionTag.mustUnderstand)
            writer.u16(2)
            child.encode(into: &writer)
        }
        if let metadata {
            writer.u16(ItemOptionTag.metadata | OptionTag.mustUnderstand)
            writer.u16(UInt16(1 + metadata.bytes.count))
            writer.u8(metadata.contentType.rawValue)
            writer.raw(metadata.bytes)
        }
        writer.u32(UInt32(nodes.count))
        for node in nodes { node.encode(into: &writer) }
    }
}

extension AddNode {
    package init(_ fields: NodeFields, in bytes: RawSpan) throws(WireError) {
        queue = fields.queue
        name = try bytes.string(fields.name, "job name")
        contentType = fields.contentType
        data = bytes.array(fields.data)
        dependencies = []
        var reader = WireReader(bytes.extracting(fields.dependencies))
        for _ in 0..<fields.dependencyCount { dependencies.append(try DependencyFields(from: &reader)) }
        customID = fields.customID.isEmpty ? nil : try bytes.string(fields.customID, "custom id")
        childKey = fields.childKey.isEmpty ? nil : try bytes.string(fields.childKey, "child's key")
        headers = try bytes.headers(fields.headers)
        deduplication = try bytes.deduplication(fields.deduplication)
        group = fields.group.isEmpty ? nil : try bytes.string(fields.group, "group's name")
        options = fields.options
        explicit = []
    }

    package func encode(into writer: inout WireWriter) {
        writer.u16(queue)
        writer.string8(name)
        writer.u8(contentType.rawValue)
        writer.bytes32(data)
        writer.u32(UInt32(dependencies.count))
        for dependency in dependencies { dependency.encode(into: &writer) }
        let start = writer.count
        writer.u8(0)
        var count: UInt8 = 0
        if let customID {
            writer.u16(OptionTag.customID | OptionTag.mustUnderstand)
            writer.string16(customID)
            count += 1
        }
        if let childKey {
            writer.u16(OptionTag.childKey | OptionTag.mustUnderstand)
            writer.string16(childKey)
            count += 1
        }
        count += options.encode(into: &writer, explicit: explicit)
        count += writer.option(deduplication)
        count += writer.option(headers)
        count += writer.option(group: group ?? "")
        writer.patch(count, at: start)
    }
}
