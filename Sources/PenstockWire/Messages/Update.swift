/// Changes a job that has not finished and that nobody holds.
///
///     u64 sequence | u64 job | u8 flags (1 data is given, 2 priority, 4 delay)
///     u8 contentType | bytes32 data | u32 priority | u64 delay
package struct Update: WireMessage {
    package static let opcode = Opcode.update
    package static let isReply = false
    package static let dataFlag: UInt8 = 1
    package static let priorityFlag: UInt8 = 2
    package static let delayFlag: UInt8 = 4

    package var sequence: UInt64
    package var job: JobID
    /// Each nil: as it was.
    package var data: Payload?
    package var priority: UInt32?
    /// Milliseconds from now, of a delayed job.
    package var delay: UInt64?

    package init(
        sequence: UInt64,
        job: JobID,
        data: Payload? = nil,
        priority: UInt32? = nil,
        delay: UInt64? = nil
    ) {
        self.sequence = sequence
        self.job = job
        self.data = data
        self.priority = priority
        self.delay = delay
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        writer.jobID(job)
        writer.u8(
            (data == nil ? 0 : Update.dataFlag) | (priority == nil ? 0 : Update.priorityFlag)
                | (delay == nil ? 0 : Update.delayFlag)
        )
        writer.payload(data ?? .none)
        writer.u32(priority ?? 0)
        writer.u64(delay ?? 0)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.u64()
        job = try reader.jobID()
        let flags = try reader.u8()
        let contentType = ContentType(rawValue: try reader.u8())
        let place = try reader.range32()
        let priority = try reader.u32()
        let delay = try reader.u64()
        try WireError.checkFlags(
            flags,
            allowed: Update.dataFlag | Update.priorityFlag | Update.delayFlag,
            "an update"
        )
        guard flags != 0 else {
            throw WireError(.invalidOption, "An update of nothing; it has data, a priority or a delay.")
        }
        try Limits.checkData(place.count, isGiven: flags & Update.dataFlag != 0, contentType)
        guard priority <= (flags & Update.priorityFlag != 0 ? Limits.priorityMax : 0) else {
            throw WireError(
                .invalidOption,
                "A priority of \(priority); at most \(Limits.priorityMax) is allowed, and 0 where none is given."
            )
        }
        guard delay <= (flags & Update.delayFlag != 0 ? Limits.delayMillisecondsMax : 0) else {
            throw WireError(
                .invalidOption,
                "A delay of \(delay) ms; at most \(Limits.delayMillisecondsMax) is allowed, and 0 where none is given."
            )
        }
        data = flags & Update.dataFlag != 0 ? Payload(contentType, reader.array(place)) : nil
        self.priority = flags & Update.priorityFlag != 0 ? priority : nil
        self.delay = flags & Update.delayFlag != 0 ? delay : nil
    }
}
