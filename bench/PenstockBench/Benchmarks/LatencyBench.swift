internal import ArgumentParser
internal import BenchSupport
internal import PenstockWire

/// What one worker waits: from completing a job to holding the next, with one credit; and one durable add.
///
/// The echo floor is measured before each run and after the last, on the same cores.
struct LatencyBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "latency",
        abstract: "From completing one job to holding the next at depth 1, beside the echo floor; and one durable add."
    )

    @OptionGroup var options: BenchOptions

    init() {}
    init(options: BenchOptions) { self.options = options }

    private struct Run {
        var figures: RunFigures
        var nextJob: BenchReport.Latency
        var add: BenchReport.Latency
    }

    func measure() throws -> BenchReport {
        var workload = options.workload(jobs: 20_000, jobsQuick: 1000, outstanding: 1)
        workload.outstanding = 1
        let progress = Progress(benchmark: "latency", runs: workload.runs)
        var runs: [Run] = []
        var echoes: [Double] = []
        var commits: [Double] = []
        for run in 0...workload.runs {
            progress.step("floors", run: min(run, workload.runs - 1))
            echoes.append(Double(try workload.echoFloor.measure(rounds: workload.echoRounds).p50) / 1000)
            commits.append(try workload.lmdbFloor.commitLatency(commits: options.quick ? 100 : 1000).p50)
            guard run < workload.runs else { break }
            progress.step("depth 1", run: run)
            runs.append(try measure(workload, progress))
        }
        progress.end()
        return report(workload, runs, echoes: echoes, commits: commits)
    }

    private func measure(_ workload: Workload, _ progress: Progress) throws -> Run {
        try workload.withClient { client in
            client.onProgress = progress.show
            let source = JobSource(payloadBytes: workload.payloadBytes)
            let warmUp = workload.jobs / 10
            // One job more than is taken: the last completion has a delivery behind it, too.
            try source.add(workload.jobs + warmUp + 1, with: client)
            let meter = try Meter(client)
            client.state.beginMeasuring()
            try client.subscribe(to: [source.queue], credits: 1)
            try client.run { client.state.delivered >= warmUp }
            client.state.forgetLatencies()
            try client.run { client.state.delivered >= warmUp + workload.jobs }
            let nextJob = BenchReport.Latency(client.state.nextJobLatency)
            let (delivered, seconds) = (client.state.delivered, client.state.deliverySeconds)
            let figures = try meter.end(client, jobs: delivered, seconds: seconds)
            try client.run { client.state.session.commandsInFlight == 0 && client.state.held == 0 }
            return Run(figures: figures, nextJob: nextJob, add: try addLatency(client, source))
        }
    }

    private func addLatency(_ client: WireClient, _ source: JobSource) throws -> BenchReport.Latency {
        let elsewhere = source.queue + "-unread"
        client.state.forgetLatencies()
        try client.add(
            AddLoad(source.jobs(1), queues: [elsewhere], frames: options.quick ? 100 : 2000, outstandingMax: 1)
        )
        return BenchReport.Latency(client.state.session.addLatency)
    }

    private func report(_ workload: Workload, _ runs: [Run], echoes: [Double], commits: [Double]) -> BenchReport {
        var series = RunSeries()
        for run in runs { series.append(run.figures, floor: nil) }
        var report = BenchReport("latency", workload, series)
        let latency = BenchReport.Latency(medianOf: runs.map(\.nextJob))
        let echo = Statistics(runs: echoes).median
        report.latency = latency
        report.addLatency = .init(medianOf: runs.map(\.add))
        report.floors = .init(echoP50: echo)
        report.floors?.commitP50 = Statistics(runs: commits).median
        report.ratios = .init(echoP50: latency.p50 / echo, echoP99: latency.p99 / echo)
        return report
    }
}

extension ClientState {
    fileprivate var deliverySeconds: Double { Double(lastDeliveryAt - firstDeliveryAt) / 1e9 }
}
