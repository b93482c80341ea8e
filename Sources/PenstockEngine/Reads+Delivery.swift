package import LMDB
package import PenstockWire

/// What the dispatcher reads: the ready index, and a job on its way to a worker.
extension Reads {
    /// Appends the queue's ready jobs from the turn on, in order, at most `limit` of them.
    ///
    /// - Returns: true where the index has no more.
    package func ready<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ queue: QueueID,
        from turn: Turn,
        limit: Int,
        into entries: inout [ReadyEntry],
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> Bool {
        var cursor = try snapshot.cursor(in: tables.ready)
        var entry = try cursor.seek(to: ReadyKey(queue, turn))
        var count = 0
        while let found = entry, let key = found.key, key.queue == queue {
            if count == limit { return false }
            let value = found.value
            let job = try decode { () throws(WireError) in
                var reader = WireReader(value)
                return try reader.jobID()
            }
            entries.append(ReadyEntry(queue: queue, turn: key.turn, job: job))
            count += 1
            entry = try cursor.next()
        }
        return true
    }

    /// Where a job stands: its queue, its turn there, and its flow; nil where there is no such job.
    package func place<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of job: JobID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> (queue: QueueID, turn: Turn, flow: FlowID)? {
        guard let bytes = try snapshot.get(job.rawValue, in: tables.jobs) else { return nil }
        let record = try decode { () throws(WireError) in try JobRecord(bytes) }
        return (record.queue, record.turn, record.flow)
    }

    /// Appends one delivery to a DELIVER body.
    ///
    /// - Parameter elapsed: a job whose time to start is over by then is not delivered any more.
    /// - Returns: the bytes of its data, the job's flow, and the milliseconds that the attempt may take (0: any); nil,
    ///   and nothing appended, where the job is not waiting at that turn.
    package func appendDelivery<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of entry: ReadyEntry,
        slot: UInt32,
        token: LeaseToken,
        queueIndex: UInt16,
        elapsed: UInt64,
        into writer: inout WireWriter,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> (bytes: Int, flow: FlowID, timeout: UInt64)? {
        let job = entry.job
        guard let recordBytes = try snapshot.get(job.rawValue, in: tables.jobs) else { return nil }
        let record = try decode { () throws(WireError) in try JobRecord(recordBytes) }
        guard record.state == .waiting, record.turn == entry.turn,
            let bytes = try snapshot.get(job.rawValue, in: tables.payloads)
        else {
            return nil
        }
        if record.marks.contains(.hasTTL), let end = try tables.startLimit(of: job, snapshot), end <= elapsed {
            return nil
        }
        return try decode { () throws(WireError) in
            let payload = try PayloadRow(bytes, of: record)
            writer.u32(slot)
            writer.token(token)
            writer.jobID(job)
            writer.flowID(record.flow)
            writer.u16(queueIndex)
            writer.u16(record.attempts)
            writer.u16(record.attemptsMade)
            let headers = payload.extras.isEmpty ? .empty : try payload.extra(OptionTag.headers)
            writer.u8(
                (record.flags.contains(.hasDependencies) ? Delivery.hasDependenciesFlag : 0)
                    | (headers.isEmpty ? 0 : Delivery.hasHeadersFlag)
            )
            writer.u8(payload.contentType.rawValue)
            writer.u32(record.attemptsStarted + 1)
            writer.u32(UInt32(record.stalledCount))
            writer.u32(record.priority)
            writer.u64(record.createdAt)
            writer.bytes8(bytes.extracting(payload.name))
            writer.bytes32(bytes.extracting(payload.data))
            if !headers.isEmpty { writer.raw(bytes.extracting(headers)) }
            return (Int(payload.data.count), record.flow, try payload.timeout)
        }
    }
}
