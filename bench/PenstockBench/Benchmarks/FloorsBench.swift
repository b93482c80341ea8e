internal import ArgumentParser
internal import BenchSupport

/// The floors alone, without a server.
struct FloorsBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "floors",
        abstract: "The floors alone: LMDB by kind of work, and the libuv echo."
    )

    @OptionGroup var options: BenchOptions

    private struct Run {
        var add, complete, flows, through, commit, echo: Double
    }

    func run() throws {
        let workload = options.workload(jobs: 100_000, jobsQuick: 10_000, outstanding: 1)
        try workload.pinning.holdClient()
        let progress = Progress(benchmark: "floors", runs: workload.runs)
        let runs = try (0..<workload.runs).map { run in
            progress.step("all floors", run: run)
            return try measure(workload)
        }
        progress.end()
        func statistics(_ figure: KeyPath<Run, Double>) -> Statistics {
            Statistics(runs: runs.map { $0[keyPath: figure] })
        }
        let report = FloorsReport(
            payloadBytes: workload.payloadBytes,
            addPerSecond: statistics(\.add),
            completePerSecond: statistics(\.complete),
            flowsPerSecond: statistics(\.flows),
            throughPerSecond: statistics(\.through),
            commitP50: statistics(\.commit),
            echoP50: statistics(\.echo)
        )
        options.output.show(report.table)
        try options.output.show(report)
    }

    private func measure(_ workload: Workload) throws -> Run {
        let floor = workload.lmdbFloor
        let flow = try floor.flow(flows: workload.floorFlows(children: 10))
        return Run(
            add: try floor.add(jobs: workload.floorJobs).perSecond,
            complete: try floor.complete(jobs: workload.floorJobs).perSecond,
            flows: flow.add.perSecond,
            through: flow.through.perSecond,
            commit: try floor.commitLatency(commits: options.quick ? 100 : 1000).p50,
            echo: Double(try workload.echoFloor.measure(rounds: workload.echoRounds).p50) / 1000
        )
    }
}
