package import LMDB
package import PenstockWire

/// What the dispatcher reads: the ready index, and a job on its way to a worker.
extension Reads {
    /// Appends the group's ready jobs from the turn on, in order, at most `limit` of them.
    ///
    /// - Returns: true where the index has no more.
    package func ready<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ queue: QueueID,
        _ group: GroupID,
        from turn: Turn,
        limit: Int,
        into entries: inout [ReadyEntry],
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> Bool {
        var cursor = try snapshot.cursor(in: tables.ready)
        var entry = try cursor.seek(to: ReadyKey(queue, group, turn))
        var count = 0
        while let found = entry, let key = found.key, key.queue == queue, key.group == group {
            if count == limit { return false }
            let value = found.value
            let job = try decode { () throws(WireError) in try JobID(value: value) }
            entries.append(ReadyEntry(queue: queue, group: group, turn: key.turn, job: job))
            count += 1
            entry = try cursor.next()
        }
        return true
    }

    /// Appends the first ready jobs of the queue's next groups, in order.
    ///
    /// - Parameters:
    ///   - groups: how many groups are read at most.
    ///   - jobs: how many jobs of each.
    /// - Returns: the next group that has ready jobs and was not read; nil where there is none up to the last.
    package func readyGroups<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ queue: QueueID,
        _ range: ClosedRange<GroupID>,
        groups: Int,
        jobs: Int,
        into entries: inout [ReadyEntry],
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> GroupID? {
        var cursor = try snapshot.cursor(in: tables.ready)
        var entry = try cursor.seek(to: ReadyKey(queue, range.lowerBound, .first))
        var group: GroupID?
        var groupsLeft = groups
        var jobsLeft = 0
        while let found = entry, let key = found.key, key.queue == queue, key.group <= range.upperBound {
            if key.group != group {
                if groupsLeft == 0 { return key.group }
                (group, groupsLeft, jobsLeft) = (key.group, groupsLeft - 1, jobs)
            } else if jobsLeft == 0 {
                guard let next = key.group.next else { return nil }
                entry = try cursor.seek(to: ReadyKey(queue, next, .first))
                continue
            }
            let value = found.value
            let job = try decode { () throws(WireError) in try JobID(value: value) }
            entries.append(ReadyEntry(queue: queue, group: key.group, turn: key.turn, job: job))
            jobsLeft -= 1
            entry = try cursor.next()
        }
        return nil
    }

    /// True where jobs of the queue are ready that have a group.
    package func hasReadyGroups<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ queue: QueueID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> Bool {
        try snapshot.entry(atOrAfter: ReadyKey(queue, GroupID(1), .first), in: tables.ready)?.key?.queue == queue
    }

    /// Where a job stands: its queue and group, its turn there, and its flow; nil where there is no such job.
    package func place<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of job: JobID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> (queue: QueueID, group: GroupID, turn: Turn, flow: FlowID)? {
        guard let bytes = try snapshot.get(job.rawValue, in: tables.jobs) else { return nil }
        let record = try decode { () throws(WireError) in try JobRecord(bytes) }
        return (record.queue, record.group, record.turn, record.flow)
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
        guard record.state == .waiting, record.turn == entry.turn, record.group == entry.group,
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
            let group = record.marks.contains(.hasGroup) ? try payload.extra(OptionTag.group) : .empty
            writer.u8(
                (record.flags.contains(.hasDependencies) ? Delivery.hasDependenciesFlag : 0)
                    | (headers.isEmpty ? 0 : Delivery.hasHeadersFlag)
                    | (group.isEmpty ? 0 : Delivery.hasGroupFlag)
            )
            writer.u8(payload.contentType.rawValue)
            writer.u32(record.attemptsStarted + 1)
            writer.u32(UInt32(record.stalledCount))
            writer.u32(record.priority)
            writer.u64(record.createdAt)
            writer.bytes8(bytes.extracting(payload.name))
            writer.bytes32(bytes.extracting(payload.data))
            if !headers.isEmpty { writer.raw(bytes.extracting(headers)) }
            if !group.isEmpty { writer.bytes8(bytes.extracting(group)) }
            return (Int(payload.data.count), record.flow, try payload.timeout)
        }
    }

    /// Appends the event of a job that was delivered from the same snapshot.
    package func appendActive<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ entry: ReadyEntry,
        worker: String,
        wall: UInt64,
        into writer: inout WireWriter,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) {
        guard let recordBytes = try snapshot.get(entry.job.rawValue, in: tables.jobs),
            let bytes = try snapshot.get(entry.job.rawValue, in: tables.payloads)
        else { return }
        let queue = try queueName(entry.queue, snapshot)
        try decode { () throws(WireError) in
            let record = try JobRecord(recordBytes)
            let payload = try PayloadRow(bytes, of: record)
            var head = EventHead(.active)
            head.time = wall
            head.attempt = record.attemptsStarted + 1
            head.job = entry.job
            head.flow = record.flow
            let start = writer.beginEvent(head, queue: queue)
            writer.bytes8(bytes.extracting(payload.name))
            writer.string16(worker)
            writer.endEvent(start)
        }
    }
}
