/// Bounds how many jobs of a group run at a time; without a name, of each group of the queue that has no bound of its own.
///
///     u64 sequence | str8 queue | str8 group (empty: each group without a bound of its own) | u32 concurrency (0: no bound)
package struct SetGroup: WireMessage {
    package static let opcode = Opcode.setGroup
    package static let isReply = false

    package var sequence: UInt64
    package var queue: String
    /// Empty: each group that has no bound of its own.
    package var group: String
    /// Jobs that may run at a time; 0: no bound, or for one group, that of the others.
    package var concurrency: UInt32

    package init(sequence: UInt64, queue: String, group: String, concurrency: UInt32) {
        self.sequence = sequence
        self.queue = queue
        self.group = group
        self.concurrency = concurrency
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(sequence)
        writer.string8(queue)
        writer.string8(group)
        writer.u32(concurrency)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        sequence = try reader.u64()
        let name = try reader.range8()
        queue = try reader.bytes.queueName(name)
        group = try reader.string8("group's name")
        concurrency = try reader.u32()
    }
}

/// Asks for a page of the groups of a queue, or for one of them.
///
///     str8 queue | str8 group (empty: all) | u64 cursor | u32 rows
package struct GetGroups: WireMessage {
    package static let opcode = Opcode.getGroups
    package static let isReply = false

    package var queue: String
    /// Empty: all of them.
    package var group: String
    package var cursor: UInt64
    package var rows: UInt32

    package init(queue: String, group: String = "", cursor: UInt64 = 0, rows: UInt32 = 0) {
        self.queue = queue
        self.group = group
        self.cursor = cursor
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.string8(queue)
        writer.string8(group)
        writer.u64(cursor)
        writer.u32(rows)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        queue = try reader.string8("queue name")
        group = try reader.string8("group's name")
        cursor = try reader.u64()
        rows = try reader.u32()
    }
}

/// The answer to ``GetGroups``: the groups that have waiting or active jobs, or a bound of their own, as a round comes to
/// them.
///
///     u64 commit | u64 next | u32 concurrency | u32 rows
///     rows x (str8 name | u32 waiting | u32 active | u32 concurrency)
package struct GroupPage: WireMessage {
    package static let opcode = Opcode.getGroups
    package static let isReply = true

    package struct Row: Equatable, Sendable {
        package static let byteCountMin = 13

        package var name: String
        package var waiting: UInt32
        package var active: UInt32
        /// Its own bound of jobs that run at a time; 0: it has none of its own.
        package var concurrency: UInt32

        package init(name: String, waiting: UInt32, active: UInt32, concurrency: UInt32) {
            self.name = name
            self.waiting = waiting
            self.active = active
            self.concurrency = concurrency
        }
    }

    package var commit: UInt64
    package var next: UInt64
    /// The bound of each group that has none of its own; 0: none.
    package var concurrency: UInt32
    package var rows: [Row]

    package init(commit: UInt64, next: UInt64, concurrency: UInt32, rows: [Row]) {
        self.commit = commit
        self.next = next
        self.concurrency = concurrency
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(commit)
        writer.u64(next)
        writer.u32(concurrency)
        writer.u32(UInt32(rows.count))
        for row in rows {
            writer.string8(row.name)
            writer.u32(row.waiting)
            writer.u32(row.active)
            writer.u32(row.concurrency)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        next = try reader.u64()
        concurrency = try reader.u32()
        rows = []
        for _ in 0..<(try reader.count32(bytesEach: Row.byteCountMin)) {
            let name = try reader.string8("group's name")
            let waiting = try reader.u32()
            let active = try reader.u32()
            rows.append(
                Row(name: name, waiting: waiting, active: active, concurrency: try reader.u32())
            )
        }
    }
}
