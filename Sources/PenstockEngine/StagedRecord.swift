import PenstockWire

/// A large add that has not come to its end: its jobs are stored, and nobody sees them.
///
/// Its jobs and flows have ids of a range that was set aside when it began. To
/// publish it is to delete this row.
///
///     u32 checksum (0: none yet) | u32 outside | u64 u64 session | u32 add
///     u32 jobs | u32 items | u64 bytes                            what it will be
///     u64 firstJob | u64 firstFlow | u64 rising | u64 falling     what was set aside for it
///     u32 nodes | u32 newJobs | u32 items | u64 bytes             what has come
///     u32 queues | queues x (u32 queue | StateCounts)
struct StagedRecord: Sendable {
    var session: SessionID
    var add: UInt32
    var totals: Stage.Totals
    var firstJob: JobID
    var firstFlow: FlowID
    /// The first place of its jobs, and the last one of its lifo jobs.
    var rising: UInt64
    var falling: UInt64
    /// Edges to jobs outside, so far.
    var outside: UInt32 = 0
    var nodes: UInt32 = 0
    /// Nodes that are no stored jobs.
    var newJobs: UInt32 = 0
    var items: UInt32 = 0
    var bytes: UInt64 = 0
    /// What its queues will have more.
    var counts: [(queue: QueueID, counts: StateCounts)] = []

    init(session: SessionID, add: UInt32, totals: Stage.Totals, meta: MetaRecord) {
        self.session = session
        self.add = add
        self.totals = totals
        firstJob = JobID(meta.nextJob)
        firstFlow = FlowID(meta.nextFlow)
        rising = meta.rising
        falling = meta.falling
    }

    var endOfJobs: JobID { JobID(firstJob.rawValue + UInt64(totals.jobs)) }
    var endOfFlows: FlowID { FlowID(firstFlow.rawValue + UInt64(totals.items)) }

    func contains(_ job: JobID) -> Bool { job >= firstJob && job < endOfJobs }
    func contains(_ flow: FlowID) -> Bool { flow >= firstFlow && flow < endOfFlows }

    /// The place of a node: all of the add's jobs stand where the add began, in the order of its nodes.
    func place(of node: UInt32, _ flags: JobRecord.Flags) -> UInt64 {
        flags.contains(.lifo) ? falling - UInt64(node) : rising + UInt64(node)
    }

    mutating func count(_ state: JobState, in queue: QueueID) {
        if counts.last?.queue != queue, let place = counts.firstIndex(where: { $0.queue == queue }) {
            counts.swapAt(place, counts.count - 1)
        }
        if counts.last?.queue != queue { counts.append((queue, StateCounts())) }
        counts[counts.count - 1].counts[state] += 1
    }

    func encode(into writer: inout WireWriter) {
        writer.u32(0)
        writer.u32(outside)
        writer.sessionID(session)
        writer.u32(add)
        writer.u32(totals.jobs)
        writer.u32(totals.items)
        writer.u64(totals.bytes)
        writer.jobID(firstJob)
        writer.flowID(firstFlow)
        writer.u64(rising)
        writer.u64(falling)
        writer.u32(nodes)
        writer.u32(newJobs)
        writer.u32(items)
        writer.u64(bytes)
        writer.u32(UInt32(counts.count))
        for entry in counts {
            writer.u32(entry.queue.rawValue)
            entry.counts.encode(into: &writer)
        }
    }

    init(_ row: RawSpan) throws(WireError) {
        var reader = WireReader(row)
        _ = try reader.u32()
        outside = try reader.u32()
        session = try reader.sessionID()
        add = try reader.u32()
        let jobs = try reader.u32()
        let itemsTotal = try reader.u32()
        totals = Stage.Totals(jobs: jobs, items: itemsTotal, bytes: try reader.u64())
        firstJob = try reader.jobID()
        firstFlow = try reader.flowID()
        rising = try reader.u64()
        falling = try reader.u64()
        nodes = try reader.u32()
        newJobs = try reader.u32()
        items = try reader.u32()
        bytes = try reader.u64()
        for _ in 0..<(try reader.u32()) {
            let queue = QueueID(try reader.u32())
            counts.append((queue, try StateCounts(from: &reader)))
        }
    }
}

/// The ids that a large add has set aside.
struct StagedRange: Sendable {
    var firstJob: JobID
    var endOfJobs: JobID
    var firstFlow: FlowID
    var endOfFlows: FlowID

    init(_ record: StagedRecord) {
        firstJob = record.firstJob
        endOfJobs = record.endOfJobs
        firstFlow = record.firstFlow
        endOfFlows = record.endOfFlows
    }

    /// From the row of a ``StagedRecord``, of which it reads the head only.
    init(row: RawSpan) throws(WireError) {
        var reader = WireReader(row)
        _ = try reader.range(28)
        let jobs = try reader.u32()
        let items = try reader.u32()
        _ = try reader.u64()
        firstJob = try reader.jobID()
        firstFlow = try reader.flowID()
        endOfJobs = JobID(firstJob.rawValue + UInt64(jobs))
        endOfFlows = FlowID(firstFlow.rawValue + UInt64(items))
    }

    func contains(_ job: JobID) -> Bool { job >= firstJob && job < endOfJobs }
    func contains(_ flow: FlowID) -> Bool { flow >= firstFlow && flow < endOfFlows }
}

/// One item of a large add, for its outcome.
///
///     u8 isFlow | u8 0 | u16 0 | u32 nodes | u32 newJobs | u64 flow | u64 first
struct StagedItem: Sendable {
    var isFlow: Bool
    var nodes: UInt32 = 0
    var newJobs: UInt32 = 0
    var flow = FlowID.none
    var first = JobID.none

    init(isFlow: Bool) { self.isFlow = isFlow }

    func encode(into writer: inout WireWriter) {
        writer.u32(isFlow ? 1 : 0)
        writer.u32(nodes)
        writer.u32(newJobs)
        writer.flowID(flow)
        writer.jobID(first)
    }

    init(_ row: RawSpan) throws(WireError) {
        var reader = WireReader(row)
        isFlow = try reader.u32() != 0
        nodes = try reader.u32()
        newJobs = try reader.u32()
        flow = try reader.flowID()
        first = try reader.jobID()
    }
}
