internal import BenchSupport

extension BenchReport {
    /// The figures that all benchmarks have in common.
    init(_ benchmark: String, _ workload: Workload, _ series: RunSeries) {
        self.init(
            benchmark: benchmark,
            version: series.runs.last?.version ?? "",
            durability: series.runs.last?.durability ?? .none,
            payloadBytes: workload.payloadBytes,
            outstanding: workload.outstanding,
            jobs: workload.jobs
        )
        ratePerSecond = series.ratePerSecond
        if let floor = series.floorPerSecond {
            floors = Floors(lmdbPerSecond: floor)
            ratios = Ratios(lmdb: series.ratio)
        }
        jobsPerCommit = series.jobsPerCommit
        serverCPUPerJob = series.serverCPUPerJob
        clientCPUPerJob = series.clientCPUPerJob
        serverResidentBytes = series.runs.last?.serverResidentBytes
        othersCPUShare = series.othersCPUShare
        versions = .current
    }
}
