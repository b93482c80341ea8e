import LMDB
import PenstockWire

/// `u32 queue | u32 group`
struct GroupKey: DecodableTableKey, Hashable {
    var queue: QueueID
    var group: GroupID

    init(_ queue: QueueID, _ group: GroupID) {
        self.queue = queue
        self.group = group
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(queue.rawValue)
        writer.append(group.rawValue)
    }

    init?(from reader: inout KeyReader) {
        guard let queue = reader.readUInt32(), let group = reader.readUInt32() else { return nil }
        self.queue = QueueID(queue)
        self.group = GroupID(group)
    }
}

/// `u32 queue | name`
struct GroupNameKey: TableKey, ~Escapable {
    let queue: QueueID
    let name: RawSpan

    @_lifetime(copy name)
    init(_ queue: QueueID, _ name: RawSpan) {
        self.queue = queue
        self.name = name
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(queue.rawValue)
        writer.append(name)
    }
}

extension Tables {
    /// The number of the group of that name; nil where there is none.
    func group<Snapshot: Transaction & ~Copyable & ~Escapable>(
        named name: RawSpan,
        in queue: QueueID,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> GroupID? {
        guard let bytes = try snapshot.get(GroupNameKey(queue, name), in: groupNames) else { return nil }
        return GroupID(try decode { () throws(WireError) in try number(bytes) })
    }

    func group<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ key: GroupKey,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> GroupRecord? {
        guard let bytes = try snapshot.get(key, in: groups) else { return nil }
        return try decode { () throws(WireError) in try GroupRecord(bytes) }
    }

    /// Jobs of the group that may run at a time, where it has a bound of its own.
    func groupLimit<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ key: GroupKey,
        _ snapshot: borrowing Snapshot
    ) throws(LMDBError) -> UInt32? {
        guard let bytes = try snapshot.get(key, in: groupLimits) else { return nil }
        return try decode { () throws(WireError) in try number(bytes) }
    }

    func number(_ bytes: RawSpan) throws(WireError) -> UInt32 {
        var reader = WireReader(bytes)
        return try reader.u32()
    }
}
