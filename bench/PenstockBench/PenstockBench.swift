internal import ArgumentParser

/// `penstock-bench`: how fast a server is, as ratios to the floors that were measured in the same run.
@main
struct PenstockBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "penstock-bench",
        abstract: "Measures a Penstock server's hot paths beside what the machine allows at best.",
        subcommands: [
            DequeueBench.self, LatencyBench.self, AddBench.self, BulkBench.self, FlowBench.self, SDKBench.self,
            FanInBench.self, GrowthBench.self, CascadeBench.self, FloorsBench.self, AllBench.self, EchoServe.self,
        ]
    )
}
