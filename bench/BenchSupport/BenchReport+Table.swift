extension BenchReport {
    /// The report's own figures, and the tables of those that come by size.
    package var tables: [Table] { [table] + (growth?.tables ?? []) + (cascade.map { [$0.table] } ?? []) }

    /// The figures that there are, one in each row.
    package var table: Table {
        var table = Table(columns: [.init(benchmark, .left), .init("median"), .init("min"), .init("max")])
        func row(_ name: String, _ value: String) { table.append([name, value, "", ""]) }
        func row(_ name: String, _ rate: Statistics?) {
            guard let rate else { return }
            table.append([name, Figure.count(rate.median), Figure.count(rate.min), Figure.count(rate.max)])
        }
        func row(_ name: String, _ value: Double?, places: Int) {
            guard let value else { return }
            row(name, places == 0 ? Figure.count(value) : Figure.decimal(value, places: places))
        }
        row("jobs for each run", Figure.count(Double(jobs)))
        row("outstanding", Figure.count(Double(outstanding)))
        row("payload bytes", Figure.count(Double(payloadBytes)))
        row("durability", durability.rawValue)
        row("rate/s", ratePerSecond)
        row("LMDB floor/s", floors?.lmdbPerSecond, places: 0)
        row("ratio to the LMDB floor", ratios?.lmdb, places: 3)
        if let through {
            row("jobs through/s", through.ratePerSecond)
            row("LMDB floor, through/s", floors?.throughPerSecond, places: 0)
            row("through, ratio to the LMDB floor", through.ratios.lmdb, places: 3)
        }
        if let retained = regimes?.retained {
            row("with retention: rate/s", retained.ratePerSecond)
            row("with retention: ratio to the LMDB floor", retained.ratios.lmdb, places: 3)
            row("with retention: jobs taken for each completed", retained.takenPerJob, places: 2)
        }
        if let longLease = regimes?.longLease {
            row("long leases: rate/s", longLease.ratePerSecond)
            row("long leases: ratio to the LMDB floor", longLease.ratios.lmdb, places: 3)
        }
        for (name, latency) in [("latency", latency), ("add latency", addLatency)] {
            guard let latency else { continue }
            row("\(name) p50, us", latency.p50, places: 1)
            row("\(name) p90, us", latency.p90, places: 1)
            row("\(name) p99, us", latency.p99, places: 1)
            row("\(name) p99.9, us", latency.p999, places: 1)
            row("\(name) max, us", latency.max, places: 1)
        }
        row("echo floor p50, us", floors?.echoP50, places: 1)
        row("ratio p50 to the echo's p50", ratios?.echoP50, places: 2)
        row("ratio p99 to the echo's p50", ratios?.echoP99, places: 2)
        row("LMDB commit p50, us", floors?.commitP50, places: 1)
        row("jobs for each commit", jobsPerCommit, places: 1)
        row("server CPU us/job", serverCPUPerJob, places: 2)
        row("client CPU us/job", clientCPUPerJob, places: 2)
        row("server RSS MiB", serverResidentBytes.map { Double($0) / 1_048_576 }, places: 1)
        row("share of the CPU that others took", othersCPUShare, places: 2)
        return table
    }
}
