/// Cancels jobs that have not finished.
///
///     u64 sequence | u8 kind (0 job, 1 flow, 2 a job and what lies exclusively below it) | u64 id | str16 reason
package struct Cancel: WireMessage {
    package static let opcode = Opcode.cancel
    package static let isReply = false

    package enum Target: Equatable, Sendable {
        case job(JobID)
        case flow(FlowID)
        /// The job, and the dependencies that nothing else needs, and so on downwards.
        case tree(JobID)
    }

    package var sequence: UInt64
    package var target: Target
    /// For people; may be empty.
    package var reason: String

    package init(sequence: UInt64, target: Target, reason: String = "") {
        self.sequence = sequence
        self.target = target
        self.reason = reason
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        switch target {
        case .job(let id):
            writer.u8(0)
            writer.jobID(id)
        case .flow(let id):
            writer.u8(1)
            writer.flowID(id)
        case .tree(let id):
            writer.u8(2)
            writer.jobID(id)
        }
        writer.string16(reason)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.u64()
        let kind = try reader.u8()
        let id = try reader.u64()
        reason = try reader.string16("reason")
        switch kind {
        case 0: target = .job(JobID(id))
        case 1: target = .flow(FlowID(id))
        case 2: target = .tree(JobID(id))
        default:
            throw WireError(
                .invalidOption,
                "\(kind) is nothing to cancel; 0 (job), 1 (flow) and 2 (a job and what is below it) are."
            )
        }
        guard reason.utf8.count <= Limits.reasonBytesMax else {
            throw WireError(
                .invalidOption,
                "A reason of \(reason.utf8.count) bytes; at most \(Limits.reasonBytesMax) are allowed."
            )
        }
    }
}

/// Runs failed or cancelled jobs again.
///
///     u64 sequence | u8 kind (0 job, 1 flow, 2 queue) | u8 flags (1 keepCounters, 2 data is given, 4 rerun)
///     u64 id | str8 queue | u8 contentType | bytes32 data
package struct Retry: WireMessage {
    package static let opcode = Opcode.retry
    package static let isReply = false
    package static let keepCountersFlag: UInt8 = 1
    package static let dataFlag: UInt8 = 2
    package static let rerunFlag: UInt8 = 4

    package enum Target: Equatable, Sendable {
        case job(JobID)
        case flow(FlowID)
        case queue(String)
    }

    package var sequence: UInt64
    package var target: Target
    /// True: the attempts made and the stalls stay counted.
    package var keepsCounters: Bool
    /// True: a completed job too. Of a job only.
    package var reruns: Bool
    /// What the job's data is from now on; nil: as it was. Of a job only.
    package var data: Payload?

    package init(
        sequence: UInt64,
        target: Target,
        keepsCounters: Bool = false,
        reruns: Bool = false,
        data: Payload? = nil
    ) {
        self.sequence = sequence
        self.target = target
        self.keepsCounters = keepsCounters
        self.reruns = reruns
        self.data = data
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        let (kind, id, queue): (UInt8, UInt64, String) =
            switch target {
            case .job(let id): (0, id.rawValue, "")
            case .flow(let id): (1, id.rawValue, "")
            case .queue(let name): (2, 0, name)
            }
        writer.u8(kind)
        writer.u8(
            (keepsCounters ? Retry.keepCountersFlag : 0) | (data == nil ? 0 : Retry.dataFlag)
                | (reruns ? Retry.rerunFlag : 0)
        )
        writer.u64(id)
        writer.string8(queue)
        writer.payload(data ?? .none)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.u64()
        let kind = try reader.u8()
        let flags = try reader.u8()
        let id = try reader.u64()
        let name = try reader.range8()
        let contentType = ContentType(rawValue: try reader.u8())
        let bytes = try reader.range32()
        switch kind {
        case 0: target = .job(JobID(id))
        case 1: target = .flow(FlowID(id))
        case 2: target = .queue(try reader.bytes.queueName(name))
        default:
            throw WireError(.invalidOption, "\(kind) is nothing to retry; 0 (job), 1 (flow) and 2 (queue) are.")
        }
        guard kind == 2 ? id == 0 : name.isEmpty else {
            throw WireError(.invalidOption, "A retry names a job, a flow or a queue, and nothing beside it.")
        }
        let allowed = kind == 0 ? Retry.keepCountersFlag | Retry.dataFlag | Retry.rerunFlag : Retry.keepCountersFlag
        try WireError.checkFlags(flags, allowed: allowed, "this kind of retry")
        keepsCounters = flags & Retry.keepCountersFlag != 0
        reruns = flags & Retry.rerunFlag != 0
        let hasData = flags & Retry.dataFlag != 0
        try Limits.checkData(bytes.count, isGiven: hasData, contentType)
        data = hasData ? Payload(contentType, reader.array(bytes)) : nil
    }
}

