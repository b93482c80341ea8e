/// A job by the server's id, or by its queue and custom id.
///
///     u8 0 | u64 id     or     u8 1 | str8 queue | str8 customID
package enum JobReference: Equatable, Sendable {
    case id(JobID)
    case custom(queue: String, id: String)

    package func encode(into writer: inout WireWriter) {
        switch self {
        case .id(let id):
            writer.u8(0)
            writer.jobID(id)
        case .custom(let queue, let id):
            writer.u8(1)
            writer.string8(queue)
            writer.string8(id)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let kind = try reader.u8()
        switch kind {
        case 0: self = .id(try reader.jobID())
        case 1:
            let queue = try reader.string8("queue name")
            self = .custom(queue: queue, id: try reader.string8("custom id"))
        default: throw WireError(.invalidRequest, "\(kind) is no way to name a job; 0 (id) and 1 (custom id) are.")
        }
    }
}

/// Asks for everything stored of a job; answered by ``JobView``.
package struct GetJob: WireMessage {
    package static let opcode = Opcode.getJob
    package static let isReply = false
    package var job: JobReference

    package init(job: JobReference) { self.job = job }
    package func encode(into writer: inout WireWriter) { job.encode(into: &writer) }
    package init(from reader: inout WireReader) throws(WireError) { job = try JobReference(from: &reader) }
}

/// What a job's last attempt left: nothing yet, a result, or a failure.
///
///     u8 0     or     u8 1 | u8 contentType | bytes32 result     or     u8 2 | str16 message | bytes32 details
package enum JobOutcome: Equatable, Sendable {
    case none
    case result(ContentType, [UInt8])
    case failure(message: String, details: [UInt8])

    package static let byteCountMin = 1

    package func encode(into writer: inout WireWriter) {
        switch self {
        case .none: writer.u8(0)
        case .result(let contentType, let bytes):
            writer.u8(1)
            writer.u8(contentType.rawValue)
            writer.bytes32(bytes)
        case .failure(let message, let details):
            writer.u8(2)
            writer.string16(message)
            writer.bytes32(details)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        switch try reader.u8() {
        case 0: self = .none
        case 1:
            let contentType = ContentType(rawValue: try reader.u8())
            self = .result(contentType, try reader.array32())
        case 2:
            let message = try reader.string16("failure message")
            self = .failure(message: message, details: try reader.array32())
        case let kind: throw WireError(.malformed, "\(kind) is no kind of outcome.")
        }
    }
}

/// Everything stored of a job, exact at the commit that it names.
///
///     u64 commit | u64 id | str8 queue | str8 name | str8 customID | u64 flow
///     u8 state | u8 cause | u8 flags (1 lifo, 2 cancelSiblings, 4 skipped) | u8 contentType | u32 priority
///     u16 attempts | u16 attemptsMade | u32 attemptsStarted | u32 stalledCount | u16 maxStalledCount
///     u8 onFailure | u8 backoffKind | u64 backoffDelay | u64 backoffMaximum | u16 jitter | u64 delay
///     u64 createdAt | u64 startedAt | u64 finishedAt | u64 dueIn
///     DependencyCounts | u32 dependents | u64 failedDependency | bytes32 data | JobOutcome
///     options: those of a node that have no field above, where they are not at their default
///     u8 progressType | bytes32 progress
package struct JobView: WireMessage {
    package static let opcode = Opcode.getJob
    package static let isReply = true
    package static let lifoFlag: UInt8 = 1
    package static let cancelSiblingsFlag: UInt8 = 2
    package static let skippedFlag: UInt8 = 4

    package var commit: UInt64 = 0
    package var id = JobID.none
    package var queue = ""
    package var name = ""
    /// Empty where it has none.
    package var customID = ""
    package var flow = FlowID.none
    package var state = JobState.waiting
    package var cause = FailureCause.none
    /// True for a cancelled job that was to run after a failure, and was not needed.
    package var isSkipped = false
    package var contentType = ContentType.none
    package var options = NodeOptions.default
    package var attemptsMade: UInt16 = 0
    package var attemptsStarted: UInt32 = 0
    package var stalledCount: UInt32 = 0
    /// Wall times in milliseconds since 1970; 0 where it has not happened.
    package var createdAt: UInt64 = 0
    package var startedAt: UInt64 = 0
    package var finishedAt: UInt64 = 0
    /// Milliseconds until a delayed job is due; 0 for any other.
    package var dueIn: UInt64 = 0
    package var dependencies = DependencyCounts()
    package var dependents: UInt32 = 0
    /// The first dependency whose failure failed this job.
    package var failedDependency = JobID.none
    package var data: [UInt8] = []
    package var outcome = JobOutcome.none
    package var headers = Headers()
    package var deduplication: Deduplication?
    /// Empty where it has none.
    package var group = ""
    /// What its worker reported last.
    package var progress = Payload.none

    package init() {}

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        writer.jobID(id)
        writer.string8(queue)
        writer.string8(name)
        writer.string8(customID)
        writer.flowID(flow)
        writer.u8(state.rawValue)
        writer.u8(cause.rawValue)
        writer.u8(
            (options.lifo ? JobView.lifoFlag : 0) | (options.cancelSiblings ? JobView.cancelSiblingsFlag : 0)
                | (isSkipped ? JobView.skippedFlag : 0)
        )
        writer.u8(contentType.rawValue)
        writer.u32(options.priority)
        writer.u16(options.attempts)
        writer.u16(attemptsMade)
        writer.u32(attemptsStarted)
        writer.u32(stalledCount)
        writer.u16(options.maxStalledCount)
        writer.u8(options.onFailure.rawValue)
        writer.u8(options.backoff.kind.rawValue)
        writer.u64(options.backoff.delay)
        writer.u64(options.backoff.maximum)
        writer.u16(options.backoff.jitter)
        writer.u64(options.delay)
        writer.u64(createdAt)
        writer.u64(startedAt)
        writer.u64(finishedAt)
        writer.u64(dueIn)
        dependencies.encode(into: &writer)
        writer.u32(dependents)
        writer.jobID(failedDependency)
        writer.bytes32(data)
        outcome.encode(into: &writer)
        let start = writer.count
        writer.u8(0)
        var count = options.encodeLasting(into: &writer)
        count += writer.option(deduplication)
        count += writer.option(headers)
        count += writer.option(group: group)
        writer.patch(count, at: start)
        writer.payload(progress)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        id = try reader.jobID()
        queue = try reader.string8("queue name")
        name = try reader.string8("job name")
        customID = try reader.string8("custom id")
        flow = try reader.flowID()
        state = try reader.value(JobState.self, "job state")
        cause = try reader.value(FailureCause.self, "failure cause")
        let flags = try reader.u8()
        options.lifo = flags & JobView.lifoFlag != 0
        options.cancelSiblings = flags & JobView.cancelSiblingsFlag != 0
        isSkipped = flags & JobView.skippedFlag != 0
        contentType = ContentType(rawValue: try reader.u8())
        options.priority = try reader.u32()
        options.attempts = try reader.u16()
        attemptsMade = try reader.u16()
        attemptsStarted = try reader.u32()
        stalledCount = try reader.u32()
        options.maxStalledCount = try reader.u16()
        options.onFailure = try reader.value(FailurePolicy.self, "failure policy")
        options.backoff.kind = try reader.value(BackoffKind.self, "kind of backoff")
        options.backoff.delay = try reader.u64()
        options.backoff.maximum = try reader.u64()
        options.backoff.jitter = try reader.u16()
        options.delay = try reader.u64()
        createdAt = try reader.u64()
        startedAt = try reader.u64()
        finishedAt = try reader.u64()
        dueIn = try reader.u64()
        dependencies = try DependencyCounts(from: &reader)
        dependents = try reader.u32()
        failedDependency = try reader.jobID()
        data = try reader.array32()
        outcome = try JobOutcome(from: &reader)
        for _ in 0..<(try reader.u8()) { try readOption(&reader) }
        let progressType = ContentType(rawValue: try reader.u8())
        progress = Payload(progressType, try reader.array32())
    }

    private mutating func readOption(_ reader: inout WireReader) throws(WireError) {
        let tag = try reader.u16()
        let place = try reader.range16()
        var value = WireReader(reader.bytes.extracting(place))
        switch tag & ~OptionTag.mustUnderstand {
        case OptionTag.headers: headers = try Headers(from: &value)
        case OptionTag.deduplication: deduplication = try Deduplication(from: &value)
        case OptionTag.group: group = try value.bytes.string(try value.range(value.remaining), "group's name")
        default: guard try options.read(tag, &value) else { return }
        }
        try value.end("an option")
    }
}
