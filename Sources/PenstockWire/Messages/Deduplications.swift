/// Frees a deduplication id of a queue: the next add of it makes a job.
///
///     u64 sequence | str8 queue | str8 id | u64 job (0: whichever holds it)
package struct RemoveDeduplication: WireMessage {
    package static let opcode = Opcode.removeDeduplication
    package static let isReply = false

    package var sequence: UInt64
    package var queue: String
    package var id: String
    /// The id is freed only where this job holds it; ``JobID/none``: whichever does.
    package var job: JobID

    package init(sequence: UInt64, queue: String, id: String, job: JobID = .none) {
        self.sequence = sequence
        self.queue = queue
        self.id = id
        self.job = job
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        writer.string8(queue)
        writer.string8(id)
        writer.jobID(job)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.u64()
        let queue = try reader.range8()
        let id = try reader.range8()
        job = try reader.jobID()
        self.queue = try reader.bytes.queueName(queue)
        self.id = try reader.bytes.deduplicationID(id)
    }
}

/// Asks which job holds a deduplication id of a queue.
///
///     str8 queue | str8 id
package struct GetDeduplication: WireMessage {
    package static let opcode = Opcode.getDeduplication
    package static let isReply = false

    package var queue: String
    package var id: String

    package init(queue: String, id: String) {
        self.queue = queue
        self.id = id
    }

    package func encode(into writer: inout WireWriter) {
        writer.string8(queue)
        writer.string8(id)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let queue = try reader.range8()
        let id = try reader.range8()
        self.queue = try reader.bytes.queueName(queue)
        self.id = try reader.bytes.deduplicationID(id)
    }
}

/// The answer to ``GetDeduplication``.
///
///     u64 commit | u64 job (0: the id is free) | u8 flags (1 an add is kept) | u64 endsIn (0: until the job has finished)
package struct DeduplicationView: WireMessage {
    package static let opcode = Opcode.getDeduplication
    package static let isReply = true
    package static let keptFlag: UInt8 = 1

    package var commit: UInt64
    /// The job that holds it; it may have been removed. ``JobID/none``: nobody does.
    package var job: JobID
    /// An add is kept, and becomes a job when the one that holds the id has ended.
    package var hasKept: Bool
    /// Milliseconds for which the id is held still; 0: until the job has finished.
    package var endsIn: UInt64

    package init(commit: UInt64, job: JobID = .none, hasKept: Bool = false, endsIn: UInt64 = 0) {
        self.commit = commit
        self.job = job
        self.hasKept = hasKept
        self.endsIn = endsIn
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        writer.jobID(job)
        writer.u8(hasKept ? DeduplicationView.keptFlag : 0)
        writer.u64(endsIn)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        job = try reader.jobID()
        hasKept = try reader.u8() & DeduplicationView.keptFlag != 0
        endsIn = try reader.u64()
    }
}

extension RawSpan {
    fileprivate func deduplicationID(_ range: ByteRange) throws(WireError) -> String {
        try Names.checkDeduplication(extracting(range))
        return try string(range, "deduplication id")
    }
}
