import PenstockWire

/// What the worker of a job has reported: its progress, and how far its log goes.
///
///     u32 checksum (0: none yet) | u8 version | u8 progressType | u16 0 | u32 first | u32 next | u64 bytes
///     progress, to the end
struct ReportRecord {
    static let version: UInt8 = 1

    var progressType = ContentType.none
    /// Lines of the log that are left: `first..<next`. The first that was ever written has the number 1.
    var first: UInt32 = 1
    var next: UInt32 = 1
    /// Bytes of the text of those.
    var bytes: UInt64 = 0

    var lineCount: UInt32 { next - first }

    init() {}

    /// Call ``WireWriter/raw(_:)`` with the progress behind it.
    func encode(into writer: inout WireWriter) {
        writer.u32(0)
        writer.u8(ReportRecord.version)
        writer.u8(progressType.rawValue)
        writer.u16(0)
        writer.u32(first)
        writer.u32(next)
        writer.u64(bytes)
    }

    /// - Returns: the record, and where the progress stands.
    static func decode(_ row: RawSpan) throws(WireError) -> (ReportRecord, ByteRange) {
        var reader = WireReader(row)
        _ = try reader.u32()
        let version = try reader.u8()
        guard version == ReportRecord.version else {
            throw WireError(.internalError, "A report of version \(version), which this server does not know.")
        }
        var record = ReportRecord()
        record.progressType = ContentType(rawValue: try reader.u8())
        _ = try reader.u16()
        record.first = try reader.u32()
        record.next = try reader.u32()
        record.bytes = try reader.u64()
        return (record, try reader.range(reader.remaining))
    }
}
