internal import ArgumentParser
internal import BenchSupport
internal import PenstockWire

/// Take and complete, durable, many outstanding.
///
/// The jobs are added before, unmeasured. Time goes from the first delivery to the last completion's outcome. Two regimes: *fresh*,
/// where retention has nothing to take and a lease ends before it is written, and *long lease*, where every job is held
/// beyond `leaseWriteAfter`.
struct DequeueBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "dequeue",
        abstract: "Take and complete jobs, durable, many outstanding; beside the LMDB floor of a completion."
    )

    @OptionGroup var options: BenchOptions

    @Flag(help: "Leave out the regime of long leases, as --quick does.")
    var freshOnly = false

    /// How long a job is held in the regime of long leases.
    private static let holdMilliseconds: UInt64 = 600

    init() {}
    init(options: BenchOptions) {
        self.options = options
        freshOnly = false
    }

    func measure() throws -> BenchReport {
        let workload = options.workload(jobs: 500_000, jobsQuick: 5000, outstanding: 1024)
        // Holding bounds the rate by outstanding / 0.6 s: it takes several subscriptions' credits to stay clear of that.
        let heldOutstanding = 4 * Limits.creditJobsMax
        // In its smallest form a run is so short that the regime would measure nothing but the holding.
        let leavesOutLongLease = freshOnly || options.quick
        let progress = Progress(benchmark: "dequeue", runs: workload.runs)
        var fresh = RunSeries()
        var longLease = RunSeries()
        for run in 0..<workload.runs {
            progress.step("LMDB floor", run: run)
            let floor = try workload.lmdbFloor.complete(jobs: workload.floorJobs).perSecond
            progress.step("fresh", run: run)
            fresh.append(try measureFresh(workload, progress), floor: floor)
            guard !leavesOutLongLease else { continue }
            progress.step("long lease", run: run)
            longLease.append(try measureLongLease(workload, heldOutstanding, progress), floor: floor)
        }
        progress.end()
        var report = BenchReport("dequeue", workload, fresh)
        report.regimes = .init(fresh: fresh.regime, longLease: leavesOutLongLease ? nil : longLease.regime)
        return report
    }

    private func measureFresh(_ workload: Workload, _ progress: Progress) throws -> RunFigures {
        try workload.withClient { client in
            client.onProgress = progress.show
            let source = JobSource(payloadBytes: workload.payloadBytes)
            try source.add(workload.jobs, with: client)
            let meter = try Meter(client)
            client.state.beginMeasuring()
            try client.subscribe(to: [source.queue], credits: workload.outstanding)
            try client.run { client.state.acknowledged == workload.jobs }
            return try meter.end(client, jobs: workload.jobs, seconds: client.state.deliveryToOutcomeSeconds)
        }
    }

    /// Measured from when the first `outstanding` jobs are done: until then jobs are only held, not completed.
    private func measureLongLease(
        _ workload: Workload,
        _ outstanding: Int,
        _ progress: Progress
    ) throws -> RunFigures {
        try workload.withClient { client in
            client.onProgress = progress.show
            let source = JobSource(payloadBytes: workload.payloadBytes)
            let jobs = max(workload.jobs, 3 * outstanding)
            try source.add(jobs, with: client)
            client.hold(milliseconds: Self.holdMilliseconds)
            client.state.beginMeasuring()
            var credits = outstanding
            while credits > 0 {
                try client.subscribe(to: [source.queue], credits: min(credits, Limits.creditJobsMax))
                credits -= Limits.creditJobsMax
            }
            try client.run { client.state.acknowledged >= outstanding }
            let done = client.state.acknowledged
            let began = client.state.lastOutcomeAt
            let meter = try Meter(client)
            try client.run { client.state.acknowledged == jobs }
            let seconds = Double(client.state.lastOutcomeAt - began) / 1e9
            return try meter.end(client, jobs: jobs - done, seconds: seconds)
        }
    }
}

extension ClientState {
    fileprivate var deliveryToOutcomeSeconds: Double { Double(lastOutcomeAt - firstDeliveryAt) / 1e9 }
}
