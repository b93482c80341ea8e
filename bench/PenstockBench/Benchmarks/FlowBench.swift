internal import ArgumentParser
internal import BenchSupport
internal import PenstockWire

/// Flows of one parent and ten children: added in bulk, then completed through to the parents.
///
/// The report's own figures count flows added; those of `through` count jobs completed, parents included.
struct FlowBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "flow",
        abstract: "Add flows of 1+10 jobs, durable, and complete them through to the parents; beside the flow floor."
    )

    @OptionGroup var options: BenchOptions

    private static let children = 10
    private static let flowsPerFrame = 100

    init() {}
    init(options: BenchOptions) { self.options = options }

    func measure() throws -> BenchReport {
        let workload = options.workload(jobs: 440_000, jobsQuick: 2200, outstanding: 1024)
        let progress = Progress(benchmark: "flow", runs: workload.runs)
        var adds = RunSeries()
        adds.jobsPerOperation = Self.children + 1
        var through = RunSeries()
        for run in 0..<workload.runs {
            progress.step("flow floor", run: run)
            let floor = try workload.lmdbFloor.flow(
                flows: workload.floorFlows(children: Self.children),
                children: UInt32(Self.children)
            )
            progress.step("flows", run: run)
            let (added, completed) = try measure(workload, progress)
            adds.append(added, floor: floor.add.perSecond)
            through.append(completed, floor: floor.through.perSecond)
        }
        progress.end()
        return report(workload, adds, through)
    }

    private func measure(
        _ workload: Workload,
        _ progress: Progress
    ) throws -> (added: RunFigures, completed: RunFigures) {
        try workload.withClient { client in
            client.onProgress = progress.show
            let source = JobSource(payloadBytes: workload.payloadBytes)
            let flows = source.flows(Self.flowsPerFrame, children: Self.children)
            let queues = [source.queue, source.parentQueue]
            let jobsPerFrame = Self.flowsPerFrame * (Self.children + 1)
            let frames = max(1, workload.jobs / jobsPerFrame)
            let jobs = frames * jobsPerFrame
            let addMeter = try Meter(client)
            let addSeconds = try client.add(
                AddLoad(flows, queues: queues, frames: frames, outstandingMax: workload.outstanding)
            )
            let added = try addMeter.end(client, jobs: jobs, seconds: addSeconds)
            client.state.beginMeasuring()
            let throughMeter = try Meter(client)
            try client.subscribe(to: queues, credits: workload.outstanding)
            try client.run { client.state.acknowledged == jobs }
            let seconds = Double(client.state.lastOutcomeAt - client.state.firstDeliveryAt) / 1e9
            return (added, try throughMeter.end(client, jobs: jobs, seconds: seconds))
        }
    }

    private func report(_ workload: Workload, _ adds: RunSeries, _ through: RunSeries) -> BenchReport {
        var report = BenchReport("flow", workload, adds)
        report.through = through.regime
        report.floors?.throughPerSecond = through.floorPerSecond
        // A job's cost is that of its completion: what is added goes in bulk.
        report.jobsPerCommit = through.jobsPerCommit
        report.serverCPUPerJob = through.serverCPUPerJob
        report.clientCPUPerJob = through.clientCPUPerJob
        report.serverResidentBytes = through.runs.last?.serverResidentBytes
        return report
    }
}
