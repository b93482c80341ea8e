/// A place in a list of jobs: what the list is ordered by, and the job.
///
///     u64 order | u64 job
package struct JobListCursor: Equatable, Sendable {
    package var order: UInt64
    package var job: UInt64

    /// Before the first job; as an answer: there are no more.
    package static let start = JobListCursor(order: 0, job: 0)

    package init(order: UInt64, job: UInt64) {
        self.order = order
        self.job = job
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(order)
        writer.u64(job)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        order = try reader.u64()
        job = try reader.u64()
    }
}

/// Asks for a page of the jobs of a queue that are in one state.
///
///     str8 queue | u8 state | u8 flags (1 backwards) | JobListCursor | u32 rows
package struct GetJobs: WireMessage {
    package static let opcode = Opcode.getJobs
    package static let isReply = false
    package static let backwardsFlag: UInt8 = 1

    package var queue: String
    package var state: JobState
    /// The last ones first.
    package var isBackwards: Bool
    package var cursor: JobListCursor
    package var rows: UInt32

    package init(
        queue: String,
        state: JobState,
        isBackwards: Bool = false,
        cursor: JobListCursor = .start,
        rows: UInt32 = 0
    ) {
        self.queue = queue
        self.state = state
        self.isBackwards = isBackwards
        self.cursor = cursor
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.string8(queue)
        writer.u8(state.rawValue)
        writer.u8(isBackwards ? GetJobs.backwardsFlag : 0)
        cursor.encode(into: &writer)
        writer.u32(rows)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        queue = try reader.string8("queue name")
        let state = try reader.u8()
        let flags = try reader.u8()
        cursor = try JobListCursor(from: &reader)
        rows = try reader.u32()
        guard let state = JobState(rawValue: state) else {
            throw WireError(.invalidOption, "\(state) is no state of a job; 0 to 6 are.")
        }
        self.state = state
        try WireError.checkFlags(flags, allowed: GetJobs.backwardsFlag, "a list of jobs")
        isBackwards = flags & GetJobs.backwardsFlag != 0
    }
}

/// The answer to ``GetJobs``.
///
///     u64 commit | JobListCursor next | u32 rows | rows x (u64 job | str8 name | str8 customID | u64 flow | u8 cause
///         | u32 priority | u16 attempts | u16 attemptsMade | u32 attemptsStarted
///         | u64 createdAt | u64 startedAt | u64 finishedAt | u64 dueIn)
package struct JobPage: WireMessage {
    package static let opcode = Opcode.getJobs
    package static let isReply = true

    package struct Row: Equatable, Sendable {
        package static let byteCountMin = 63

        package var job = JobID.none
        package var name = ""
        /// Empty where it has none.
        package var customID = ""
        package var flow = FlowID.none
        package var cause = FailureCause.none
        package var priority: UInt32 = 0
        package var attempts: UInt16 = 1
        package var attemptsMade: UInt16 = 0
        package var attemptsStarted: UInt32 = 0
        /// Wall times in milliseconds since 1970; 0 where it has not happened.
        package var createdAt: UInt64 = 0
        package var startedAt: UInt64 = 0
        package var finishedAt: UInt64 = 0
        /// Milliseconds until a delayed job is due; 0 for any other.
        package var dueIn: UInt64 = 0

        package init() {}

        func encode(into writer: inout WireWriter) {
            writer.jobID(job)
            writer.string8(name)
            writer.string8(customID)
            writer.flowID(flow)
            writer.u8(cause.rawValue)
            writer.u32(priority)
            writer.u16(attempts)
            writer.u16(attemptsMade)
            writer.u32(attemptsStarted)
            writer.u64(createdAt)
            writer.u64(startedAt)
            writer.u64(finishedAt)
            writer.u64(dueIn)
        }

        init(from reader: inout WireReader) throws(WireError) {
            job = try reader.jobID()
            name = try reader.string8("job name")
            customID = try reader.string8("custom id")
            flow = try reader.flowID()
            cause = try reader.value(FailureCause.self, "failure cause")
            priority = try reader.u32()
            attempts = try reader.u16()
            attemptsMade = try reader.u16()
            attemptsStarted = try reader.u32()
            createdAt = try reader.u64()
            startedAt = try reader.u64()
            finishedAt = try reader.u64()
            dueIn = try reader.u64()
        }
    }

    package var commit: UInt64
    package var next: JobListCursor
    package var rows: [Row]

    package init(commit: UInt64, next: JobListCursor, rows: [Row]) {
        self.commit = commit
        self.next = next
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        next.encode(into: &writer)
        writer.u32(UInt32(rows.count))
        for row in rows { row.encode(into: &writer) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        next = try JobListCursor(from: &reader)
        rows = []
        for _ in 0..<(try reader.count32(bytesEach: Row.byteCountMin)) { rows.append(try Row(from: &reader)) }
    }
}
