import Testing

@testable import BenchSupport

struct GrowthTests {
    private func sample(_ size: Int, cpu: Double?, seconds: Double, edges: Int = 500) -> GrowthSample {
        GrowthSample(
            size: size,
            flows: 1000 / size,
            jobs: 1000,
            edges: edges,
            add: .init(seconds: seconds, serverCPU: cpu, commits: 10),
            through: .init(seconds: seconds, serverCPU: cpu.map { 3 * $0 }, commits: 0)
        )
    }

    @Test func `a ratio is the median of each run over its own smallest size`() {
        let rows = BenchReport.Growth.rows(
            "fan-in",
            per: .job,
            runs: [
                [sample(10, cpu: 1000, seconds: 1), sample(1000, cpu: 2000, seconds: 2)],
                // Slow for a while, both alike.
                [sample(10, cpu: 9000, seconds: 9), sample(1000, cpu: 18_000, seconds: 18)],
                [sample(10, cpu: 1000, seconds: 1), sample(1000, cpu: 9000, seconds: 9)],
            ]
        )
        #expect(rows.map(\.size) == [10, 1000] && rows.map(\.flows) == [100, 1])
        #expect(rows.map(\.ratios.cpu) == [1, 2] && rows.map(\.ratios.wall) == [1, 2])
        #expect(rows[0].add.serverCPUPerJob == 1 && rows[0].through.serverCPUPerJob == 3)
        #expect(rows[0].serverCPUPerUnit == 4)
        #expect(rows[0].add.jobsPerSecond == Statistics(runs: [1000, 1000 / 9.0, 1000]))
        #expect(rows[0].add.jobsPerCommit == 100 && rows[0].through.jobsPerCommit == nil)
    }

    @Test func `where edges are what is counted, a cost is that of an edge`() {
        let rows = BenchReport.Growth.rows(
            "dag",
            per: .edge,
            runs: [[sample(10, cpu: 1000, seconds: 1, edges: 500), sample(1000, cpu: 1000, seconds: 1, edges: 1000)]]
        )
        #expect(rows.map(\.serverCPUPerUnit) == [8, 4])
        #expect(rows[1].ratios.cpu == 0.5 && rows[1].ratios.wall == 0.5)
        #expect(rows[1].add.edgesPerSecond.median == 1000)
    }

    @Test func `without the server's process there is no CPU time, and the table says so`() {
        let rows = BenchReport.Growth.rows("chain", per: .job, runs: [[sample(10, cpu: nil, seconds: 1)]])
        #expect(rows[0].serverCPUPerUnit == nil && rows[0].ratios.cpu == nil && rows[0].ratios.wall == 1)
        #expect(rows.tables.count == 1 && rows.tables[0].description.contains(" - "))
    }

    @Test func `the server's own memory counts by job`() {
        var sample = sample(10, cpu: 1, seconds: 1)
        sample.memory = .init(
            jobs: 1000,
            residentBefore: 20 << 20,
            residentAfter: 90 << 20,
            anonymousBefore: 2 << 20,
            anonymousAdded: 3 << 20,
            anonymousAfter: 2 << 20 + 5000
        )
        let rows = BenchReport.Growth.rows("chain", per: .job, runs: [[sample]])
        #expect(rows[0].memory?.anonymousPerJob == 5)
        #expect(rows.tables.count == 2 && rows.tables[1].description.contains("90.0"))
    }
}

struct CascadeTests {
    private func latency(_ microseconds: Double) -> BenchReport.Latency {
        var histogram = Histogram()
        histogram.record(UInt64(microseconds * 1000))
        return .init(histogram)
    }

    @Test func `a cascade's ratios are medians of the runs' own`() {
        let runs = [(100.0, 200.0), (1000, 2000), (100, 900)].map { idle, during in
            CascadeSample(
                size: 10,
                acknowledged: 1,
                settled: 2,
                serverCPU: 50,
                commits: 3,
                idle: latency(idle),
                during: latency(during)
            )
        }
        let row = BenchReport.Cascade(runs: runs)
        #expect(row.ratios.p50 == 2 && row.ratios.p99 == 2)
        #expect(row.serverCPUPerJob == 5 && row.commits == 3 && row.settled.median == 2)
        #expect([row].table.description.contains("2.0"))
    }

    @Test func `only what was open in the window counts, and what a long one held up`() {
        var samples = PacedSamples(interval: 40)
        for (sent, answered) in [(0, 10), (20, 110), (120, 130), (190, 240), (200, 210)] as [(UInt64, UInt64)] {
            samples.append(.init(sentAt: sent, answeredAt: answered))
        }
        // 90 and, 40 later, 50; 10; 50.
        let histogram = samples.histogram(from: 100, to: 200)
        #expect(histogram.count == 4 && histogram.max == 90 && histogram.p50 == 50)
        #expect(samples.histogram(from: 300, to: 400).isEmpty)
    }
}
