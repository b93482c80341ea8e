internal import BenchSupport

/// What one run found.
struct RunFigures {
    var jobs: Int
    var seconds: Double
    var commits: UInt64
    var serverCPU: Duration?
    var clientCPU: Duration
    var othersCPUShare: Double?
    var serverResidentBytes: Int?
    /// Without the pages of LMDB's map.
    var serverAnonymousBytes: Int?
    var version: String
    var durability: Durability

    var jobsPerSecond: Double { Double(jobs) / seconds }
}

/// The runs of one kind of work, each with the LMDB floor that was measured right before it.
struct RunSeries {
    private(set) var runs: [RunFigures] = []
    private(set) var floors: [Double] = []
    /// What a rate counts: jobs, or flows of so many jobs.
    var jobsPerOperation = 1

    mutating func append(_ run: RunFigures, floor: Double?) {
        runs.append(run)
        if let floor { floors.append(floor) }
    }

    var ratePerSecond: Statistics {
        Statistics(runs: runs.map { $0.jobsPerSecond / Double(jobsPerOperation) })
    }

    var floorPerSecond: Double? { floors.isEmpty ? nil : Statistics(runs: floors).median }

    /// The median of each run over its own floor: what slows the machine for a while slows both.
    var ratio: Double? {
        guard floors.count == runs.count else { return nil }
        return Statistics(
            runs: zip(runs, floors).map { $0.jobsPerSecond / Double(jobsPerOperation) / $1 }
        ).median
    }

    var regime: BenchReport.Regime {
        BenchReport.Regime(ratePerSecond: ratePerSecond, ratios: .init(lmdb: ratio))
    }

    var jobs: Int { runs.reduce(0) { $0 + $1.jobs } }

    var jobsPerCommit: Double? {
        let commits = runs.reduce(0) { $0 + $1.commits }
        return commits == 0 ? nil : Double(jobs) / Double(commits)
    }

    /// Microseconds for each job, over all runs.
    var clientCPUPerJob: Double { runs.reduce(.zero) { $0 + $1.clientCPU }.microseconds / Double(jobs) }

    var othersCPUShare: Double? {
        let shares = runs.compactMap(\.othersCPUShare)
        return shares.isEmpty ? nil : Statistics(runs: shares).median
    }

    var serverCPUPerJob: Double? {
        let times = runs.compactMap(\.serverCPU)
        guard times.count == runs.count else { return nil }
        return times.reduce(.zero, +).microseconds / Double(jobs)
    }
}

extension Duration {
    fileprivate var microseconds: Double { self / .microseconds(1) }
}
