import PenstockWire

/// An attempt that has ended.
///
///     u32 checksum (0: none yet) | u8 version | u8 ending | u64 startedAt | u64 finishedAt | str8 worker | str16 message
struct AttemptRecord {
    static let version: UInt8 = 1

    static func encode(
        _ record: JobRecord,
        _ ending: AttemptEnding,
        finishedAt: UInt64,
        worker: RawSpan,
        message: RawSpan,
        into writer: inout WireWriter
    ) {
        writer.u32(0)
        writer.u8(version)
        writer.u8(ending.rawValue)
        writer.u64(record.startedAt)
        writer.u64(finishedAt)
        writer.bytes8(worker)
        writer.bytes16(message)
    }

    static func row(_ number: UInt32, _ bytes: RawSpan) throws(WireError) -> AttemptList.Row {
        var reader = WireReader(bytes)
        _ = try reader.u32()
        let version = try reader.u8()
        guard version == AttemptRecord.version else {
            throw WireError(.internalError, "An attempt of version \(version), which this server does not know.")
        }
        let ending = try reader.stored(AttemptEnding.self)
        let startedAt = try reader.u64()
        let finishedAt = try reader.u64()
        let worker = try reader.string8("worker's name")
        return AttemptList.Row(
            number: number,
            ending: ending,
            startedAt: startedAt,
            finishedAt: finishedAt,
            worker: worker,
            message: try reader.string16("failure message")
        )
    }
}

extension RawSpan {
    /// The longest beginning of a text, in whole characters, of at most `count` bytes.
    @_lifetime(copy self)
    func prefix(bytes count: Int) -> RawSpan {
        guard byteCount > count else { return self }
        var end = count
        // A byte that goes on with a character begins with the bits 10.
        while end > 0, self[end] & 0xC0 == 0x80 { end -= 1 }
        return extracting(0..<end)
    }
}