/// Finishes a job by hand; a worker that holds it loses it.
///
///     u64 sequence | u8 outcome (0 complete, 1 fail) | u64 job | u8 contentType | bytes32 result or details | str16 message
package struct Finish: WireMessage {
    package static let opcode = Opcode.finish
    package static let isReply = false

    package enum Ending: Equatable, Sendable {
        case complete(Payload)
        case fail(message: String, details: [UInt8])
    }

    package var sequence: UInt64
    package var job: JobID
    package var ending: Ending

    package init(sequence: UInt64, job: JobID, ending: Ending) {
        self.sequence = sequence
        self.job = job
        self.ending = ending
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        switch ending {
        case .complete(let result):
            writer.u8(0)
            writer.jobID(job)
            writer.payload(result)
            writer.string16("")
        case .fail(let message, let details):
            writer.u8(1)
            writer.jobID(job)
            writer.payload(Payload(.none, details))
            writer.string16(message)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.u64()
        let outcome = try reader.u8()
        job = try reader.jobID()
        let contentType = ContentType(rawValue: try reader.u8())
        let bytes = try reader.range32()
        let message = try reader.string16("failure message")
        switch outcome {
        case 0:
            guard message.isEmpty else { throw WireError(.invalidOption, "A completed job has no failure message.") }
            try Limits.checkResult(bytes.count)
            ending = .complete(Payload(contentType, reader.array(bytes)))
        case 1:
            guard contentType == .none else {
                throw WireError(.invalidOption, "The details of a failure have no content type; it must be 0.")
            }
            try Limits.checkFailure(message: message.utf8.count, details: Int(bytes.count))
            ending = .fail(message: message, details: reader.array(bytes))
        default:
            throw WireError(.invalidOption, "\(outcome) is no way to finish a job; 0 (complete) and 1 (fail) are.")
        }
    }
}

/// Decides one edge by hand, whatever becomes of the dependency.
///
///     u64 sequence | u64 dependent | u64 dependency | u8 to (1 processed, 2 ignored, 3 removed)
package struct Resolve: WireMessage {
    package static let opcode = Opcode.resolve
    package static let isReply = false

    package enum Resolution: UInt8, Sendable, CaseIterable {
        case processed = 1
        case ignored = 2
        case removed = 3
    }

    package var sequence: UInt64
    package var dependent: JobID
    package var dependency: JobID
    package var to: Resolution

    package init(sequence: UInt64, dependent: JobID, dependency: JobID, to: Resolution) {
        self.sequence = sequence
        self.dependent = dependent
        self.dependency = dependency
        self.to = to
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        writer.jobID(dependent)
        writer.jobID(dependency)
        writer.u8(to.rawValue)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.u64()
        dependent = try reader.jobID()
        dependency = try reader.jobID()
        to = try reader.value(Resolution.self, "way to resolve an edge; 1 (processed), 2 (ignored) and 3 (removed) are")
    }
}
