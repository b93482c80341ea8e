extension BenchReport {
    /// What the failure of one job does to all that depend on it, and meanwhile to a client that has nothing to do with
    /// them: a row for each number of dependents.
    package struct Cascade: Codable, Equatable, Sendable {
        /// Dependents of the job that fails.
        package var size: Int
        /// From sending the failure to its acknowledgement, in milliseconds.
        package var acknowledged: Statistics
        /// From sending the failure until every dependent was seen to have failed, in milliseconds.
        package var settled: Statistics
        package var serverCPUPerJob: Double?
        package var commits: Double
        /// Of the other client's durable adds while the server had nothing else to do, in microseconds.
        package var idle: Latency
        /// And during the cascade.
        package var during: Latency
        package var ratios: Ratios

        /// Of latencies: during the cascade over idle, each the median of the runs' own.
        package struct Ratios: Codable, Equatable, Sendable {
            package var p50: Double
            package var p99: Double
        }

        private enum CodingKeys: String, CodingKey {
            case size
            case acknowledged = "acknowledged_ms"
            case settled = "settled_ms"
            case serverCPUPerJob = "server_cpu_us_per_job"
            case commits
            case idle = "idle_add_latency_us"
            case during = "add_latency_us"
            case ratios
        }
    }
}

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

extension [BenchReport.Cascade] {
    /// One row for each size.
    package var table: Table {
        var table = Table(columns: [
            .init("dependents"), .init("acknowledged ms"), .init("all failed ms"), .init("CPU us/job"),
            .init("commits"), .init("idle add p50, us"), .init("p99"), .init("during p50, us"), .init("p99"),
            .init("max"), .init("ratio p50"), .init("p99"),
        ])
        for row in self { table.append(row.cells) }
        return table
    }
}

extension BenchReport.Cascade {
    fileprivate var cells: [String] {
        [
            Figure.count(Double(size)), Figure.decimal(acknowledged.median, places: 1),
            Figure.decimal(settled.median, places: 1), serverCPUPerJob.map { Figure.decimal($0, places: 2) } ?? "-",
            Figure.count(commits), Figure.count(idle.p50), Figure.count(idle.p99), Figure.count(during.p50),
            Figure.count(during.p99), Figure.count(during.max), Figure.decimal(ratios.p50, places: 1),
            Figure.decimal(ratios.p99, places: 1),
        ]
    }
}
