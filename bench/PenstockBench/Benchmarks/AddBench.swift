internal import ArgumentParser
internal import BenchSupport

/// Durable adds of one job each: pipelined, for the rate; and one outstanding, for the latency.
struct AddBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Add single jobs, durable, pipelined and one outstanding; beside the LMDB floor of an add."
    )

    @OptionGroup var options: BenchOptions

    init() {}
    init(options: BenchOptions) { self.options = options }

    func measure() throws -> BenchReport {
        let workload = options.workload(jobs: 500_000, jobsQuick: 5000, outstanding: 1024)
        let progress = Progress(benchmark: "add", runs: workload.runs)
        var series = RunSeries()
        var latencies: [BenchReport.Latency] = []
        var commits: [Double] = []
        for run in 0..<workload.runs {
            progress.step("LMDB floor", run: run)
            let floor = try workload.lmdbFloor.add(jobs: workload.floorJobs).perSecond
            commits.append(try workload.lmdbFloor.commitLatency(commits: options.quick ? 100 : 1000).p50)
            progress.step("adds", run: run)
            let (figures, latency) = try measure(workload, progress)
            series.append(figures, floor: floor)
            latencies.append(latency)
        }
        progress.end()
        var report = BenchReport("add", workload, series)
        report.latency = .init(medianOf: latencies)
        report.floors?.commitP50 = Statistics(runs: commits).median
        return report
    }

    private func measure(_ workload: Workload, _ progress: Progress) throws -> (RunFigures, BenchReport.Latency) {
        try workload.withClient { client in
            client.onProgress = progress.show
            let source = JobSource(payloadBytes: workload.payloadBytes)
            // The first add of a queue makes the queue.
            try source.add(1, with: client)
            client.state.forgetLatencies()
            let one = options.quick ? 100 : 2000
            try client.add(AddLoad(source.jobs(1), queues: [source.queue], frames: one, outstandingMax: 1))
            let latency = BenchReport.Latency(client.state.session.addLatency)
            let meter = try Meter(client)
            let seconds = try client.add(
                AddLoad(
                    source.jobs(1),
                    queues: [source.queue],
                    frames: workload.jobs,
                    outstandingMax: workload.outstanding
                )
            )
            return (try meter.end(client, jobs: workload.jobs, seconds: seconds), latency)
        }
    }
}
