internal import ArgumentParser
internal import BenchSupport

/// Every benchmark, one after the other.
struct AllBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "all",
        abstract: "Every benchmark, one after the other; with --quick each in its smallest form."
    )

    @OptionGroup var options: BenchOptions

    /// The JSON object.
    private struct Reports: Encodable {
        var benchmark = "all"
        var reports: [BenchReport]
    }

    func run() throws {
        let benchmarks: [any Benchmark.Type] = [
            DequeueBench.self, LatencyBench.self, AddBench.self, BulkBench.self, FlowBench.self, SDKBench.self,
            FanInBench.self, GrowthBench.self, CascadeBench.self,
        ]
        let reports = try benchmarks.map { benchmark in
            let report = try benchmark.measure(options)
            options.output.showTables(of: report)
            return report
        }
        try options.output.show(Reports(reports: reports))
    }
}
