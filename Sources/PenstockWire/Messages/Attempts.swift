/// How an attempt ended.
package enum AttemptEnding: UInt8, Sendable, CaseIterable {
    /// It has not: the job is active.
    case running = 0
    case completed = 1
    case failed = 2
    /// It took longer than the job's timeout.
    case timedOut = 3
    /// Its lease ran out.
    case stalled = 4
    /// Its worker gave the job back.
    case released = 5
    /// Its worker put the job off.
    case moved = 6
    /// A command, or a decision of the server, took the job from its worker.
    case withdrawn = 7
}

/// Asks for the attempts of a job; answered by ``AttemptList``.
///
///     u64 job
package struct GetAttempts: WireMessage {
    package static let opcode = Opcode.getAttempts
    package static let isReply = false
    package var job: JobID

    package init(job: JobID) { self.job = job }
    package func encode(into writer: inout WireWriter) { writer.jobID(job) }
    package init(from reader: inout WireReader) throws(WireError) { job = try reader.jobID() }
}

/// The newest attempts of a job, the oldest of them first.
///
///     u64 commit | u32 rows | rows x (u32 number | u8 ending | u64 startedAt | u64 finishedAt
///                                     | str8 worker | str16 message)
package struct AttemptList: WireMessage {
    package static let opcode = Opcode.getAttempts
    package static let isReply = true

    package struct Row: Equatable, Sendable {
        package static let byteCountMin = 24

        /// 1 for the first; starts that a restart forgot are not counted.
        package var number: UInt32
        package var ending: AttemptEnding
        /// Wall times in milliseconds since 1970; 0 where it has not happened.
        package var startedAt: UInt64
        package var finishedAt: UInt64
        /// Empty where it is not known.
        package var worker: String
        package var message: String

        package init(
            number: UInt32,
            ending: AttemptEnding,
            startedAt: UInt64,
            finishedAt: UInt64 = 0,
            worker: String = "",
            message: String = ""
        ) {
            self.number = number
            self.ending = ending
            self.startedAt = startedAt
            self.finishedAt = finishedAt
            self.worker = worker
            self.message = message
        }
    }

    package var commit: UInt64
    package var rows: [Row]

    package init(commit: UInt64, rows: [Row]) {
        self.commit = commit
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        writer.u32(UInt32(rows.count))
        for row in rows {
            writer.u32(row.number)
            writer.u8(row.ending.rawValue)
            writer.u64(row.startedAt)
            writer.u64(row.finishedAt)
            writer.string8(row.worker)
            writer.string16(row.message)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        let count = try reader.count32(bytesEach: Row.byteCountMin)
        rows = []
        for _ in 0..<count {
            let number = try reader.u32()
            let ending = try reader.value(AttemptEnding.self, "ending of an attempt")
            let startedAt = try reader.u64()
            let finishedAt = try reader.u64()
            let worker = try reader.string8("worker's name")
            let message = try reader.string16("failure message")
            rows.append(
                Row(
                    number: number,
                    ending: ending,
                    startedAt: startedAt,
                    finishedAt: finishedAt,
                    worker: worker,
                    message: message
                )
            )
        }
    }
}
