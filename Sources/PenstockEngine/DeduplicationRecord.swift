import LMDB
import PenstockWire

/// A deduplication id that is held.
///
///     u32 checksum (0: none yet) | u8 version | u8 flags (1: an add is kept) | u16 0 | u64 job | u64 due
struct DeduplicationRecord: Equatable, Sendable {
    static let version: UInt8 = 1
    private static let keptFlag: UInt8 = 1

    /// It may have been removed, where the id is held for a time.
    var job: JobID
    /// Elapsed time up to which it is held; 0: until its job has finished.
    var due: UInt64
    /// An add is kept, and becomes a job when this one has ended. Then `due` is 0.
    var hasKept: Bool

    init(job: JobID, due: UInt64 = 0, hasKept: Bool = false) {
        self.job = job
        self.due = due
        self.hasKept = hasKept
    }

    /// False where its time is over: it is as if it were not there.
    func isHeld(elapsed: UInt64) -> Bool { due == 0 || due > elapsed }

    func encode(into writer: inout WireWriter) {
        writer.u32(0)
        writer.u8(DeduplicationRecord.version)
        writer.u8(hasKept ? DeduplicationRecord.keptFlag : 0)
        writer.u16(0)
        writer.jobID(job)
        writer.u64(due)
    }

    init(_ row: RawSpan) throws(WireError) {
        var reader = WireReader(row)
        _ = try reader.u32()
        let version = try reader.u8()
        guard version == DeduplicationRecord.version else {
            throw WireError(.internalError, "A deduplication of version \(version), which this server does not know.")
        }
        hasKept = try reader.u8() & DeduplicationRecord.keptFlag != 0
        _ = try reader.u16()
        job = try reader.jobID()
        due = try reader.u64()
    }
}

/// `u32 queue | u64 hash of the id | deduplication id`
///
/// With the hash in front, a walk over a queue's ids that goes on later says in one number how far it has come.
struct DeduplicationKey: DecodableTableKey, Hashable {
    var queue: QueueID
    var hash: UInt64
    var id: [UInt8]

    init(_ queue: QueueID, _ id: [UInt8]) {
        self.queue = queue
        self.id = id
        hash = DeduplicationKey.hash(id)
    }

    /// Before all ids of the queue whose hash is at least this one.
    init(_ queue: QueueID, from hash: UInt64) {
        self.queue = queue
        self.hash = hash
        id = []
    }

    /// FNV-1a. Whoever chooses ids of one hash makes one step of such a walk longer, and nothing else.
    private static func hash(_ id: [UInt8]) -> UInt64 {
        id.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(queue.rawValue)
        writer.append(hash)
        writer.append(id.rawSpan)
    }

    init?(from reader: inout KeyReader) {
        guard let queue = reader.readUInt32(), let hash = reader.readUInt64() else { return nil }
        self.queue = QueueID(queue)
        self.hash = hash
        id = [UInt8](copying: reader.readRest())
    }
}

/// `u64 due (elapsed milliseconds) | DeduplicationKey`
struct DeduplicationDueKey: DecodableTableKey, Hashable {
    var due: UInt64
    var hold: DeduplicationKey

    init(due: UInt64, _ hold: DeduplicationKey) {
        self.due = due
        self.hold = hold
    }

    func encode(into writer: inout KeyWriter) {
        writer.append(due)
        hold.encode(into: &writer)
    }

    init?(from reader: inout KeyReader) {
        guard let due = reader.readUInt64(), let hold = DeduplicationKey(from: &reader) else { return nil }
        self.due = due
        self.hold = hold
    }
}
