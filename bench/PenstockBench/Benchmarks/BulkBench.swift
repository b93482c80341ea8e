internal import ArgumentParser
internal import BenchSupport
internal import PenstockWire

/// Durable adds of thousands of jobs in each frame.
struct BulkBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "bulk",
        abstract: "Add jobs in bulk, durable; beside the LMDB floor of an add."
    )

    @OptionGroup var options: BenchOptions

    @Option(help: "Jobs of each frame.")
    var perFrame = 1000

    init() {}
    init(options: BenchOptions) {
        self.options = options
        perFrame = 1000
    }

    func validate() throws {
        // What a job takes in a frame beside its data.
        let jobBytes = options.payload + 32
        let most = min(Limits.jobsPerAddMax, (Limits.frameBytesMax - 1024) / jobBytes)
        guard (1...most).contains(perFrame) else {
            throw ValidationError("--per-frame must be 1 to \(most) with this payload.")
        }
    }

    func measure() throws -> BenchReport {
        let workload = options.workload(jobs: 500_000, jobsQuick: 10_000, outstanding: 1024)
        let progress = Progress(benchmark: "bulk", runs: workload.runs)
        var series = RunSeries()
        for run in 0..<workload.runs {
            progress.step("LMDB floor", run: run)
            let floor = try workload.lmdbFloor.add(jobs: workload.floorJobs).perSecond
            progress.step("adds", run: run)
            series.append(try measure(workload, progress), floor: floor)
        }
        progress.end()
        return BenchReport("bulk", workload, series)
    }

    private func measure(_ workload: Workload, _ progress: Progress) throws -> RunFigures {
        try workload.withClient { client in
            client.onProgress = progress.show
            let source = JobSource(payloadBytes: workload.payloadBytes)
            // The first add of a queue makes the queue.
            try source.add(1, with: client)
            let meter = try Meter(client)
            let seconds = try source.add(workload.jobs, perFrame: perFrame, with: client)
            return try meter.end(client, jobs: workload.jobs, seconds: seconds)
        }
    }
}
