import LMDB
import PenstockWire

/// Groups: the numbers of their names, how many jobs they have, and what is set of them. The dispatcher sees to the rest.
extension Engine {
    // MARK: Numbers

    /// The number of the group of that name; a new one where nobody has named it, or it was forgotten.
    mutating func makeGroup(
        _ name: RawSpan,
        in queue: QueueID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> GroupID {
        if let known = try tables.group(named: name, in: queue, transaction) { return known }
        let group = try drawGroup(in: queue, transaction)
        scratch.removeAll()
        scratch.u32(group.rawValue)
        try transaction.put(scratch.span, for: GroupNameKey(queue, name), in: tables.groupNames)
        try put(GroupRecord(name: [UInt8](copying: name)), at: GroupKey(queue, group), &transaction)
        return group
    }

    /// Numbers come back after four billion groups: then those are passed over that are in use.
    private mutating func drawGroup(
        in queue: QueueID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> GroupID {
        while true {
            let group = GroupID(UInt32(truncatingIfNeeded: meta.nextGroup))
            meta.nextGroup = meta.nextGroup == 1 ? UInt64(UInt32.max) : meta.nextGroup - 1
            if try transaction.get(GroupKey(queue, group), in: tables.groups) == nil { return group }
        }
    }

    private mutating func put(
        _ record: GroupRecord,
        at key: GroupKey,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        scratch.removeAll()
        record.encode(into: &scratch)
        try transaction.put(scratch.span, for: key, in: tables.groups)
    }

    // MARK: Counts

    /// Jobs came to the group or left it; its row is written once for each batch.
    mutating func count(_ group: GroupKey, jobs: Int32 = 0, ready: Int32 = 0) {
        groupChanges[group, default: GroupChange()].jobs += jobs
        if ready != 0 { groupChanges[group, default: GroupChange()].ready += ready }
    }

    /// Writes the counts that have changed, and forgets the groups that nobody uses any more.
    mutating func writeGroupChanges(_ transaction: inout WriteTransaction) throws(LMDBError) {
        for (key, change) in groupChanges {
            guard var record = try tables.group(key, transaction) else { throw LMDBError(.corrupted, in: .get) }
            record.jobs &+= UInt32(bitPattern: change.jobs)
            record.ready &+= UInt32(bitPattern: change.ready)
            let isUsed = try record.jobs > 0 ? true : tables.groupLimit(key, transaction) != nil
            if !isUsed {
                _ = try transaction.delete(key, in: tables.groups)
                _ = try transaction.delete(GroupNameKey(key.queue, record.name.rawSpan), in: tables.groupNames)
            } else if change != GroupChange() {
                try put(record, at: key, &transaction)
            }
        }
        groupChanges.removeAll(keepingCapacity: groupChanges.count < Engine.groupChangesKeptMax)
    }

    /// Changed groups for which memory is kept.
    private static let groupChangesKeptMax = 4096

    // MARK: Settings

    mutating func setGroup(
        _ request: SetGroup,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(PlanError) {
        try planning { () throws(LMDBError) in
            let queue = makeQueue(request.queue, &result)
            var group = GroupID.none
            if !request.group.isEmpty {
                let name = Array(request.group.utf8)
                if request.concurrency > 0 {
                    group = try makeGroup(name.rawSpan, in: queue, &transaction)
                } else if let known = try tables.group(named: name.rawSpan, in: queue, transaction) {
                    group = known
                } else {
                    // Nothing is set of a group that nobody knows.
                    return
                }
            }
            try set(GroupKey(queue, group), to: request.concurrency, &transaction, &result)
        }
    }

    private mutating func set(
        _ key: GroupKey,
        to concurrency: UInt32,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        result.changedGroups.append((key.queue, key.group, concurrency))
        if concurrency > 0 {
            scratch.removeAll()
            scratch.u32(concurrency)
            try transaction.put(scratch.span, for: key, in: tables.groupLimits)
        } else {
            _ = try transaction.delete(key, in: tables.groupLimits)
        }
        // It may have no job: then what is set keeps it, or it goes.
        if key.group != .none { count(key) }
    }

    /// The groups of the queue are as if nothing had ever been set of them.
    mutating func forgetGroups(
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Effect? {
        let queue = QueueID(UInt32(truncatingIfNeeded: effect.subject))
        while let key = try transaction.entry(atOrAfter: GroupKey(queue, .none), in: tables.groupLimits)?.key,
            key.queue == queue
        {
            if effects.isExhausted { return effect }
            effects.steps += 1
            try set(key, to: 0, &transaction, &result)
        }
        return nil
    }
}
