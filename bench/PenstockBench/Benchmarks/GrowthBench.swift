internal import ArgumentParser
internal import BenchSupport

/// What a job costs, and an edge, as flows grow from a thousand jobs to a hundred thousand.
struct GrowthBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "growth",
        abstract: "Add and work off flows of growing size, in four shapes; a job's or an edge's cost in each."
    )

    @OptionGroup var options: BenchOptions

    @Option(help: "A shape to measure: fan-in, fan-out, chain or dag; may be given several times. All by default.")
    var shape: [FlowShape] = []

    init() {}
    init(options: BenchOptions) {
        self.options = options
        shape = []
    }

    func measure() throws -> BenchReport {
        var workload = options.workload(jobs: 100_000, jobsQuick: 300, outstanding: 1024)
        // The large chain alone takes a commit for each of its jobs: the usual five runs would take half an hour.
        workload.runs = options.runs ?? (options.quick ? 1 : 3)
        var series = GrowthSeries("growth", workload)
        let sizes = GrowthSeries.sizes(workload, quick: options.quick)
        for shape in shape.isEmpty ? FlowShape.allCases : shape { try series.measure(shape, sizes: sizes) }
        return series.report()
    }
}

extension FlowShape: ExpressibleByArgument {}
