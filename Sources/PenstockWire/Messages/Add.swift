/// One job of an add, as a value.
package struct AddNode: Equatable, Sendable {
    /// Index into the message's queues.
    package var queue: UInt16
    package var name: String
    package var contentType: ContentType
    package var data: [UInt8]
    package var dependencies: [DependencyFields]
    package var customID: String?
    package var options: NodeOptions

    package init(
        queue: UInt16,
        name: String,
        contentType: ContentType = .none,
        data: [UInt8] = [],
        dependencies: [DependencyFields] = [],
        customID: String? = nil,
        options: NodeOptions = .default
    ) {
        self.queue = queue
        self.name = name
        self.contentType = contentType
        self.data = data
        self.dependencies = dependencies
        self.customID = customID
        self.options = options
    }
}

/// A flow, or a job added alone.
package struct AddItem: Equatable, Sendable {
    package var isFlow: Bool
    package var name: String
    package var nodes: [AddNode]

    package init(isFlow: Bool, name: String = "", nodes: [AddNode]) {
        self.isFlow = isFlow
        self.name = name
        self.nodes = nodes
    }
}

/// Flows and jobs that are added in one transaction: all of them, or none. ``AddDecoder`` draws the layout.
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
        writer.u16(UInt16(queues.count))
        for queue in queues { writer.string8(queue) }
        writer.u16(UInt16(items.count))
        for item in items {
            writer.u8(item.isFlow ? 1 : 0)
            writer.string8(item.name)
            writer.u8(0)
            writer.u32(UInt32(item.nodes.count))
            for node in item.nodes { node.encode(into: &writer) }
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        var decoder = try AddDecoder(reader.span(reader.remaining))
        sequence = decoder.sequence
        queues = []
        for _ in 0..<decoder.queueCount {
            let range = try decoder.nextQueue()
            queues.append(try decoder.bytes.string(range, "queue name"))
        }
        items = []
        for _ in 0..<(try decoder.itemCount()) {
            let (isFlow, name, nodes) = try decoder.nextItem()
            var item = AddItem(isFlow: isFlow, name: try decoder.bytes.string(name, "flow name"), nodes: [])
            for _ in 0..<nodes {
                let fields = try decoder.nextNode()
                item.nodes.append(try AddNode(fields, in: decoder.bytes))
            }
            items.append(item)
        }
        try decoder.end()
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
        options = fields.options
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
        count += options.encode(into: &writer)
        writer.patch(count, at: start)
    }
}

extension NodeOptions {
    /// Appends the options that differ from the default, and returns how many those are.
    package func encode(into writer: inout WireWriter) -> UInt8 {
        var count: UInt8 = 0
        func tag(_ tag: UInt16, _ length: UInt16, _ writer: inout WireWriter) {
            writer.u16(tag | OptionTag.mustUnderstand)
            writer.u16(length)
            count += 1
        }
        let standard = NodeOptions.default
        if priority != standard.priority {
            tag(OptionTag.priority, 4, &writer)
            writer.u32(priority)
        }
        if delay != standard.delay {
            tag(OptionTag.delay, 8, &writer)
            writer.u64(delay)
        }
        if attempts != standard.attempts {
            tag(OptionTag.attempts, 2, &writer)
            writer.u16(attempts)
        }
        if backoff != standard.backoff {
            tag(OptionTag.backoff, 19, &writer)
            writer.u8(backoff.kind.rawValue)
            writer.u64(backoff.delay)
            writer.u64(backoff.maximum)
            writer.u16(backoff.jitter)
        }
        if lifo { tag(OptionTag.lifo, 0, &writer) }
        if rejectExisting { tag(OptionTag.rejectExisting, 0, &writer) }
        if onFailure != standard.onFailure {
            tag(OptionTag.onFailure, 1, &writer)
            writer.u8(onFailure.rawValue)
        }
        if maxStalledCount != standard.maxStalledCount {
            tag(OptionTag.maxStalledCount, 2, &writer)
            writer.u16(maxStalledCount)
        }
        return count
    }
}
