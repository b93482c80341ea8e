/// A set of small numbers, 0 to 63: the values of one field of a cron expression.
struct BitSet: Equatable, Sendable {
    private(set) var bits: UInt64

    init(bits: UInt64 = 0) { self.bits = bits }

    /// All numbers of a range within 0 to 63.
    init(_ range: ClosedRange<Int>) {
        bits = (UInt64.max << UInt64(range.lowerBound)) & (UInt64.max >> UInt64(63 - range.upperBound))
    }

    var isEmpty: Bool { bits == 0 }

    /// The lowest number that is at least `lowest`; nil when there is none.
    func first(from lowest: Int) -> Int? {
        guard lowest < 64 else { return nil }
        let rest = bits >> UInt64(lowest)
        return rest == 0 ? nil : lowest + rest.trailingZeroBitCount
    }

    func contains(_ number: Int) -> Bool { bits >> UInt64(number) & 1 == 1 }

    mutating func insert(_ number: Int) { bits |= 1 << UInt64(number) }

    mutating func remove(_ number: Int) { bits &= ~(1 << UInt64(number)) }

    func union(_ other: BitSet) -> BitSet { BitSet(bits: bits | other.bits) }

    func intersection(_ other: BitSet) -> BitSet { BitSet(bits: bits & other.bits) }
}
