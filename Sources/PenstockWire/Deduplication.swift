/// Which adds of a queue count as one: those with the same id, while a job holds it.
///
///     u8 flags (1 extend, 2 replace, 4 keepLastIfActive) | u64 ttl in milliseconds (0: none) | id, to the end
///
/// Without a ttl the job of the first add holds the id until it has finished; with
/// one it holds the id for so long, finished or not.
package struct Deduplication: Equatable, Sendable {
    package static let extendFlag: UInt8 = 1
    package static let replaceFlag: UInt8 = 2
    package static let keepLastFlag: UInt8 = 4

    package var id: String
    /// Milliseconds; 0: until the job has finished.
    package var ttl: UInt64
    /// An add that is deduplicated lets the ttl begin anew.
    package var extends: Bool
    /// An add takes the place of the job that holds the id, while that is delayed.
    package var replaces: Bool
    /// The last add that comes while the job is active is kept, and becomes a job when that one has ended.
    package var keepsLastIfActive: Bool

    package init(
        id: String,
        ttl: UInt64 = 0,
        extends: Bool = false,
        replaces: Bool = false,
        keepsLastIfActive: Bool = false
    ) {
        self.id = id
        self.ttl = ttl
        self.extends = extends
        self.replaces = replaces
        self.keepsLastIfActive = keepsLastIfActive
    }

    package func encode(into writer: inout WireWriter) {
        writer.u8(
            (extends ? Deduplication.extendFlag : 0) | (replaces ? Deduplication.replaceFlag : 0)
                | (keepsLastIfActive ? Deduplication.keepLastFlag : 0)
        )
        writer.u64(ttl)
        writer.raw(Array(id.utf8))
    }

    /// Reads the value of the option, to its end, and refuses what has no meaning.
    package init(from reader: inout WireReader) throws(WireError) {
        let flags = try reader.u8()
        let ttl = try reader.u64()
        let id = try reader.range(reader.remaining)
        try WireError.checkFlags(flags, allowed: 7, "a deduplication")
        try Names.checkDeduplication(reader.bytes.extracting(id))
        self.init(
            id: try reader.bytes.string(id, "deduplication id"),
            ttl: ttl,
            extends: flags & Deduplication.extendFlag != 0,
            replaces: flags & Deduplication.replaceFlag != 0,
            keepsLastIfActive: flags & Deduplication.keepLastFlag != 0
        )
        try validate()
    }

    package func validate() throws(WireError) {
        guard ttl <= Limits.delayMillisecondsMax else {
            throw WireError(
                .invalidOption,
                "A deduplication for \(ttl) ms; at most \(Limits.delayMillisecondsMax) is allowed."
            )
        }
        guard !extends || ttl > 0 else {
            throw WireError(.invalidOption, "A deduplication extends its ttl, and has none: give both, or neither.")
        }
        guard !keepsLastIfActive || ttl == 0 else {
            throw WireError(
                .invalidOption,
                "A deduplication keeps the last add while its job is active: then the job holds the id until it has finished, and a ttl is not allowed."
            )
        }
    }
}

extension WireWriter {
    /// The deduplication as an option of a node; nothing where there is none.
    ///
    /// - Returns: how many options that makes.
    package mutating func option(_ deduplication: Deduplication?) -> UInt8 {
        guard let deduplication else { return 0 }
        option(OptionTag.deduplication, UInt16(9 + deduplication.id.utf8.count))
        deduplication.encode(into: &self)
        return 1
    }
}

extension RawSpan {
    /// The deduplication in the range; nil where it is empty.
    package func deduplication(_ range: ByteRange) throws(WireError) -> Deduplication? {
        guard !range.isEmpty else { return nil }
        var reader = WireReader(extracting(range))
        return try Deduplication(from: &reader)
    }
}
