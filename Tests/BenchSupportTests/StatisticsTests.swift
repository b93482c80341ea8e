import Testing

@testable import BenchSupport

struct StatisticsTests {
    @Test func `the median of an odd number of runs is the middle one`() {
        let statistics = Statistics(runs: [5, 1, 100])
        #expect([statistics.median, statistics.min, statistics.max] == [5, 1, 100])
    }

    @Test func `the median of an even number of runs is the mean of the middle two`() {
        #expect(Statistics(runs: [4, 1, 2, 100]).median == 3)
    }

    @Test func `one run is its own median and spread`() {
        let statistics = Statistics(runs: [7])
        #expect([statistics.median, statistics.min, statistics.max] == [7, 7, 7])
    }
}
