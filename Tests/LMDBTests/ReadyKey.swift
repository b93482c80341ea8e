import LMDB

/// A key of several parts, as users of the module write them.
struct ReadyKey: DecodableTableKey, Equatable {
    var queue: UInt32
    var group: UInt16
    var priority: UInt8
    var place: UInt64

    init(queue: UInt32, group: UInt16, priority: UInt8, place: UInt64) {
        self.queue = queue
        self.group = group
        self.priority = priority
        self.place = place
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(queue)
        writer.append(group)
        writer.append(priority)
        writer.append(place)
    }

    init?(from reader: inout KeyReader) {
        guard let queue = reader.readUInt32(), let group = reader.readUInt16(), let priority = reader.readUInt8(),
            let place = reader.readUInt64()
        else { return nil }
        self.init(queue: queue, group: group, priority: priority, place: place)
    }
}
