import NIOCore
import PenstockWire

// A plan on its way, and what came of it. Sequence numbers are written when a frame is sent.

extension AddPlan {
    static func checkSize(_ bytes: Int) throws(PenstockError) {
        guard bytes <= Limits.frameBytesMax else {
            throw PenstockError(
                .addTooLarge,
                "The add takes more than the \(Limits.frameBytesMax) bytes of one frame. Split it into several adds."
            )
        }
    }

    private var tail: AddTail { AddTail(queues: queues, items: items) }

    /// The plan as an ADD.
    func frame() throws(PenstockError) -> ByteBuffer {
        try frame(Add(sequence: 0, queues: queues, items: items))
    }

    /// The plan as what a worker adds under a lease; with a result, the held job completes with it.
    func frame(under lease: HeldLease, completing result: RawPayload? = nil) throws(PenstockError) -> ByteBuffer {
        try frame(
            HeldAdd(
                sequence: 0,
                slot: lease.slot,
                token: lease.token,
                action: result == nil ? .add : .complete,
                result: result?.wire ?? .none,
                add: tail
            )
        )
    }

    private func frame(_ message: some WireMessage) throws(PenstockError) -> ByteBuffer {
        guard !items.isEmpty else { throw PenstockError(.emptyAdd, "The add holds no job; it must hold at least one.") }
        var writer = WireWriter(capacity: 256 + dataBytes + jobCount * 32)
        message.encodeFrame(into: &writer)
        try AddPlan.checkSize(writer.count)
        return ByteBuffer(frames: writer)
    }

    /// A flow's number and its jobs in the order in which they were given.
    struct Added {
        var flow: FlowID
        var jobs: [JobHandle]
    }

    /// What the entries have become.
    func added(_ outcome: AddOutcome, _ client: PenstockClient) throws(PenstockError) -> [Added] {
        guard outcome.items.count == entries.count else {
            throw PenstockError(
                .malformed,
                "The server answered \(outcome.items.count) of the \(entries.count) items of an add."
            )
        }
        var result: [Added] = []
        result.reserveCapacity(entries.count)
        for (entry, item) in zip(entries, outcome.items) { result.append(try added(entry, item, client)) }
        return result
    }

    private func added(
        _ entry: Entry,
        _ item: AddOutcome.Item,
        _ client: PenstockClient
    ) throws(PenstockError) -> Added {
        let ids = item.jobIDs
        let jobs = entry.flow.jobs
        guard ids.count == jobs.count else {
            throw PenstockError(.malformed, "The server gave ids to \(ids.count) jobs; \(jobs.count) were added.")
        }
        let existing = Set(item.existing.map(\.node))
        let handles = jobs.indices.map { index in
            JobHandle(
                id: JobID(ids[entry.places[index]]),
                queue: jobs[index].queue,
                name: jobs[index].name,
                isExisting: existing.contains(UInt32(entry.places[index])),
                client: client
            )
        }
        return Added(flow: FlowID(rawValue: item.flow.rawValue), jobs: handles)
    }

    /// Handles of the flows among the entries.
    func handles(_ outcome: AddOutcome, _ client: PenstockClient) throws(PenstockError) -> [FlowHandle] {
        zip(entries, try added(outcome, client)).map { entry, added in
            FlowHandle(added.flow, entry.flow, added.jobs, client)
        }
    }
}

extension RawPayload {
    var wire: Payload { Payload(ContentType(rawValue: kind.rawValue), bytes) }
    init(_ payload: Payload) { self.init(payload.contentType, payload.bytes) }
}
