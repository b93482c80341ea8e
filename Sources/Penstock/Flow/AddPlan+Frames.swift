import NIOCore
import PenstockWire

// A plan on its way, and what came of it. Sequence numbers are written when a frame is sent.

extension AddPlan {
    /// The plan as an ADD; nil where it is too large for one.
    func frame() throws(PenstockError) -> ByteBuffer? {
        guard !items.isEmpty else { throw PenstockError(.emptyAdd, "The add holds no job; it must hold at least one.") }
        return frame(Add(sequence: 0, queues: queues, items: items))
    }

    /// The plan as what a worker adds under a lease; with a result, the held job completes with it.
    func frame(under lease: HeldLease, completing result: RawPayload? = nil) throws(PenstockError) -> ByteBuffer {
        guard !items.isEmpty else { throw PenstockError(.emptyAdd, "The add holds no job; it must hold at least one.") }
        let message = HeldAdd(
            sequence: 0,
            slot: lease.slot,
            token: lease.token,
            action: result == nil ? .add : .complete,
            result: result?.wire ?? .none,
            add: AddTail(queues: queues, items: items)
        )
        guard let frame = frame(message) else {
            throw PenstockError(
                .addTooLarge,
                "What a handler adds to its job holds at most \(Limits.jobsPerAddMax) jobs and takes at most \(Limits.frameBytesMax) bytes. Split it into several adds."
            )
        }
        return frame
    }

    private func frame(_ message: some WireMessage) -> ByteBuffer? {
        guard jobCount <= Limits.jobsPerAddMax, dataBytes <= Limits.frameBytesMax else { return nil }
        var writer = WireWriter(capacity: 256 + dataBytes + jobCount * 32)
        message.encodeFrame(into: &writer)
        return writer.count <= Limits.frameBytesMax ? ByteBuffer(frames: writer) : nil
    }

    /// Any of the jobs has a deduplication.
    var hasDeduplications: Bool { items.contains { $0.nodes.contains { $0.deduplication != nil } } }

    /// The plan as parts, for an add that is too large for one frame.
    var parts: AddParts { AddParts(queues: queues, items: items) }

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
        let reasons = Dictionary(item.existing.map { ($0.node, $0.reason) }) { first, _ in first }
        let handles = jobs.indices.map { index in
            let reason = reasons[UInt32(entry.places[index])]
            var handle = JobHandle(
                id: JobID(ids[entry.places[index]]),
                queue: jobs[index].queue,
                name: jobs[index].name,
                isExisting: reason != nil,
                client: client
            )
            handle.isDeduplicated = reason != nil && reason != .existing
            handle.isKept = reason == .kept
            return handle
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
