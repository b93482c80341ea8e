/// A zone's file as a test wants it: version 2, with a first block that is empty.
struct TZifBytes {
    /// Seconds east of UTC of each type of time.
    var offsets = [0]
    var changes: [(instant: Int, type: UInt8)] = []
    var rule = "UTC0"
    var version = UInt8(ascii: "2")
    var leapSeconds = 0

    var bytes: [UInt8] {
        var bytes = header(changes: 0, types: 1, names: 1, leapSeconds: 0) + [0, 0, 0, 0, 0, 0, 0]
        bytes += header(changes: changes.count, types: offsets.count, names: 4, leapSeconds: leapSeconds)
        for change in changes { bytes += bigEndian(UInt64(bitPattern: Int64(change.instant)), 8) }
        bytes += changes.map(\.type)
        for offset in offsets { bytes += bigEndian(UInt64(bitPattern: Int64(offset)), 4) + [0, 0] }
        bytes += Array("LMT\0".utf8) + Array(repeating: 0, count: leapSeconds * 12)
        return bytes + Array("\n\(rule)\n".utf8)
    }

    private func header(changes: Int, types: Int, names: Int, leapSeconds: Int) -> [UInt8] {
        let counts = [0, 0, leapSeconds, changes, types, names]
        return Array("TZif".utf8) + [version] + Array(repeating: 0, count: 15)
            + counts.flatMap { bigEndian(UInt64($0), 4) }
    }

    private func bigEndian(_ number: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * UInt64($0))) }
    }
}
