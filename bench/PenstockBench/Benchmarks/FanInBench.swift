internal import ArgumentParser
internal import BenchSupport

/// What a child costs where ten have one parent, and where all of them have.
struct FanInBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "fanin",
        abstract: "Add and work off flows of 10 children and one parent, then one of 100,000; a job's cost in each."
    )

    @OptionGroup var options: BenchOptions

    private static let smallest = 10

    init() {}
    init(options: BenchOptions) { self.options = options }

    func measure() throws -> BenchReport {
        let workload = options.workload(jobs: 100_000, jobsQuick: 2000, outstanding: 1024)
        var series = GrowthSeries("fanin", workload)
        try series.measure(.fanIn, sizes: [Self.smallest, max(Self.smallest, workload.jobs)])
        return series.report()
    }
}
