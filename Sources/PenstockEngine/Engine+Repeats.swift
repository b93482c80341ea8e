import LMDB
import PenstockWire

/// Jobs that say of themselves that they are repeated.
extension Engine {
    /// The id of the scheduler that goes on with a job.
    static func repeatingID(_ job: JobID) -> [UInt8] { Array("repeat:\(job)".utf8) }

    /// Lets a scheduler go on with a job that has finished: an interval from now the first time, as a job alone.
    mutating func goOnRepeating(
        _ job: JobID,
        _ record: JobRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        // One that failed with a dependency has not run: it may yet.
        guard record.state == .completed || record.state == .failed && record.cause != .dependency else { return }
        let id = Engine.repeatingID(job)
        // Its user may have made it another one, or it finishes again after a retry.
        guard try scheduler(id, transaction) == nil else { return }
        var template = WireWriter(capacity: 256)
        let interval = try encode(job, record, asTemplate: &template, transaction)
        let due = meta.elapsed + interval
        let rule = SchedulerRule(schedule: .every(interval))
        let times = SchedulerTimes(due: due, anchor: due)
        try transaction.put(template.span, for: SchedulerKey(id), in: tables.schedulerTemplates)
        try put(SchedulerRecord(rule: rule, revision: transaction.id, times: times), id, &transaction)
    }

    /// - Returns: milliseconds between two runs.
    private func encode(
        _ job: JobID,
        _ record: JobRecord,
        asTemplate writer: inout WireWriter,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> UInt64 {
        guard let row = try transaction.get(job.rawValue, in: tables.payloads) else {
            throw LMDBError(.corrupted, in: .get)
        }
        let queue = queues[Int(record.queue.rawValue) - 1].name
        return try decode { () throws(WireError) in
            let payload = try PayloadRow(row, of: record)
            try AddTail(repeating: payload, record, queue: queue).encode(into: &writer)
            return payload.repeatEvery
        }
    }
}

extension AddTail {
    /// A stored job as a template: without its custom id and its dependencies, and without its delay and its time, which
    /// the interval replaces.
    fileprivate init(repeating payload: borrowing PayloadRow, _ record: JobRecord, queue: String) throws(WireError) {
        var options = NodeOptions()
        try payload.readRare(into: &options)
        options.at = 0
        options.priority = record.priority
        options.attempts = record.attempts
        options.backoff = payload.backoff
        options.lifo = record.flags.contains(.lifo)
        options.onFailure = record.onFailure
        options.maxStalledCount = record.maxStalledCount
        options.keepCompleted = payload.keepCompleted
        options.keepFailed = payload.keepFailed
        let bytes = payload.bytes
        let node = AddNode(
            queue: 0,
            name: try bytes.string(payload.name, "job name"),
            contentType: payload.contentType,
            data: bytes.array(payload.data),
            headers: try payload.headers,
            group: record.marks.contains(.hasGroup) ? try payload.group : nil,
            options: options,
            // What has a value stays, whatever the defaults of its queue are by then. Of what it can only have or not have
            // (how long it is kept, timeout, ttl, maxStarted) it takes over the queue's default at each run.
            explicit: .all
        )
        self.init(queues: [queue], items: [AddItem(kind: .job, nodes: [node])])
    }
}
