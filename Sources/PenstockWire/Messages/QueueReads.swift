/// Asks for a queue's counts and settings; answered by ``QueueView``.
///
///     str8 queue
package struct GetQueue: WireMessage {
    package static let opcode = Opcode.getQueue
    package static let isReply = false
    package var queue: String

    package init(queue: String) { self.queue = queue }
    package func encode(into writer: inout WireWriter) { writer.string8(queue) }
    package init(from reader: inout WireReader) throws(WireError) { queue = try reader.string8("queue name") }
}

/// A queue's jobs by state and its settings, exact at the commit that it names.
///
///     u64 commit | StateCounts | u64 oldestReady (all ones: no job is ready) | u64 limitedFor | QueueSettings
package struct QueueView: WireMessage {
    package static let opcode = Opcode.getQueue
    package static let isReply = true
    package static let noneReady = UInt64.max

    package var commit: UInt64
    package var counts: StateCounts
    /// Milliseconds since the job became ready that has been so for longest of those that are first of their priority.
    package var oldestReady: UInt64?
    /// Milliseconds until a rate lets the queue's next job go; 0: none holds it.
    package var limitedFor: UInt64
    package var settings: QueueSettings

    package init(
        commit: UInt64,
        counts: StateCounts,
        oldestReady: UInt64? = nil,
        limitedFor: UInt64 = 0,
        settings: QueueSettings = .standard
    ) {
        self.commit = commit
        self.counts = counts
        self.oldestReady = oldestReady
        self.limitedFor = limitedFor
        self.settings = settings
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        counts.encode(into: &writer)
        writer.u64(oldestReady ?? QueueView.noneReady)
        writer.u64(limitedFor)
        settings.encode(into: &writer)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        counts = try StateCounts(from: &reader)
        let oldest = try reader.u64()
        oldestReady = oldest == QueueView.noneReady ? nil : oldest
        limitedFor = try reader.u64()
        settings = try QueueSettings(from: &reader)
    }
}

/// Asks for a page of the queues.
///
///     u64 cursor | u32 rows
package struct ListQueues: WireMessage {
    package static let opcode = Opcode.listQueues
    package static let isReply = false
    package var cursor: UInt64
    package var rows: UInt32

    package init(cursor: UInt64 = 0, rows: UInt32 = 0) {
        self.cursor = cursor
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(cursor)
        writer.u32(rows)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        cursor = try reader.u64()
        rows = try reader.u32()
    }
}

/// The answer to ``ListQueues``, in the order in which the queues were first named.
///
///     u64 commit | u64 next | u32 rows | rows x (str8 name | StateCounts | u8 paused)
package struct QueuePage: WireMessage {
    package static let opcode = Opcode.listQueues
    package static let isReply = true

    package struct Row: Equatable, Sendable {
        package static let byteCountMin = 30

        package var name: String
        package var counts: StateCounts
        package var isPaused: Bool

        package init(name: String, counts: StateCounts, isPaused: Bool) {
            self.name = name
            self.counts = counts
            self.isPaused = isPaused
        }
    }

    package var commit: UInt64
    package var next: UInt64
    package var rows: [Row]

    package init(commit: UInt64, next: UInt64, rows: [Row]) {
        self.commit = commit
        self.next = next
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        writer.u64(next)
        writer.u32(UInt32(rows.count))
        for row in rows {
            writer.string8(row.name)
            row.counts.encode(into: &writer)
            writer.u8(row.isPaused ? 1 : 0)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        next = try reader.u64()
        rows = []
        for _ in 0..<(try reader.count32(bytesEach: Row.byteCountMin)) {
            let name = try reader.string8("queue name")
            let counts = try StateCounts(from: &reader)
            rows.append(Row(name: name, counts: counts, isPaused: try reader.u8() != 0))
        }
    }
}

/// Asks for a page of a queue's waiting jobs, counted by priority.
///
///     str8 queue | u64 cursor | u32 rows
package struct GetPriorities: WireMessage {
    package static let opcode = Opcode.getPriorities
    package static let isReply = false
    package var queue: String
    package var cursor: UInt64
    package var rows: UInt32

    package init(queue: String, cursor: UInt64 = 0, rows: UInt32 = 0) {
        self.queue = queue
        self.cursor = cursor
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.string8(queue)
        writer.u64(cursor)
        writer.u32(rows)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        queue = try reader.string8("queue name")
        cursor = try reader.u64()
        rows = try reader.u32()
    }
}

/// The answer to ``GetPriorities``: the priorities that waiting jobs have, the most urgent first.
///
///     u64 commit | u64 next | u32 rows | rows x (u32 priority | u32 waiting)
package struct PriorityPage: WireMessage {
    package static let opcode = Opcode.getPriorities
    package static let isReply = true

    package struct Row: Equatable, Sendable {
        package var priority: UInt32
        package var waiting: UInt32

        package init(priority: UInt32, waiting: UInt32) {
            self.priority = priority
            self.waiting = waiting
        }
    }

    package var commit: UInt64
    package var next: UInt64
    package var rows: [Row]

    package init(commit: UInt64, next: UInt64, rows: [Row]) {
        self.commit = commit
        self.next = next
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        writer.u64(next)
        writer.u32(UInt32(rows.count))
        for row in rows {
            writer.u32(row.priority)
            writer.u32(row.waiting)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        next = try reader.u64()
        rows = []
        for _ in 0..<(try reader.count32(bytesEach: 8)) {
            let priority = try reader.u32()
            rows.append(Row(priority: priority, waiting: try reader.u32()))
        }
    }
}
