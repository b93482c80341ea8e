import Testing

@testable import BenchSupport

struct HistogramTests {
    private static let quantiles = [0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1]

    private func expectQuantiles(of values: [UInt64], within error: Double = 0.01) {
        var histogram = Histogram()
        for value in values { histogram.record(value) }
        let sorted = values.sorted()
        for quantile in Self.quantiles {
            let rank = max(1, Int((quantile * Double(sorted.count)).rounded(.up)))
            let expected = Double(sorted[rank - 1])
            let found = Double(histogram.value(atQuantile: quantile))
            #expect(abs(found - expected) <= expected * error, "quantile \(quantile): \(found), not \(expected)")
        }
        #expect(histogram.max == sorted.last)
        #expect(histogram.count == UInt64(values.count))
    }

    @Test func `an empty histogram has zeros`() {
        let histogram = Histogram()
        #expect(histogram.isEmpty)
        #expect([histogram.p50, histogram.p999, histogram.max] == [0, 0, 0])
    }

    @Test func `quantiles of a uniform distribution are right within one percent`() {
        expectQuantiles(of: (1...100_000).map { $0 * 37 })
    }

    @Test func `quantiles of a distribution over nine powers of ten are right within one percent`() {
        var value = 1.0
        expectQuantiles(
            of: (0..<20_000).map { _ in
                value *= 1.00104
                return UInt64(value * 10)
            }
        )
    }

    @Test func `quantiles of two far peaks are right within one percent`() {
        expectQuantiles(of: [UInt64](repeating: 29_000, count: 990) + [UInt64](repeating: 4_000_000, count: 10))
    }

    @Test func `values below 512 are exact`() {
        expectQuantiles(of: Array(0...511), within: 0)
    }

    @Test(arguments: 0..<44) func `a single value around each power of two is read back within half a percent`(
        power: Int
    ) {
        let edge = UInt64(1) << UInt64(power)
        for value in [edge - 1, edge, edge + 1] {
            var histogram = Histogram()
            histogram.record(value)
            // A longer one beside it, so that the maximum does not round the median down.
            histogram.record(.max)
            let found = histogram.p50
            #expect(found >= value && Double(found - value) <= Double(value) * 0.005)
        }
    }

    @Test func `a value too long for the buckets counts and is the exact maximum`() {
        var histogram = Histogram()
        histogram.record(.max)
        histogram.record(1 << 50)
        #expect(histogram.max == .max)
        #expect(histogram.p50 == .max)
    }

    @Test func `a value longer than the expected interval adds those that it kept from being sent`() {
        var corrected = Histogram()
        corrected.record(10, expectedInterval: 3)
        var expected = Histogram()
        for value: UInt64 in [10, 7, 4] { expected.record(value) }
        #expect(corrected.count == 3)
        for quantile in [0.3, 0.6, 1] {
            #expect(corrected.value(atQuantile: quantile) == expected.value(atQuantile: quantile))
        }
    }

    @Test func `a value within the expected interval and an interval of zero add nothing`() {
        var histogram = Histogram()
        histogram.record(3, expectedInterval: 3)
        histogram.record(5, expectedInterval: 3)
        histogram.record(1_000_000, expectedInterval: 0)
        #expect(histogram.count == 3)
    }

    @Test func `one pause of a second at a thousand requests a second moves the median of the rest`() {
        var histogram = Histogram()
        for _ in 0..<1000 { histogram.record(10_000, expectedInterval: 1_000_000) }
        histogram.record(1_000_000_000, expectedInterval: 1_000_000)
        #expect(histogram.count == 2000)
        #expect(abs(Double(histogram.value(atQuantile: 0.75)) - 500_000_000) < 5_000_000)
    }

    @Test func `merging is the same as recording in one`() {
        var left = Histogram()
        var right = Histogram()
        var both = Histogram()
        for value: UInt64 in 1...10_000 {
            if value.isMultiple(of: 3) { left.record(value * 101) } else { right.record(value * 101) }
            both.record(value * 101)
        }
        left.merge(right)
        #expect(left.count == both.count && left.max == both.max)
        for quantile in Self.quantiles {
            #expect(left.value(atQuantile: quantile) == both.value(atQuantile: quantile))
        }
    }
}
