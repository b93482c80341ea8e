/// What one run of one size found: what ``BenchReport/Cascade`` is made of.
package struct CascadeSample: Sendable {
    package var size: Int
    /// In milliseconds.
    package var acknowledged: Double
    package var settled: Double
    /// In microseconds; nil where the server's process can't be seen.
    package var serverCPU: Double?
    package var commits: UInt64
    package var idle: BenchReport.Latency
    package var during: BenchReport.Latency

    package init(
        size: Int,
        acknowledged: Double,
        settled: Double,
        serverCPU: Double?,
        commits: UInt64,
        idle: BenchReport.Latency,
        during: BenchReport.Latency
    ) {
        self.size = size
        self.acknowledged = acknowledged
        self.settled = settled
        self.serverCPU = serverCPU
        self.commits = commits
        self.idle = idle
        self.during = during
    }
}

extension BenchReport.Cascade {
    /// The row of one size.
    ///
    /// - Parameter runs: at least one.
    package init(runs: [CascadeSample]) {
        func median(_ figure: (CascadeSample) -> Double) -> Double { Statistics(runs: runs.map(figure)).median }
        size = runs[0].size
        acknowledged = Statistics(runs: runs.map(\.acknowledged))
        settled = Statistics(runs: runs.map(\.settled))
        let times = runs.compactMap(\.serverCPU)
        serverCPUPerJob = times.count == runs.count ? Statistics(runs: times).median / Double(size) : nil
        commits = median { Double($0.commits) }
        idle = BenchReport.Latency(medianOf: runs.map(\.idle))
        during = BenchReport.Latency(medianOf: runs.map(\.during))
        ratios = Ratios(p50: median { $0.during.p50 / $0.idle.p50 }, p99: median { $0.during.p99 / $0.idle.p99 })
    }
}
