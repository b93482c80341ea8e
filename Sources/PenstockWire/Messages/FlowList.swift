/// Asks for a page of the flows, the newest first.
///
///     str8 name | u8 status (255: any) | u64 createdFrom | u64 createdTo | u8 flags (1 oldest first) | u64 cursor | u32 rows
package struct ListFlows: WireMessage {
    package static let opcode = Opcode.listFlows
    package static let isReply = false
    package static let oldestFirstFlag: UInt8 = 1
    package static let anyStatus: UInt8 = 255

    /// Only flows of this name; empty: of any.
    package var name: String
    /// Only flows that have it now; nil: any.
    package var status: FlowStatus?
    /// Only flows added from the one wall time on and before the other, in milliseconds; 0: no bound.
    package var createdFrom: UInt64
    package var createdTo: UInt64
    package var oldestFirst: Bool
    /// 0 for the first page, then what the last one said.
    package var cursor: UInt64
    package var rows: UInt32

    package init(
        name: String = "",
        status: FlowStatus? = nil,
        createdFrom: UInt64 = 0,
        createdTo: UInt64 = 0,
        oldestFirst: Bool = false,
        cursor: UInt64 = 0,
        rows: UInt32 = 0
    ) {
        self.name = name
        self.status = status
        self.createdFrom = createdFrom
        self.createdTo = createdTo
        self.oldestFirst = oldestFirst
        self.cursor = cursor
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.string8(name)
        writer.u8(status?.rawValue ?? ListFlows.anyStatus)
        writer.u64(createdFrom)
        writer.u64(createdTo)
        writer.u8(oldestFirst ? ListFlows.oldestFirstFlag : 0)
        writer.u64(cursor)
        writer.u32(rows)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        name = try reader.string8("flow name")
        let status = try reader.u8()
        createdFrom = try reader.u64()
        createdTo = try reader.u64()
        let flags = try reader.u8()
        cursor = try reader.u64()
        rows = try reader.u32()
        self.status = FlowStatus(rawValue: status)
        guard self.status != nil || status == ListFlows.anyStatus else {
            throw WireError(.invalidOption, "\(status) is no flow status; 0 to 5, or 255 for any, are.")
        }
        try WireError.checkFlags(flags, allowed: ListFlows.oldestFirstFlag, "a list of flows")
        oldestFirst = flags & ListFlows.oldestFirstFlag != 0
    }
}

/// The answer to ``ListFlows``.
///
///     u64 commit | u64 next | u32 rows
///     rows x (u64 id | str8 name | u8 status | u64 createdAt | u64 finishedAt | StateCounts)
package struct FlowPage: WireMessage {
    package static let opcode = Opcode.listFlows
    package static let isReply = true

    package struct Row: Equatable, Sendable {
        package static let byteCountMin = 54

        package var id: FlowID
        package var name: String
        package var status: FlowStatus
        package var createdAt: UInt64
        package var finishedAt: UInt64
        package var counts: StateCounts

        package init(
            id: FlowID,
            name: String,
            status: FlowStatus,
            createdAt: UInt64,
            finishedAt: UInt64,
            counts: StateCounts
        ) {
            self.id = id
            self.name = name
            self.status = status
            self.createdAt = createdAt
            self.finishedAt = finishedAt
            self.counts = counts
        }
    }

    package var commit: UInt64
    /// The cursor of the next page; 0 where this was the last.
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
            writer.flowID(row.id)
            writer.string8(row.name)
            writer.u8(row.status.rawValue)
            writer.u64(row.createdAt)
            writer.u64(row.finishedAt)
            row.counts.encode(into: &writer)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        commit = try reader.u64()
        next = try reader.u64()
        rows = []
        for _ in 0..<(try reader.count32(bytesEach: Row.byteCountMin)) {
            let id = try reader.flowID()
            let name = try reader.string8("flow name")
            let status = try reader.value(FlowStatus.self, "flow status")
            let createdAt = try reader.u64()
            let finishedAt = try reader.u64()
            rows.append(
                Row(
                    id: id,
                    name: name,
                    status: status,
                    createdAt: createdAt,
                    finishedAt: finishedAt,
                    counts: try StateCounts(from: &reader)
                )
            )
        }
    }
}
