/// Asks for a page of the schedulers.
///
///     str8 after | u32 rows
package struct GetSchedulers: WireMessage {
    package static let opcode = Opcode.getSchedulers
    package static let isReply = false
    /// The last id that is known; empty: from the start.
    package var after: String
    package var rows: UInt32

    package init(after: String = "", rows: UInt32 = 0) {
        self.after = after
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.string8(after)
        writer.u32(rows)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        after = try reader.string8("scheduler's id")
        rows = try reader.u32()
    }
}

/// The answer to ``GetSchedulers``, ordered by the bytes of the id.
///
///     u64 commit | u8 more | u32 rows | rows x (str8 id | SchedulerRule | u64 next | u64 runs | u64 lastFlow | u64 lastJob)
package struct SchedulerPage: WireMessage {
    package static let opcode = Opcode.getSchedulers
    package static let isReply = true

    package struct Row: Equatable, Sendable {
        package static let byteCountMin = 33 + SchedulerRule.byteCountMin

        package var id: String
        package var rule: SchedulerRule
        /// Wall time of the next run; 0: there is none left.
        package var next: UInt64
        /// Runs so far.
        package var runs: UInt64
        /// What the last run added: a flow, or a job alone.
        package var lastFlow: FlowID
        package var lastJob: JobID

        package init(
            id: String,
            rule: SchedulerRule,
            next: UInt64,
            runs: UInt64,
            lastFlow: FlowID,
            lastJob: JobID
        ) {
            self.id = id
            self.rule = rule
            self.next = next
            self.runs = runs
            self.lastFlow = lastFlow
            self.lastJob = lastJob
        }
    }

    package var commit: UInt64
    /// True: there are schedulers after the last row.
    package var hasMore: Bool
    package var rows: [Row]

    package init(commit: UInt64, hasMore: Bool, rows: [Row]) {
        self.commit = commit
        self.hasMore = hasMore
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        writer.u8(hasMore ? 1 : 0)
        writer.u32(UInt32(rows.count))
        for row in rows {
            writer.string8(row.id)
            row.rule.encode(into: &writer)
            writer.u64(row.next)
            writer.u64(row.runs)
            writer.flowID(row.lastFlow)
            writer.jobID(row.lastJob)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        hasMore = try reader.u8() != 0
        rows = []
        for _ in 0..<(try reader.count32(bytesEach: Row.byteCountMin)) {
            let id = try reader.string8("scheduler's id")
            let rule = try SchedulerRule(from: &reader)
            let next = try reader.u64()
            let runs = try reader.u64()
            let lastFlow = try reader.flowID()
            let lastJob = try reader.jobID()
            rows.append(Row(id: id, rule: rule, next: next, runs: runs, lastFlow: lastFlow, lastJob: lastJob))
        }
    }
}

/// Asks when a scheduler will run.
///
///     str8 id | u32 count
package struct GetNextRuns: WireMessage {
    package static let opcode = Opcode.getNextRuns
    package static let isReply = false
    package var id: String
    /// Occurrences, 1 to ``Limits/nextRunsMax``.
    package var count: UInt32

    package init(id: String, count: UInt32) {
        self.id = id
        self.count = count
    }

    package func encode(into writer: inout WireWriter) {
        writer.string8(id)
        writer.u32(count)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        id = try reader.string8("scheduler's id")
        count = try reader.u32()
        guard (1...UInt32(Limits.nextRunsMax)).contains(count) else {
            throw WireError(.invalidRequest, "\(count) runs; 1 to \(Limits.nextRunsMax) are allowed.")
        }
    }
}

/// The answer to ``GetNextRuns``.
///
///     u64 commit | u32 runs | runs x u64 wall time
package struct NextRunTimes: WireMessage {
    package static let opcode = Opcode.getNextRuns
    package static let isReply = true
    package var commit: UInt64
    /// Wall times in their order; fewer than were asked for where limit or end come before.
    package var times: [UInt64]

    package init(commit: UInt64, times: [UInt64]) {
        self.commit = commit
        self.times = times
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        writer.u32(UInt32(times.count))
        for time in times { writer.u64(time) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        times = []
        for _ in 0..<(try reader.count32(bytesEach: 8)) { times.append(try reader.u64()) }
    }
}
