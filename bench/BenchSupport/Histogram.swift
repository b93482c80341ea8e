/// A histogram of durations in nanoseconds, in fixed memory.
///
/// Exact below 256 ns, above that with 256 linear steps for each power of two: a value read back is at most 0.4 % more
/// than the one recorded.
///
///     value       0 ... 255    256 ... 511    512 ... 1023    ...    up to 2^44 (4.9 hours)
///     step            1             1              2          ...
///     index       0 ... 255    256 ... 511    512 ...  767    ...
///
/// Longer durations count in the last bucket; ``max`` is exact all the same. About 76 KB, allocated once: recording
/// never allocates.
package struct Histogram: Sendable {
    private static let stepBits = 8
    private static let steps = 1 << stepBits
    private static let valueBitsMax = 44
    private static let bucketCount = (valueBitsMax - stepBits + 1) * steps

    private var buckets = [UInt64](repeating: 0, count: bucketCount)

    /// How many values were recorded, those added by the correction included.
    package private(set) var count: UInt64 = 0

    /// The largest recorded value, exact; 0 while empty.
    package private(set) var max: UInt64 = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }

    /// Records one duration.
    package mutating func record(_ nanoseconds: UInt64) {
        buckets[Self.index(of: nanoseconds)] += 1
        count += 1
        if nanoseconds > max { max = nanoseconds }
    }

    /// Records a duration measured at a fixed rate, corrected for coordinated omission.
    ///
    /// While one request takes long, those that the rate asks for meanwhile are not sent, and their waiting would go
    /// unseen. So a value of 10 at an interval of 3 also records 7 and 4: what the two that fell due would have waited.
    ///
    /// - Parameter expectedInterval: nanoseconds between two requests at the fixed rate; 0 corrects nothing.
    package mutating func record(_ nanoseconds: UInt64, expectedInterval: UInt64) {
        record(nanoseconds)
        guard expectedInterval > 0 else { return }
        var missing = nanoseconds
        while missing >= 2 * expectedInterval {
            missing -= expectedInterval
            record(missing)
        }
    }

    /// Adds what another histogram holds, as if it had been recorded here.
    package mutating func merge(_ other: Histogram) {
        for index in buckets.indices { buckets[index] += other.buckets[index] }
        count += other.count
        if other.max > max { max = other.max }
    }

    /// The least value that the fraction `quantile` of all values does not exceed, in nanoseconds, rounded up to the
    /// end of its step; 0 while empty.
    package func value(atQuantile quantile: Double) -> UInt64 {
        precondition((0...1).contains(quantile), "a quantile is between 0 and 1")
        guard count > 0 else { return 0 }
        let rank = Swift.max(1, UInt64((quantile * Double(count)).rounded(.up)))
        var seen: UInt64 = 0
        for (index, inBucket) in buckets.enumerated() {
            seen += inBucket
            // Everything in the last bucket is as long as the longest: its end says nothing.
            if seen >= rank { return index == Self.bucketCount - 1 ? max : Swift.min(Self.lastValue(at: index), max) }
        }
        return max
    }

    package var p50: UInt64 { value(atQuantile: 0.5) }
    package var p90: UInt64 { value(atQuantile: 0.9) }
    package var p99: UInt64 { value(atQuantile: 0.99) }
    package var p999: UInt64 { value(atQuantile: 0.999) }

    private static func index(of value: UInt64) -> Int {
        let shift = Swift.max(0, UInt64.bitWidth - value.leadingZeroBitCount - stepBits - 1)
        // value >> shift is below 2 * steps, and from steps on where shift is above 0: no index is used twice.
        return Swift.min(shift * steps + Int(value >> UInt64(shift)), bucketCount - 1)
    }

    private static func lastValue(at index: Int) -> UInt64 {
        let shift = Swift.max(0, index / steps - 1)
        return (UInt64(index - shift * steps) + 1) << UInt64(shift) - 1
    }
}
