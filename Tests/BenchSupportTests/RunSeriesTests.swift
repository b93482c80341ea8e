import BenchSupport
import Testing

@testable import PenstockBench

struct RunSeriesTests {
    private func run(_ jobs: Int, seconds: Double, server: Duration? = .milliseconds(20)) -> RunFigures {
        RunFigures(
            jobs: jobs,
            seconds: seconds,
            commits: 10,
            serverCPU: server,
            clientCPU: .milliseconds(10),
            othersCPUShare: 0.25,
            serverResidentBytes: 4096,
            version: "1.0.0",
            durability: .fsync
        )
    }

    private var workload: Workload {
        Workload(jobs: 1000, runs: 3, outstanding: 64, payloadBytes: 200, parent: "/", server: nil, pinning: .none)
    }

    @Test func `the ratio is the median of each run over its own floor`() {
        var series = RunSeries()
        // Slow for a while, floor and run alike.
        series.append(run(1000, seconds: 1), floor: 2000)
        series.append(run(1000, seconds: 10), floor: 200)
        series.append(run(1000, seconds: 1), floor: 4000)
        #expect(series.ratio == 0.5)
        #expect(series.ratePerSecond == Statistics(runs: [100, 1000, 1000]))
        #expect(series.floorPerSecond == 2000)
    }

    @Test func `a report has the figures of all runs`() {
        var series = RunSeries()
        for _ in 0..<3 { series.append(run(1000, seconds: 0.5), floor: 4000) }
        let report = BenchReport("dequeue", workload, series)
        #expect(report.benchmark == "dequeue" && report.version == "1.0.0" && report.durability == .fsync)
        #expect(report.ratePerSecond?.median == 2000)
        #expect(report.floors?.lmdbPerSecond == 4000 && report.ratios?.lmdb == 0.5)
        #expect(report.jobsPerCommit == 100)
        #expect(report.serverCPUPerJob == 20 && report.clientCPUPerJob == 10)
        #expect(report.othersCPUShare == 0.25)
        #expect(report.serverResidentBytes == 4096 && report.versions == .current)
    }

    @Test func `rates of flows count flows`() {
        var series = RunSeries()
        series.jobsPerOperation = 11
        series.append(run(1100, seconds: 1), floor: 200)
        #expect(series.ratePerSecond.median == 100 && series.ratio == 0.5)
    }

    @Test func `without the server's process there is no CPU time, and without floors no ratio`() {
        var series = RunSeries()
        series.append(run(1000, seconds: 1, server: nil), floor: nil)
        let report = BenchReport("latency", workload, series)
        #expect(report.serverCPUPerJob == nil && report.floors == nil && report.ratios == nil)
    }
}
