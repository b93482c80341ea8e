/// The numbers from 1 on whose outcomes have been received.
///
/// Outcomes come in order but for rare cases, so all up to ``through`` are kept
/// as one number, and only what lies beyond a gap as ranges.
struct SequenceSet: Equatable, Sendable {
    /// Every number up to this one is in the set; the next one is not.
    private(set) var through: UInt64 = 0
    /// What has been received beyond a gap: ordered, never touching one another.
    private(set) var beyond: [Range<UInt64>] = []

    /// Inserts `count` numbers from `first` on and calls `body` with each run of them that is new.
    mutating func insert(_ first: UInt64, count: UInt64, _ body: (Range<UInt64>) -> Void) {
        let (end, overflow) = first.addingReportingOverflow(count)
        guard count > 0, !overflow, end > through + 1 else { return }
        var next = max(first, through + 1)
        if next == through + 1 && beyond.isEmpty {
            through = end - 1
            body(next..<end)
            return
        }
        var fresh: [Range<UInt64>] = []
        for range in beyond where range.upperBound > next && range.lowerBound < end {
            if next < range.lowerBound { fresh.append(next..<range.lowerBound) }
            next = max(next, range.upperBound)
        }
        if next < end { fresh.append(next..<end) }
        beyond = SequenceSet.merged(beyond + fresh)
        if let head = beyond.first, head.lowerBound == through + 1 {
            through = head.upperBound - 1
            beyond.removeFirst()
        }
        for range in fresh { body(range) }
    }

    private static func merged(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
        var result: [Range<UInt64>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, last.upperBound >= range.lowerBound {
                result[result.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }
}
