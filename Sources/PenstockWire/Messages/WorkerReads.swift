/// Asks for a page of the workers that are connected, and of the sessions that hold jobs without one.
///
///     str8 queue | u64 cursor | u32 rows
package struct GetWorkers: WireMessage {
    package static let opcode = Opcode.getWorkers
    package static let isReply = false
    /// Only those of this queue; empty: all of them.
    package var queue: String
    /// 0 for the first page, then what `next` was.
    package var cursor: UInt64
    package var rows: UInt32

    package init(queue: String = "", cursor: UInt64 = 0, rows: UInt32 = 0) {
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

/// The answer to ``GetWorkers``.
///
///     u64 next | u32 rows
///     rows x (u64 u64 session | str8 client | str8 peer | u8 flags (1 connected, 2 subscribed) | str8 worker
///             u16 queues | queues x str8 | u32 credits | u32 held | u32 reserved | u16 jobs | jobs x (u64 job | str8 queue | u64 startedAt))
package struct WorkerPage: WireMessage {
    package static let opcode = Opcode.getWorkers
    package static let isReply = true

    package struct Job: Equatable, Sendable {
        package static let byteCountMin = 17

        package var job: JobID
        package var queue: String
        /// Wall time.
        package var startedAt: UInt64

        package init(job: JobID, queue: String, startedAt: UInt64) {
            self.job = job
            self.queue = queue
            self.startedAt = startedAt
        }
    }

    package struct Row: Equatable, Sendable {
        package static let byteCountMin = 36

        package var session = SessionID(high: 0, low: 0)
        package var client = ""
        package var peer = ""
        /// False: the connection of its session is lost, and the jobs have their leases still.
        package var isConnected = false
        /// False: the jobs were delivered to a subscription that is gone; its name is not known.
        package var isSubscribed = false
        package var worker = ""
        package var queues: [String] = []
        /// Jobs that it could be given now.
        package var credits: UInt32 = 0
        /// Jobs that it holds and that it has started, the first of which are in ``jobs``.
        package var held: UInt32 = 0
        /// Jobs that are reserved for it.
        package var reserved: UInt32 = 0
        package var jobs: [Job] = []

        package init() {}
    }

    /// 0: this was the last page.
    package var next: UInt64
    package var rows: [Row]

    package init(next: UInt64 = 0, rows: [Row] = []) {
        self.next = next
        self.rows = rows
    }

    package func encode(into writer: inout WireWriter) {
        writer.u64(next)
        writer.u32(UInt32(rows.count))
        for row in rows {
            writer.sessionID(row.session)
            writer.string8(row.client)
            writer.string8(row.peer)
            writer.u8((row.isConnected ? 1 : 0) | (row.isSubscribed ? 2 : 0))
            writer.string8(row.worker)
            writer.u16(UInt16(row.queues.count))
            for queue in row.queues { writer.string8(queue) }
            writer.u32(row.credits)
            writer.u32(row.held)
            writer.u32(row.reserved)
            writer.u16(UInt16(row.jobs.count))
            for job in row.jobs {
                writer.jobID(job.job)
                writer.string8(job.queue)
                writer.u64(job.startedAt)
            }
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        next = try reader.u64()
        rows = []
        for _ in 0..<(try reader.count32(bytesEach: Row.byteCountMin)) { rows.append(try Row(from: &reader)) }
    }
}

extension WorkerPage.Row {
    /// Bytes that the row takes on the wire.
    package var byteCount: Int {
        Self.byteCountMin + client.utf8.count + peer.utf8.count + worker.utf8.count
            + queues.reduce(0) { $0 + 1 + $1.utf8.count }
            + jobs.reduce(0) { $0 + WorkerPage.Job.byteCountMin + $1.queue.utf8.count }
    }

    init(from reader: inout WireReader) throws(WireError) {
        session = try reader.sessionID()
        client = try reader.string8("client name")
        peer = try reader.string8("peer")
        let flags = try reader.u8()
        isConnected = flags & 1 != 0
        isSubscribed = flags & 2 != 0
        worker = try reader.string8("worker name")
        for _ in 0..<(try reader.count16(bytesEach: 1)) { queues.append(try reader.string8("queue name")) }
        credits = try reader.u32()
        held = try reader.u32()
        reserved = try reader.u32()
        for _ in 0..<(try reader.count16(bytesEach: WorkerPage.Job.byteCountMin)) {
            let job = try reader.jobID()
            let queue = try reader.string8("queue name")
            jobs.append(WorkerPage.Job(job: job, queue: queue, startedAt: try reader.u64()))
        }
    }
}
