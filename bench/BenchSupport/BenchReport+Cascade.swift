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
