package import PenstockWire

/// What events are kept of.
package enum EventScope: Hashable, Sendable {
    case all
    case queue(QueueID)
    case flow(FlowID)
}

/// Of what somebody wants to know what happens.
struct EventInterest {
    /// Nobody listens to anything: one look at this is all that an event costs then.
    private(set) var isOn = false
    private var hearsAll = false
    /// By the queue's id.
    private var queues: [Bool] = []
    private var queueCount = 0
    private var flows: Set<FlowID> = []
    /// Jobs of large adds that are visible, and that were not told to be added yet: the rest of each, by its first job.
    private var unannounced: [UInt64: Range<UInt64>] = [:]
    /// Those of them with which something was done before their turn came.
    private var announced: Set<JobID> = []

    mutating func set(_ scope: EventScope, _ isHeard: Bool) {
        switch scope {
        case .all: hearsAll = isHeard
        case .queue(let queue):
            let index = Int(queue.rawValue)
            while queues.count <= index { queues.append(false) }
            guard queues[index] != isHeard else { return }
            queues[index] = isHeard
            queueCount += isHeard ? 1 : -1
        case .flow(let flow):
            if isHeard { flows.insert(flow) } else { flows.remove(flow) }
        }
        isOn = hearsAll || queueCount > 0 || !flows.isEmpty
    }

    /// A large add is walked over: the rest of its jobs is still to be told of.
    mutating func announce(_ rest: Range<UInt64>, ofAddFrom first: UInt64) {
        unannounced[first] = rest.isEmpty ? nil : rest
        if unannounced.isEmpty { announced.removeAll() }
    }

    /// True for a job that has to be told to be added before anything else is told of it.
    mutating func takeUnannounced(_ job: JobID) -> Bool {
        guard !unannounced.isEmpty else { return false }
        return unannounced.values.contains { $0.contains(job.rawValue) } && announced.insert(job).inserted
    }

    /// True for a job that was told to be added before its turn came.
    func isAnnounced(_ job: JobID) -> Bool { announced.contains(job) }

    func hears(_ queue: QueueID, _ flow: FlowID) -> Bool {
        let index = Int(queue.rawValue)
        return hearsAll || index < queues.count && queues[index] || flow != .none && flows.contains(flow)
    }
}

/// The events of a batch, in order: in the wire's form, but for the sequence that the loop gives each.
package struct EventBatch: Sendable {
    package struct Entry: Sendable {
        package var queue: QueueID
        package var flow: FlowID
        /// In ``bytes``.
        package var range: ByteRange
    }

    /// Bytes above which no more are gathered: whoever listens is told that some are missing. More than all that is
    /// kept of anything.
    package static let bytesMax = 2 * PenstockWire.Limits.eventBytesMax

    package private(set) var entries: [Entry] = []
    package private(set) var bytes = WireWriter(capacity: 0)
    package private(set) var hasOverflowed = false

    package var isEmpty: Bool { entries.isEmpty && !hasOverflowed }

    package init() {}

    /// - Parameter data: a worker's name, a progress, a message.
    mutating func append(_ head: EventHead, _ queue: QueueID, named queueName: String, name: RawSpan, data: RawSpan) {
        guard bytes.count < EventBatch.bytesMax else {
            hasOverflowed = true
            return
        }
        let start = bytes.beginEvent(head, queue: queueName)
        bytes.bytes8(name)
        bytes.bytes16(data)
        bytes.endEvent(start)
        let range = ByteRange(offset: start, count: bytes.count - start)
        entries.append(Entry(queue: queue, flow: head.flow, range: range))
    }

    mutating func removeAll() {
        guard !isEmpty else { return }
        entries.removeAll(keepingCapacity: true)
        bytes.removeAll()
        bytes.shrink(to: 1 << 20)
        hasOverflowed = false
    }
}
