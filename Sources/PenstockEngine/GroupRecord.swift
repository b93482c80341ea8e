import PenstockWire

/// A group: its name, and how many jobs it has.
///
///     u32 checksum (0: none yet) | u8 version | u32 jobs | u32 ready | str8 name
struct GroupRecord {
    static let version: UInt8 = 1

    /// Its jobs that are stored, in any state. A group without jobs, and of which nothing is set, is forgotten.
    var jobs: UInt32 = 0
    /// Its entries in the ready index.
    var ready: UInt32 = 0
    var name: [UInt8]

    init(name: [UInt8]) { self.name = name }

    func encode(into writer: inout WireWriter) {
        writer.u32(0)
        writer.u8(GroupRecord.version)
        writer.u32(jobs)
        writer.u32(ready)
        writer.bytes8(name.rawSpan)
    }

    init(_ bytes: RawSpan) throws(WireError) {
        var reader = WireReader(bytes)
        _ = try reader.u32()
        let version = try reader.u8()
        guard version == GroupRecord.version else {
            throw WireError(.internalError, "A group of version \(version), which this server does not know.")
        }
        jobs = try reader.u32()
        ready = try reader.u32()
        name = bytes.array(try reader.range8())
    }
}

/// How many jobs a group has more than its row says.
struct GroupChange: Equatable {
    var jobs: Int32 = 0
    var ready: Int32 = 0
}
