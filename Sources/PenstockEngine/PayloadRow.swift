import PenstockWire

/// What hardly ever changes of a job: its name, its data, and the options that few commands ask for.
///
///     u32 checksum (0: none yet) | u8 version | u8 contentType | [u64 repeatEvery] in version 2 | str8 name
///     [u64 delay] | [u8 kind | u64 delay | u64 maximum | u16 jitter] | [str8 customID]   as the record's flags say,
///     [u8 given (1 completed, 2 failed) | [u32 count | u64 age] | [u32 count | u64 age]]   and this one, too,
///     [u8 count | count x (u16 tag | u16 length | bytes)]   the rare options in the wire's form, as its marks say,
///     data, to the end
struct PayloadRow: ~Escapable {
    static let version: UInt8 = 1
    /// The row of a job that is repeated.
    static let repeatingVersion: UInt8 = 2

    let bytes: RawSpan
    let contentType: ContentType
    /// Milliseconds; 0: it is not repeated.
    let repeatEvery: UInt64
    let name: ByteRange
    let delay: UInt64
    let backoff: Backoff
    let customID: ByteRange
    /// How long the job is kept when it has completed, or failed or been cancelled; nil: as the server's default says.
    let keepCompleted: Retention?
    let keepFailed: Retention?
    /// The options that few jobs have; empty where it has none.
    let extras: ByteRange
    let data: ByteRange

    /// - Parameter record: the job's, whose flags and marks say what the row holds.
    @_lifetime(copy bytes)
    init(_ bytes: RawSpan, of record: JobRecord) throws(WireError) {
        let flags = record.flags
        var reader = WireReader(bytes)
        _ = try reader.u32()
        let version = try reader.u8()
        guard version == PayloadRow.version || version == PayloadRow.repeatingVersion else {
            throw WireError(.internalError, "A payload of version \(version), which this server does not know.")
        }
        contentType = ContentType(rawValue: try reader.u8())
        repeatEvery = version == PayloadRow.repeatingVersion ? try reader.u64() : 0
        name = try reader.range8()
        delay = flags.contains(.hasDelay) ? try reader.u64() : 0
        if flags.contains(.hasBackoff) {
            let kind = try reader.stored(BackoffKind.self)
            let delay = try reader.u64()
            let maximum = try reader.u64()
            backoff = Backoff(kind: kind, delay: delay, maximum: maximum, jitter: try reader.u16())
        } else {
            backoff = .none
        }
        customID = flags.contains(.hasCustomID) ? try reader.range8() : .empty
        let given = flags.contains(.hasRetention) ? try reader.u8() : 0
        keepCompleted = given & 1 != 0 ? try Retention(from: &reader) : nil
        keepFailed = given & 2 != 0 ? try Retention(from: &reader) : nil
        extras = record.marks.contains(.hasExtras) ? try PayloadRow.skipExtras(&reader) : .empty
        data = try reader.range(reader.remaining)
        self.bytes = bytes
    }

    private static func skipExtras(_ reader: inout WireReader) throws(WireError) -> ByteRange {
        let start = reader.offset
        for _ in 0..<(try reader.u8()) {
            _ = try reader.u16()
            _ = try reader.range16()
        }
        return ByteRange(offset: start, count: reader.offset - start)
    }

    /// Reads the rare options; those that the job was not given stay as they are.
    func readRare(into options: inout NodeOptions) throws(WireError) {
        guard !extras.isEmpty else { return }
        var reader = WireReader(bytes.extracting(extras))
        for _ in 0..<(try reader.u8()) {
            let tag = try reader.u16()
            let place = try reader.range16()
            var value = WireReader(reader.bytes.extracting(place))
            // What is no number is asked for by its tag.
            _ = try options.read(tag & ~OptionTag.mustUnderstand, &value)
        }
    }

    /// Where the value of a rare option stands in the row; empty where the job has none.
    func extra(_ wanted: UInt16) throws(WireError) -> ByteRange {
        guard !extras.isEmpty else { return .empty }
        var reader = WireReader(bytes.extracting(extras))
        for _ in 0..<(try reader.u8()) {
            let tag = try reader.u16()
            var place = try reader.range16()
            guard tag & ~OptionTag.mustUnderstand == wanted else { continue }
            place.offset += extras.offset
            return place
        }
        return .empty
    }

    /// Milliseconds that an attempt may take; 0: any time.
    var timeout: UInt64 {
        get throws(WireError) {
            let place = try extra(OptionTag.timeout)
            if place.isEmpty { return 0 }
            var reader = WireReader(bytes.extracting(place))
            return try reader.u64()
        }
    }

    var headers: Headers {
        get throws(WireError) { try bytes.headers(try extra(OptionTag.headers)) }
    }

    var deduplication: Deduplication? {
        get throws(WireError) { try bytes.deduplication(try extra(OptionTag.deduplication)) }
    }

    /// The name of its group; empty where it has none.
    var group: String {
        get throws(WireError) { try bytes.string(try extra(OptionTag.group), "group's name") }
    }

    /// Appends the row of a node of an add; `source` holds the node's bytes.
    static func encode(
        _ node: NodeFields,
        of record: JobRecord,
        from source: RawSpan,
        into writer: inout WireWriter
    ) {
        let flags = record.flags
        writer.u32(0)
        writer.u8(node.options.repeatEvery > 0 ? repeatingVersion : version)
        writer.u8(node.contentType.rawValue)
        if node.options.repeatEvery > 0 { writer.u64(node.options.repeatEvery) }
        writer.bytes8(source.extracting(node.name))
        if flags.contains(.hasDelay) { writer.u64(node.options.delay) }
        if flags.contains(.hasBackoff) {
            writer.u8(node.options.backoff.kind.rawValue)
            writer.u64(node.options.backoff.delay)
            writer.u64(node.options.backoff.maximum)
            writer.u16(node.options.backoff.jitter)
        }
        if flags.contains(.hasCustomID) { writer.bytes8(source.extracting(node.customID)) }
        if flags.contains(.hasRetention) {
            let options = node.options
            writer.u8((options.keepCompleted == nil ? 0 : 1) | (options.keepFailed == nil ? 0 : 2))
            options.keepCompleted?.encode(into: &writer)
            options.keepFailed?.encode(into: &writer)
        }
        if record.marks.contains(.hasExtras) { encodeExtras(node, from: source, into: &writer) }
        writer.raw(source.extracting(node.data))
    }

    private static func encodeExtras(_ node: NodeFields, from source: RawSpan, into writer: inout WireWriter) {
        let start = writer.count
        writer.u8(0)
        var count = node.options.encodeRare(into: &writer)
        for (tag, place) in node.extras where !place.isEmpty {
            writer.option(tag, UInt16(place.count))
            writer.raw(source.extracting(place))
            count += 1
        }
        writer.patch(count, at: start)
    }

    /// Appends the row of a job that was removed: its name is all that is left of it.
    static func encode(onlyName name: RawSpan, into writer: inout WireWriter) {
        writer.u32(0)
        writer.u8(version)
        writer.u8(ContentType.none.rawValue)
        writer.bytes8(name)
    }

    /// Appends the row with other data.
    func encode(with data: Payload, into writer: inout WireWriter) {
        writer.raw(bytes.extracting(0..<5))
        writer.u8(data.contentType.rawValue)
        writer.raw(bytes.extracting(6..<Int(self.data.offset)))
        writer.raw(data.bytes.rawSpan)
    }
}
