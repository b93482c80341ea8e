import LMDB
import PenstockWire

/// Reading and writing of single rows.
extension Engine {
    mutating func put(_ record: MetaRecord, in transaction: inout WriteTransaction) throws(LMDBError) {
        scratch.removeAll()
        record.encode(into: &scratch)
        try transaction.put(scratch.span, for: UInt64(0), in: tables.meta)
    }

    /// The job's record; nil where there is no such job.
    mutating func record(
        of job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> JobRecord? {
        guard let bytes = try transaction.get(job.rawValue, in: tables.jobs) else { return nil }
        return try decode { () throws(WireError) in try JobRecord(bytes) }
    }

    /// Rewrites a record whose outcome did not change: an inline one is kept.
    mutating func rewrite(
        _ record: JobRecord,
        of job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        scratch.removeAll()
        record.encode(into: &scratch)
        if record.inlineBytes > 0, let old = try transaction.get(job.rawValue, in: tables.jobs) {
            // The dependency block may be new: the outcome stood where the old record ends.
            let start = try decode { () throws(WireError) in try JobRecord(old).fixedBytes }
            scratch.raw(old.extracting(start..<start + record.inlineBytes))
        }
        record.encodeRoom(into: &scratch)
        try transaction.put(scratch.span, for: job.rawValue, in: tables.jobs)
    }

    /// Rewrites a record with a new outcome of the given bytes.
    mutating func rewrite(
        _ record: inout JobRecord,
        of job: JobID,
        outcome kind: JobRecord.OutcomeKind,
        _ outcome: RawSpan,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        if record.outcome != .none && !record.hasInlineOutcome {
            _ = try transaction.delete(job.rawValue, in: tables.results)
        }
        record.outcome = kind
        record.outcomeBytes = kind == .none ? 0 : UInt32(outcome.byteCount)
        scratch.removeAll()
        record.encode(into: &scratch)
        if record.hasInlineOutcome {
            scratch.raw(outcome)
        } else if kind != .none {
            try transaction.put(outcome, for: job.rawValue, in: tables.results)
        }
        record.encodeRoom(into: &scratch)
        try transaction.put(scratch.span, for: job.rawValue, in: tables.jobs)
    }

    /// Gives the job other data; everything else of its payload row stays.
    mutating func replaceData(
        of job: JobID,
        _ record: JobRecord,
        _ data: Payload,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        scratch.removeAll()
        if let bytes = try transaction.get(job.rawValue, in: tables.payloads) {
            try decode { () throws(WireError) in
                try PayloadRow(bytes, of: record).encode(with: data, into: &scratch)
            }
        }
        try transaction.put(scratch.span, for: job.rawValue, in: tables.payloads)
    }

    /// The options that few jobs have; each at its default where the job has none.
    mutating func rareOptions(
        _ record: JobRecord,
        of job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> NodeOptions {
        var options = NodeOptions.default
        guard record.marks.contains(.hasExtras), let bytes = try transaction.get(job.rawValue, in: tables.payloads)
        else { return options }
        try decode { () throws(WireError) in try PayloadRow(bytes, of: record).readRare(into: &options) }
        return options
    }

    mutating func edge(
        _ key: EdgeKey,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> EdgeRecord? {
        guard let bytes = try transaction.get(key, in: tables.edges) else { return nil }
        return try decode { () throws(WireError) in try EdgeRecord(bytes) }
    }

    mutating func put(_ edge: EdgeRecord, at key: EdgeKey, _ transaction: inout WriteTransaction) throws(LMDBError) {
        scratch.removeAll()
        edge.encode(into: &scratch)
        try transaction.put(scratch.span, for: key, in: tables.edges)
    }

    mutating func putReady(_ entry: ReadyEntry, _ transaction: inout WriteTransaction) throws(LMDBError) {
        scratch.removeAll()
        scratch.jobID(entry.job)
        try transaction.put(scratch.span, for: ReadyKey(entry.queue, entry.group, entry.turn), in: tables.ready)
        countReady(entry.queue, entry.turn.priority, by: 1)
        if entry.group != .none { count(GroupKey(entry.queue, entry.group), ready: 1) }
    }

    /// Puts a key that stands for itself.
    mutating func putEmpty<Key: TableKey>(
        _ key: Key,
        in table: Table<Key>,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        scratch.removeAll()
        try transaction.put(scratch.span, for: key, in: table)
    }

    /// Deletes the rows of a table that a job has; each is a step.
    mutating func deleteRows(
        of job: JobID,
        in table: Table<EdgeKey>,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        while let key = try transaction.entry(atOrAfter: EdgeKey(job, 0), in: table)?.key, key.dependent == job {
            effects.steps += 1
            _ = try transaction.delete(key, in: table)
        }
    }

    // MARK: Queues

    mutating func loadQueues() throws(EngineError) {
        queues.removeAll()
        queueIDs.removeAll()
        lastQueue = ([], QueueID(0))
        let environment = environment
        do throws(LMDBError) {
            let transaction = try environment.beginWrite()
            var cursor = try transaction.cursor(in: tables.queues)
            var entry = try cursor.first()
            while let found = entry {
                guard let key = found.key else { throw LMDBError(.corrupted, in: .get) }
                let value = found.value
                let record = try decode { () throws(WireError) in
                    try QueueRecord(id: QueueID(UInt32(truncatingIfNeeded: key)), value)
                }
                guard queues.count + 1 == Int(key) else { throw LMDBError(.corrupted, in: .get) }
                queues.append(record)
                queueIDs[record.name] = record.id
                entry = try cursor.next()
            }
            try loadSettings(transaction)
        } catch {
            throw .lmdb(error)
        }
    }

    /// Makes the queue known under a number of its own; its row is written at the end of the batch.
    mutating func makeQueue(_ name: String, _ result: inout BatchResult) -> QueueID {
        if let known = queueIDs[name] { return known }
        let id = QueueID(UInt32(meta.nextQueue))
        meta.nextQueue += 1
        var record = QueueRecord(id: id, name: name)
        record.isDirty = true
        queues.append(record)
        queueIDs[name] = id
        dirtyQueues.append(id)
        result.newQueues.append(id)
        return id
    }

    mutating func writeDirtyQueues(
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        for id in dirtyQueues {
            let index = Int(id.rawValue) - 1
            tellIfDrained(id, &result)
            queues[index].isDirty = false
            scratch.removeAll()
            queues[index].encode(into: &scratch)
            try transaction.put(scratch.span, for: UInt64(id.rawValue), in: tables.queues)
        }
        dirtyQueues.removeAll(keepingCapacity: true)
        if !readyChanges.isEmpty { try writeReadyChanges(&transaction) }
        if !groupChanges.isEmpty { try writeGroupChanges(&transaction) }
    }

    /// The ids that the large adds have set aside.
    mutating func loadStaged() throws(EngineError) {
        stagedRanges.removeAll()
        stagedExisting = (.none, [])
        let environment = environment
        do throws(LMDBError) {
            let transaction = try environment.beginWrite()
            var cursor = try transaction.cursor(in: tables.staged)
            var entry = try cursor.first()
            while let found = entry {
                let value = found.value
                stagedRanges.append(try decode { () throws(WireError) in try StagedRange(row: value) })
                entry = try cursor.next()
            }
        } catch {
            throw .lmdb(error)
        }
    }

    // MARK: Flows

    /// Brings the flow into ``openFlow``; false where there is no such flow.
    mutating func open(_ flow: FlowID, _ transaction: inout WriteTransaction) throws(LMDBError) -> Bool {
        if let openFlow, openFlow.id == flow { return true }
        try flushFlow(&transaction)
        guard let bytes = try transaction.get(flow.rawValue, in: tables.flows) else { return false }
        openFlow = OpenFlow(id: flow, record: try decode { () throws(WireError) in try FlowRecord(bytes) })
        return true
    }

    /// Deletes the rows of a flow that has no job any more.
    mutating func forget(_ flow: FlowID, _ transaction: inout WriteTransaction) throws(LMDBError) {
        if openFlow?.id == flow { openFlow = nil }
        if let name = try name(of: flow, transaction) {
            _ = try transaction.delete(FlowNameKey(name.rawSpan, flow), in: tables.flowsByName)
            _ = try transaction.delete(flow.rawValue, in: tables.flowNames)
        }
        _ = try transaction.delete(flow.rawValue, in: tables.flowMetadata)
        _ = try transaction.delete(flow.rawValue, in: tables.flows)
    }

    private func name(of flow: FlowID, _ transaction: borrowing WriteTransaction) throws(LMDBError) -> [UInt8]? {
        guard let bytes = try transaction.get(flow.rawValue, in: tables.flowNames) else { return nil }
        return [UInt8](copying: bytes)
    }

    mutating func flushFlow(_ transaction: inout WriteTransaction) throws(LMDBError) {
        guard let flow = openFlow else { return }
        openFlow = nil
        scratch.removeAll()
        flow.record.encode(into: &scratch)
        try transaction.put(scratch.span, for: flow.id.rawValue, in: tables.flows)
    }
}

/// A row of our own that can't be read means a damaged database: nothing can be done with the batch.
func decode<Value>(_ body: () throws(WireError) -> Value) throws(LMDBError) -> Value {
    do throws(WireError) {
        return try body()
    } catch {
        throw LMDBError(.corrupted, in: .get)
    }
}

extension WireReader {
    /// A byte of an enumeration in a row of our own.
    ///
    /// ``value(_:_:)`` of another module is not specialized: it looks up metadata for each byte.
    @inline(__always)
    mutating func stored<Value: RawRepresentable>(_ type: Value.Type) throws(WireError) -> Value
    where Value.RawValue == UInt8 {
        guard let value = Value(rawValue: try u8()) else {
            throw WireError(.internalError, "A stored row holds a number that this server does not know.")
        }
        return value
    }
}
