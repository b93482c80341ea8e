internal import ArgumentParser
internal import BenchSupport
internal import Foundation
internal import PenstockWire

/// Take and complete, durable, many outstanding.
///
/// The jobs are added before, unmeasured. Time goes from the first delivery to the last completion's outcome. Three
/// regimes: *fresh*, where retention has nothing to take and a lease ends before it is written; *retained*, where the
/// server's default retention takes a job for each one that completes; and *long lease*, where every job is held beyond
/// `leaseWriteAfter`.
struct DequeueBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "dequeue",
        abstract: "Take and complete jobs, durable, many outstanding; beside the LMDB floor of a completion."
    )

    @OptionGroup var options: BenchOptions

    @Flag(help: "Leave out the regimes with retention and with long leases, as --quick does.")
    var freshOnly = false

    @Option(help: "Spread the jobs of the fresh regime over so many groups; 0: they have none.")
    var groups = 0

    /// How long a job is held in the regime of long leases.
    private static let holdMilliseconds: UInt64 = 600
    /// How long retention may take to begin: it looks once a minute. A server that was named may keep everything.
    private static let retentionPatience: Duration = .seconds(120)
    /// What the server keeps of each queue by default.
    private static let keptJobs = 100_000

    init() {}
    init(options: BenchOptions) {
        self.options = options
        freshOnly = false
        groups = 0
    }

    func validate() throws {
        guard groups >= 0 else { throw ValidationError("--groups must be at least 0.") }
    }

    func measure() throws -> BenchReport {
        let workload = options.workload(jobs: 500_000, jobsQuick: 5000, outstanding: 1024)
        // Holding bounds the rate by outstanding / 0.6 s: it takes several subscriptions' credits to stay clear of that.
        let heldOutstanding = 4 * Limits.creditJobsMax
        // In its smallest form a run is so short that the regime would measure nothing but the holding.
        let isFreshOnly = freshOnly || options.quick
        let progress = Progress(benchmark: "dequeue", runs: workload.runs)
        var fresh = RunSeries()
        var retained = RetainedSeries()
        var longLease = RunSeries()
        for run in 0..<workload.runs {
            progress.step("LMDB floor", run: run)
            let floor = try workload.lmdbFloor.complete(jobs: workload.floorJobs).perSecond
            progress.step("fresh", run: run)
            fresh.append(try measureFresh(workload, progress), floor: floor)
            guard !isFreshOnly else { continue }
            progress.step("retained", run: run)
            try measureRetained(workload, progress, into: &retained, floor: floor)
            progress.step("long lease", run: run)
            longLease.append(try measureLongLease(workload, heldOutstanding, progress), floor: floor)
        }
        progress.end()
        var report = BenchReport("dequeue", workload, fresh)
        report.regimes = .init(fresh: fresh.regime)
        if !isFreshOnly {
            report.regimes?.retained = retained.regime
            report.regimes?.longLease = longLease.regime
        }
        return report
    }

    private func measureFresh(_ workload: Workload, _ progress: Progress) throws -> RunFigures {
        try workload.withClient { client in
            client.onProgress = progress.show
            let source = JobSource(payloadBytes: workload.payloadBytes, groups: groups)
            try source.add(workload.jobs, with: client)
            let meter = try Meter(client)
            client.state.beginMeasuring()
            try client.subscribe(to: [source.queue], credits: workload.outstanding)
            try client.run { client.state.acknowledged == workload.jobs }
            return try meter.end(client, jobs: workload.jobs, seconds: client.state.deliveryToOutcomeSeconds)
        }
    }

    /// Measured from when retention has begun to take what was completed a minute earlier, in another queue.
    private func measureRetained(
        _ workload: Workload,
        _ progress: Progress,
        into series: inout RetainedSeries,
        floor: Double
    ) throws {
        try workload.withClient(keepingAll: false) { client in
            client.onProgress = progress.show
            let old = JobSource(payloadBytes: workload.payloadBytes)
            let new = JobSource(payloadBytes: workload.payloadBytes)
            let oldJobs = workload.jobs + Self.keptJobs
            try old.add(oldJobs, with: client)
            try new.add(workload.jobs, with: client)
            client.state.beginMeasuring()
            try client.subscribe(to: [old.queue], credits: workload.outstanding)
            try client.run { client.state.acknowledged == oldJobs }
            try wait(atMost: Self.retentionPatience, for: "the server's retention to take a job") {
                try client.completedJobs(of: old.queue) < oldJobs
            }
            let before = try client.completedJobs(of: old.queue)
            let meter = try Meter(client)
            client.state.beginMeasuring()
            try client.subscribe(to: [new.queue], credits: workload.outstanding)
            try client.run { client.state.acknowledged == workload.jobs }
            let run = try meter.end(client, jobs: workload.jobs, seconds: client.state.deliveryToOutcomeSeconds)
            series.append(run, floor: floor, taken: before - (try client.completedJobs(of: old.queue)))
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

/// Runs in the regime with retention, and the jobs that it took in them.
private struct RetainedSeries {
    private var runs = RunSeries()
    private var taken = 0

    mutating func append(_ run: RunFigures, floor: Double, taken: Int) {
        runs.append(run, floor: floor)
        self.taken += taken
    }

    var regime: BenchReport.Regime {
        var regime = runs.regime
        regime.takenPerJob = Double(taken) / Double(runs.jobs)
        return regime
    }
}

extension WireClient {
    fileprivate func completedJobs(of queue: String) throws -> Int {
        Int(try request(GetQueue(queue: queue), QueueView.self).counts[.completed])
    }
}

extension ClientState {
    fileprivate var deliveryToOutcomeSeconds: Double { Double(lastOutcomeAt - firstDeliveryAt) / 1e9 }
}
