/// A wish for jobs of one or more queues, with one pool of credits. The header's stream names it.
///
///     u16 count | count x str8 queue | u32 jobs | u32 bytes | u32 lockDuration | str8 worker | options (1 weights, 2 prefetch)
package struct Subscribe: WireMessage {
    package static let opcode = Opcode.subscribe
    package static let isReply = false
    package var queues: [String]
    /// Jobs that may be held at once: a delivery takes one, its end gives it back.
    package var creditJobs: UInt32
    /// Bytes of data that may be held at once. A delivery is made while any are left, so the last may go beyond.
    package var creditBytes: UInt32
    /// Milliseconds; 0 is the default of 30,000.
    package var lockDuration: UInt32
    /// The worker's name: its attempts, WORKERS and the server's log tell it.
    package var worker: String
    /// For each queue, how many jobs it gives in its turn; empty: one each.
    package var weights: [UInt8]
    /// What is delivered is reserved, until ``Started`` says that it was started.
    package var prefetches: Bool

    package init(
        queues: [String],
        creditJobs: UInt32,
        creditBytes: UInt32 = UInt32(Limits.creditBytesMax),
        lockDuration: UInt32 = 0,
        worker: String = "",
        weights: [UInt8] = [],
        prefetches: Bool = false
    ) {
        self.queues = queues
        self.creditJobs = creditJobs
        self.creditBytes = creditBytes
        self.lockDuration = lockDuration
        self.worker = worker
        self.weights = weights
        self.prefetches = prefetches
    }

    package func encode(into writer: inout WireWriter) {
        writer.u16(UInt16(queues.count))
        for queue in queues { writer.string8(queue) }
        writer.u32(creditJobs)
        writer.u32(creditBytes)
        writer.u32(lockDuration)
        writer.string8(worker)
        writer.u8((weights.isEmpty ? 0 : 1) + (prefetches ? 1 : 0))
        if !weights.isEmpty {
            writer.u16(SubscribeOptionTag.weights | OptionTag.mustUnderstand)
            writer.u16(UInt16(weights.count))
            for weight in weights { writer.u8(weight) }
        }
        if prefetches {
            writer.u16(SubscribeOptionTag.prefetch | OptionTag.mustUnderstand)
            writer.u16(0)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let count = try reader.count16(bytesEach: 1)
        guard count <= Limits.queuesPerMessageMax else {
            throw WireError(
                .invalidRequest,
                "\(count) queues in one subscription; \(Limits.queuesPerMessageMax) are allowed."
            )
        }
        queues = []
        for _ in 0..<count { queues.append(try reader.string8("queue name")) }
        creditJobs = try reader.u32()
        creditBytes = try reader.u32()
        lockDuration = try reader.u32()
        worker = try reader.string8("worker name")
        weights = []
        prefetches = false
        for _ in 0..<Int(try reader.u8()) {
            let tag = try reader.u16()
            let length = Int(try reader.u16())
            switch tag & ~OptionTag.mustUnderstand {
            case SubscribeOptionTag.weights:
                weights = try Subscribe.weights(&reader, length, queues: count, isRepeated: !weights.isEmpty)
            case SubscribeOptionTag.prefetch:
                guard !prefetches, length == 0 else {
                    throw WireError(.invalidOption, "The option prefetch stands once, and has no value.")
                }
                prefetches = true
            default:
                _ = try reader.range(length)
                if tag & OptionTag.mustUnderstand != 0 { throw .unknownOption(tag) }
            }
        }
    }

    private static func weights(
        _ reader: inout WireReader,
        _ length: Int,
        queues: Int,
        isRepeated: Bool
    ) throws(WireError) -> [UInt8] {
        guard !isRepeated else { throw WireError(.invalidOption, "The weights stand twice in one subscription.") }
        guard length == queues else {
            throw WireError(.invalidOption, "\(length) weights for \(queues) queues; each queue has one.")
        }
        var weights: [UInt8] = []
        for _ in 0..<length { weights.append(try reader.u8()) }
        guard !weights.contains(0) else {
            throw WireError(.invalidOption, "A queue's weight is 0; 1 to 255 are allowed.")
        }
        return weights
    }
}

/// The numbers of a subscription's options.
package enum SubscribeOptionTag {
    package static let weights: UInt16 = 1
    package static let prefetch: UInt16 = 2
}

/// The server's answer to ``Subscribe``.
///
///     u32 heartbeat (milliseconds, from now on)
package struct Subscribed: WireMessage {
    package static let opcode = Opcode.subscribe
    package static let isReply = true
    package var heartbeat: UInt32

    package init(heartbeat: UInt32) { self.heartbeat = heartbeat }
    package func encode(into writer: inout WireWriter) { writer.u32(heartbeat) }
    package init(from reader: inout WireReader) throws(WireError) { heartbeat = try reader.u32() }
}

/// More credits for the header's stream. It has no reply.
///
///     u32 jobs | u32 bytes
package struct Credit: WireMessage {
    package static let opcode = Opcode.credit
    package static let isReply = false
    package var jobs: UInt32
    package var bytes: UInt32

    package init(jobs: UInt32, bytes: UInt32) {
        self.jobs = jobs
        self.bytes = bytes
    }

    package func encode(into writer: inout WireWriter) {
        writer.u32(jobs)
        writer.u32(bytes)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        jobs = try reader.u32()
        bytes = try reader.u32()
    }
}

/// Takes credits of the header's stream back. It has no reply.
///
/// They may go below zero: the ends of the jobs that were delivered before make up for that.
///
///     u32 jobs | u32 bytes
package struct Debit: WireMessage {
    package static let opcode = Opcode.debit
    package static let isReply = false
    package var jobs: UInt32
    package var bytes: UInt32

    package init(jobs: UInt32, bytes: UInt32) {
        self.jobs = jobs
        self.bytes = bytes
    }

    package func encode(into writer: inout WireWriter) {
        writer.u32(jobs)
        writer.u32(bytes)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        jobs = try reader.u32()
        bytes = try reader.u32()
    }
}

/// The end of the header's stream: no more deliveries; leases already given stay.
///
/// No body.
package struct Unsubscribe: WireMessage {
    package static let opcode = Opcode.unsubscribe
    package static let isReply = false
    package init() {}
    package func encode(into writer: inout WireWriter) {}
    package init(from reader: inout WireReader) throws(WireError) {}
}

/// The server's answer to ``Unsubscribe``; no DELIVER of the stream follows it.
///
/// No body.
package struct Unsubscribed: WireMessage {
    package static let opcode = Opcode.unsubscribe
    package static let isReply = true
    package init() {}
    package func encode(into writer: inout WireWriter) {}
    package init(from reader: inout WireReader) throws(WireError) {}
}

/// One leased job, as its worker gets it.
///
///     u32 slot | u64 token | u64 job | u64 flow | u16 queue | u16 attempts | u16 attemptsMade | u8 flags (1 has dependencies)
///     u8 contentType | u32 attemptsStarted | u32 stalledCount | u32 priority | u64 createdAt | str8 name | bytes32 data
///     [Headers] where flag 2 (has headers) is set | [str8 group] where flag 4 (has a group) is
package struct Delivery: Equatable, Sendable {
    /// Bytes that a delivery takes with an empty name and empty data.
    package static let byteCountMin = 61
    package static let hasDependenciesFlag: UInt8 = 1
    package static let hasHeadersFlag: UInt8 = 2
    package static let hasGroupFlag: UInt8 = 4

    /// The lease's place in the server's table: echoed with the token.
    package var slot: UInt32
    package var token: LeaseToken
    package var job: JobID
    package var flow: FlowID
    /// Index into the subscription's queues.
    package var queue: UInt16
    package var attempts: UInt16
    package var attemptsMade: UInt16
    package var hasDependencies: Bool
    package var contentType: ContentType
    /// Counts this lease, as one whose job is started.
    package var attemptsStarted: UInt32
    package var stalledCount: UInt32
    package var priority: UInt32
    /// Wall time of the add, milliseconds since 1970.
    package var createdAt: UInt64
    package var name: String
    package var data: [UInt8]
    package var headers: Headers
    /// Empty where it has none.
    package var group: String

    package init(
        slot: UInt32,
        token: LeaseToken,
        job: JobID,
        flow: FlowID,
        queue: UInt16,
        attempts: UInt16,
        attemptsMade: UInt16,
        hasDependencies: Bool,
        contentType: ContentType,
        attemptsStarted: UInt32,
        stalledCount: UInt32,
        priority: UInt32,
        createdAt: UInt64,
        name: String,
        data: [UInt8],
        headers: Headers = Headers(),
        group: String = ""
    ) {
        self.slot = slot
        self.token = token
        self.job = job
        self.flow = flow
        self.queue = queue
        self.attempts = attempts
        self.attemptsMade = attemptsMade
        self.hasDependencies = hasDependencies
        self.contentType = contentType
        self.attemptsStarted = attemptsStarted
        self.stalledCount = stalledCount
        self.priority = priority
        self.createdAt = createdAt
        self.name = name
        self.data = data
        self.headers = headers
        self.group = group
    }
}

/// Leased jobs, pushed to the header's stream.
///
///     u16 count | count x Delivery
package struct Deliver: WireMessage {
    package static let opcode = Opcode.deliver
    package static let isReply = false
    package var deliveries: [Delivery]

    package init(deliveries: [Delivery]) { self.deliveries = deliveries }

    package func encode(into writer: inout WireWriter) {
        writer.u16(UInt16(deliveries.count))
        for delivery in deliveries {
            writer.u32(delivery.slot)
            writer.token(delivery.token)
            writer.jobID(delivery.job)
            writer.flowID(delivery.flow)
            writer.u16(delivery.queue)
            writer.u16(delivery.attempts)
            writer.u16(delivery.attemptsMade)
            writer.u8(
                (delivery.hasDependencies ? Delivery.hasDependenciesFlag : 0)
                    | (delivery.headers.isEmpty ? 0 : Delivery.hasHeadersFlag)
                    | (delivery.group.isEmpty ? 0 : Delivery.hasGroupFlag)
            )
            writer.u8(delivery.contentType.rawValue)
            writer.u32(delivery.attemptsStarted)
            writer.u32(delivery.stalledCount)
            writer.u32(delivery.priority)
            writer.u64(delivery.createdAt)
            writer.string8(delivery.name)
            writer.bytes32(delivery.data)
            if !delivery.headers.isEmpty { delivery.headers.encode(into: &writer) }
            if !delivery.group.isEmpty { writer.string8(delivery.group) }
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let count = try reader.count16(bytesEach: Delivery.byteCountMin)
        deliveries = []
        deliveries.reserveCapacity(count)
        for _ in 0..<count { deliveries.append(try Delivery(from: &reader)) }
    }
}

extension Delivery {
    package init(from reader: inout WireReader) throws(WireError) {
        slot = try reader.u32()
        token = try reader.token()
        job = try reader.jobID()
        flow = try reader.flowID()
        queue = try reader.u16()
        attempts = try reader.u16()
        attemptsMade = try reader.u16()
        let flags = try reader.u8()
        hasDependencies = flags & Delivery.hasDependenciesFlag != 0
        contentType = ContentType(rawValue: try reader.u8())
        attemptsStarted = try reader.u32()
        stalledCount = try reader.u32()
        priority = try reader.u32()
        createdAt = try reader.u64()
        name = try reader.string8("job name")
        data = try reader.array32()
        headers = flags & Delivery.hasHeadersFlag != 0 ? try Headers(from: &reader) : Headers()
        group = flags & Delivery.hasGroupFlag != 0 ? try reader.string8("group's name") : ""
    }
}

extension WireError {
    package static func unknownOption(_ tag: UInt16) -> WireError {
        WireError(
            .unknownOption,
            "Option \(tag & ~OptionTag.mustUnderstand) is not known to this version, and must be."
        )
    }
}
