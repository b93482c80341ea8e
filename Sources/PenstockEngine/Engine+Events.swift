import LMDB
import PenstockWire

/// What an event says beside its job.
struct EventDetails {
    var detail: UInt8 = 0
    var contentType = ContentType.none
    var attempt: UInt32 = 0
    var delay: UInt64 = 0

    static let none = EventDetails()

    static func delay(_ milliseconds: UInt64) -> EventDetails { EventDetails(delay: milliseconds) }

    static func cause(_ record: JobRecord) -> EventDetails {
        EventDetails(detail: record.cause.rawValue, attempt: UInt32(record.attemptsMade))
    }
}

/// Events: gathered by the batch where somebody listens, handed to the loop with what the batch came to.
///
/// They say what has become durable, in the order in which it was done. *Active*
/// is not among them: a lease is granted by the dispatcher, in memory.
extension Engine {
    // MARK: Listening

    /// Begins or ends the gathering of what somebody listens to.
    mutating func listen(_ body: RawSpan, isOn: Bool, _ result: inout BatchResult) throws(LMDBError) {
        let wanted = try decode { () throws(WireError) in
            var reader = WireReader(body)
            return try Listen.Scope(from: &reader)
        }
        let scope: EventScope
        switch wanted {
        case .all: scope = .all
        case .queue(let name): scope = .queue(makeQueue(name, &result))
        case .flow(let flow): scope = .flow(flow)
        }
        if isOn {
            if !interest.isOn { for index in queues.indices { queues[index].wasBusy = queues[index].isBusy } }
            result.heard.append(scope)
        }
        interest.set(scope, isOn)
    }

    // MARK: Jobs

    /// Tells what happened to a job, if anybody listens.
    ///
    /// What happens to every job looks at the flag before it calls this.
    ///
    /// - Parameters:
    ///   - record: the job's; its payload row is there.
    ///   - failure: `str16 message | bytes32 details`, of which the message is told; or nothing.
    @inline(never)
    mutating func tell(
        _ kind: EventKind,
        _ job: JobID,
        _ record: JobRecord,
        with details: EventDetails = .none,
        failure: RawSpan = RawSpan(),
        _ transaction: borrowing WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard interest.isOn else { return }
        let message = try decode { () throws(WireError) -> ByteRange in
            if failure.isEmpty { return .empty }
            var reader = WireReader(failure)
            return try reader.range16()
        }
        let text = failure.extracting(message).prefix(bytes: PenstockWire.Limits.eventMessageBytesMax)
        try tell(kind, job, record, with: details, data: text, transaction, &result)
    }

    /// Tells that a job is stored, and what it waits for.
    @inline(never)
    mutating func tellAdded(
        _ job: JobID,
        _ record: JobRecord,
        _ transaction: borrowing WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        try tell(.added, job, record, transaction, &result)
        switch record.state {
        case .waiting: try tell(.waiting, job, record, transaction, &result)
        case .delayed:
            try tell(.delayed, job, record, with: .delay(record.due - meta.elapsed), transaction, &result)
        default: try tell(.waitingChildren, job, record, transaction, &result)
        }
    }

    /// Tells what happened to a job, and the bytes that belong to it.
    @inline(never)
    mutating func tell(
        _ kind: EventKind,
        _ job: JobID,
        _ record: JobRecord,
        with details: EventDetails = .none,
        data: RawSpan,
        _ transaction: borrowing WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard interest.isOn, interest.hears(record.queue, record.flow) else { return }
        if interest.takeUnannounced(job) {
            try tell(.added, job, record, data: RawSpan(), transaction, &result)
        }
        var head = head(kind, details)
        head.job = job
        head.flow = record.flow
        let queueName = queues[Int(record.queue.rawValue) - 1].name
        guard let row = try transaction.get(job.rawValue, in: tables.payloads) else { return }
        let name = try decode { () throws(WireError) in try PayloadRow(row, of: record).name }
        result.events.append(head, record.queue, named: queueName, name: row.extracting(name), data: data)
    }

    private func head(_ kind: EventKind, _ details: EventDetails) -> EventHead {
        var head = EventHead(kind)
        head.time = meta.wall
        head.detail = details.detail
        head.contentType = details.contentType
        head.attempt = details.attempt
        head.delay = details.delay
        return head
    }

    // MARK: Queues

    /// Tells what happened to a queue.
    @inline(__always)
    func tell(_ kind: EventKind, _ queue: QueueID, _ result: inout BatchResult) {
        guard interest.isOn, interest.hears(queue, .none) else { return }
        let name = queues[Int(queue.rawValue) - 1].name
        result.events.append(head(kind, .none), queue, named: name, name: RawSpan(), data: RawSpan())
    }

    /// Tells of a queue that it is drained, if the batch has taken the last of its jobs that could run or did.
    @inline(__always)
    mutating func tellIfDrained(_ queue: QueueID, _ result: inout BatchResult) {
        guard interest.isOn else { return }
        let index = Int(queue.rawValue) - 1
        let isBusy = queues[index].isBusy
        if queues[index].wasBusy && !isBusy { tell(.drained, queue, &result) }
        queues[index].wasBusy = isBusy
    }

    // MARK: Flows

    /// Tells of the flows that have finished with a command.
    @inline(never)
    mutating func tellFinishedFlows(
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard result.finishedFlows.count > result.toldFlows else { return }
        let finished = result.finishedFlows[result.toldFlows...]
        result.toldFlows = result.finishedFlows.count
        for flow in finished {
            // One that is gone was told of before it went.
            guard try open(flow, &transaction), openFlow!.record.unfinished == 0 else { continue }
            try tellFinished(flow, as: openFlow!.record.status, transaction, &result)
        }
    }

    /// Tells of a flow that all its jobs have finished, or are gone.
    func tellFinished(
        _ flow: FlowID,
        as status: FlowStatus,
        _ transaction: borrowing WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard interest.isOn, interest.hears(QueueID(0), flow) else { return }
        var head = head(.flowFinished, EventDetails(detail: status.rawValue))
        head.flow = flow
        if let name = try transaction.get(flow.rawValue, in: tables.flowNames) {
            result.events.append(head, QueueID(0), named: "", name: name, data: RawSpan())
        } else {
            result.events.append(head, QueueID(0), named: "", name: RawSpan(), data: RawSpan())
        }
    }
}

extension QueueRecord {
    /// Some job of it could run, or does.
    var isBusy: Bool { counts[.waiting] + counts[.active] > 0 }
}
