/// Asks for a page of a job's log; answered by ``LogPage``.
///
///     u64 job | u64 cursor (0: the first line that is left) | u32 rows
package struct GetLogs: WireMessage {
    package static let opcode = Opcode.getLogs
    package static let isReply = false
    package var job: JobID
    package var cursor: UInt64
    package var rows: UInt32

    package init(job: JobID, cursor: UInt64 = 0, rows: UInt32 = 0) {
        self.job = job
        self.cursor = cursor
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.jobID(job)
        writer.u64(cursor)
        writer.u32(rows)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        job = try reader.jobID()
        cursor = try reader.u64()
        rows = try reader.u32()
    }
}

/// A page of a job's log, the oldest line first.
///
///     u64 commit | u64 next (0: this was the last) | u64 lines | u32 rows
///     rows x (u32 number | u64 time | str16 text)
package struct LogPage: WireMessage {
    package static let opcode = Opcode.getLogs
    package static let isReply = true

    package struct Row: Equatable, Sendable {
        package static let byteCountMin = 14

        /// 1 for the first line that was ever written.
        package var number: UInt32
        /// Wall time in milliseconds since 1970.
        package var time: UInt64
        package var text: String

        package init(number: UInt32, time: UInt64, text: String) {
            self.number = number
            self.time = time
            self.text = text
        }
    }

    package var commit: UInt64
    package var next: UInt64
    /// Lines ever written, those that are gone included.
    package var lines: UInt64
    package var rows: [Row]

    package init(commit: UInt64, next: UInt64 = 0, lines: UInt64 = 0, rows: [Row] = []) {
        self.commit = commit
        self.next = next
        self.lines = lines
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        writer.u64(next)
        writer.u64(lines)
        writer.u32(UInt32(rows.count))
        for row in rows {
            writer.u32(row.number)
            writer.u64(row.time)
            writer.string16(row.text)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        next = try reader.u64()
        lines = try reader.u64()
        let count = try reader.count32(bytesEach: Row.byteCountMin)
        rows = []
        for _ in 0..<count {
            let number = try reader.u32()
            let time = try reader.u64()
            rows.append(Row(number: number, time: time, text: try reader.string16("line of a log")))
        }
    }
}

/// Lets go of a job's log, but for its newest lines.
///
///     u64 sequence | u64 job | u32 keep
package struct ClearLogs: WireMessage {
    package static let opcode = Opcode.clearLogs
    package static let isReply = false
    package var sequence: UInt64
    package var job: JobID
    package var keep: UInt32

    package init(sequence: UInt64, job: JobID, keep: UInt32 = 0) {
        self.sequence = sequence
        self.job = job
        self.keep = keep
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        writer.jobID(job)
        writer.u32(keep)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.u64()
        job = try reader.jobID()
        keep = try reader.u32()
    }
}
