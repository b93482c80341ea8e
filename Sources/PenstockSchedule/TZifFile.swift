/// A time zone's file, RFC 8536, read as bytes that may be anything.
///
///     header:  4 "TZif" | 1 version | 15 | 4 each: UT flags, standard flags, leap seconds, changes, types, name bytes
///     block:   time of each change | 1 type of each change | 6 each type | names | leap seconds | flags
///     type:    4 seconds east of UTC | 1 is summer | 1 name
///     file:    header | block, times of 4 bytes | header | block, times of 8 bytes | "\n" rule "\n"
///
/// The first block is for programs of before 2005 and passed over. A file without the second, version 1, is refused,
/// and so is one that counts leap seconds, because the wall clock doesn't.
struct TZifFile {
    private var cursor: ByteCursor
    private(set) var firstOffset = 0
    private(set) var changes: [ClockChange] = []
    private(set) var rule: PosixRule?

    /// - Throws: what is wrong, as the end of a sentence.
    init(_ bytes: [UInt8]) throws(Damage) {
        guard bytes.count <= ScheduleLimits.zoneFileBytesMax else { throw Damage("it is too large") }
        cursor = ByteCursor(bytes)
        let old = try header()
        guard cursor.skip(old.blockBytes(timeBytes: 4)) else { throw Damage.isCut }
        let counts = try header()
        guard counts.leapSeconds == 0 else { throw Damage("it counts leap seconds") }
        try readBlock(counts)
        try readRule()
    }

    /// What is wrong with a file, as the end of a sentence.
    struct Damage: Error {
        let reason: String
        init(_ reason: String) { self.reason = reason }

        static let isCut = Damage("it ends too early")
    }

    /// The numbers of a block's parts.
    private struct Counts {
        var utFlags, standardFlags, leapSeconds, changes, types, nameBytes: Int

        /// No overflow: each count has 32 bits.
        func blockBytes(timeBytes: Int) -> Int {
            changes * (timeBytes + 1) + types * 6 + nameBytes + leapSeconds * (timeBytes + 4) + standardFlags + utFlags
        }
    }

    private mutating func header() throws(Damage) -> Counts {
        guard let magic = cursor.take(4), magic.elementsEqual("TZif".utf8) else {
            throw Damage("it is not a TZif file")
        }
        guard let version = cursor.number(UInt8.self), version >= UInt8(ascii: "2") else {
            throw Damage("it is of version 1, and version 2 or later is needed")
        }
        guard cursor.skip(15), let utFlags = count(), let standardFlags = count(), let leapSeconds = count(),
            let changes = count(), let types = count(), let nameBytes = count()
        else { throw Damage.isCut }
        return Counts(
            utFlags: utFlags,
            standardFlags: standardFlags,
            leapSeconds: leapSeconds,
            changes: changes,
            types: types,
            nameBytes: nameBytes
        )
    }

    private mutating func count() -> Int? { cursor.number(UInt32.self).map { Int($0) } }

    private mutating func readBlock(_ counts: Counts) throws(Damage) {
        guard let times = cursor.take(counts.changes * 8), let types = cursor.take(counts.changes) else {
            throw Damage.isCut
        }
        let offsets = try offsets(count: counts.types)
        guard cursor.skip(counts.nameBytes + counts.standardFlags + counts.utFlags) else { throw Damage.isCut }
        firstOffset = offsets[0]
        var instants = ByteCursor(Array(times))
        for type in types {
            // Farther off there is no time, and sums with an offset would overflow. RFC 8536 has the same bound below.
            guard let instant = instants.number(Int64.self), (-1 << 59...1 << 59).contains(instant) else {
                throw Damage("it has a change of the clock in no year")
            }
            guard Int(type) < offsets.count else { throw Damage("it has a change to a type of time that it lacks") }
            let change = ClockChange(instant: Int(instant), offset: offsets[Int(type)])
            if let last = changes.last, last.instant >= change.instant {
                throw Damage("its changes of the clock are not in order")
            }
            changes.append(change)
        }
    }

    /// The offsets of the types of time, one at least.
    private mutating func offsets(count: Int) throws(Damage) -> [Int] {
        guard (1...256).contains(count) else { throw Damage("it has \(count) types of time, and 1 to 256 are allowed") }
        var offsets: [Int] = []
        for _ in 0..<count {
            guard let offset = cursor.number(Int32.self), cursor.skip(2) else { throw Damage.isCut }
            guard abs(Int(offset)) <= ScheduleLimits.offsetSecondsMax else {
                throw Damage("it has an offset of a day and more")
            }
            offsets.append(Int(offset))
        }
        return offsets
    }

    /// The rule between two line feeds; an empty one says that nothing is known of the future.
    private mutating func readRule() throws(Damage) {
        guard cursor.skip("\n") else { throw Damage("it has no rule for the future") }
        let text = cursor.take { $0 != UInt8(ascii: "\n") }
        guard cursor.skip("\n") else { throw Damage.isCut }
        if text.isEmpty { return }
        guard let rule = PosixRuleParser.rule(Array(text)) else {
            throw Damage("its rule for the future is not POSIX's")
        }
        self.rule = rule
    }
}

extension TimeZoneRules {
    /// The rules of a zone's file.
    package init(name: String, tzif bytes: [UInt8]) throws(TimeZoneError) {
        do throws(TZifFile.Damage) {
            let file = try TZifFile(bytes)
            self.init(name: name, firstOffset: file.firstOffset, changes: file.changes, rule: file.rule)
        } catch {
            throw .damaged(name, reason: error.reason)
        }
    }
}
