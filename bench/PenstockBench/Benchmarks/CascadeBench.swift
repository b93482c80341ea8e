internal import ArgumentParser
internal import BenchSupport
internal import Foundation
internal import PenstockWire
internal import UV

/// One job fails for good, and all that depend on it: how long that takes, and what another client's adds wait meanwhile.
struct CascadeBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "cascade",
        abstract: "Fail one job that many depend on: the time until all have failed, and others' adds meanwhile."
    )

    @OptionGroup var options: BenchOptions

    init() {}
    init(options: BenchOptions) { self.options = options }

    func measure() throws -> BenchReport {
        let workload = options.workload(jobs: 100_000, jobsQuick: 1000, outstanding: 1)
        let progress = Progress(benchmark: "cascade", runs: workload.runs)
        var rows: [BenchReport.Cascade] = []
        var figures: [RunFigures] = []
        for size in GrowthSeries.sizes(workload, quick: options.quick) {
            var samples: [CascadeSample] = []
            figures = []
            for run in 0..<workload.runs {
                progress.step("\(Figure.count(Double(size))) dependents", run: run)
                let (sample, meter) = try measure(size, workload, progress)
                samples.append(sample)
                figures.append(meter)
            }
            rows.append(BenchReport.Cascade(runs: samples))
        }
        progress.end()
        var report = BenchReport(
            benchmark: "cascade",
            version: figures.last?.version ?? "",
            durability: figures.last?.durability ?? .none,
            payloadBytes: workload.payloadBytes,
            outstanding: 1,
            jobs: workload.jobs
        )
        report.cascade = rows
        // Of the largest size: the others end too soon for it to be told.
        let shares = figures.compactMap(\.othersCPUShare)
        report.othersCPUShare = shares.isEmpty ? nil : Statistics(runs: shares).median
        report.versions = .current
        return report
    }

    private func measure(
        _ size: Int,
        _ workload: Workload,
        _ progress: Progress
    ) throws -> (CascadeSample, RunFigures) {
        try workload.withClient { client in
            let source = JobSource(payloadBytes: workload.payloadBytes)
            var adds = GraphAdds(FlowGraph(shape: .fanOut, size: size), copies: 1, source: source)
            while let items = adds.next() {
                try adds.take(client.add(items, queues: [source.queue, source.parentQueue]).outcome)
            }
            try lease(source.parentQueue, client)
            let probe = AddProbe(of: client.address, payloadBytes: workload.payloadBytes)
            let idleFrom = Loop.monotonicNanoseconds()
            let idleUntil = idleFrom + (options.quick ? 100_000_000 : 2_000_000_000)
            try client.run(patiently: true) { Loop.monotonicNanoseconds() >= idleUntil }
            let meter = try Meter(client)
            let failedAt = try fail(client)
            let acknowledgedAt = client.state.lastOutcomeAt
            let settledAt = try awaitFailures(size, source.queue, client)
            let figures = try meter.end(client, jobs: size, seconds: Double(settledAt - failedAt) / 1e9)
            let samples = try probe.stop()
            let sample = CascadeSample(
                size: size,
                acknowledged: Double(acknowledgedAt - failedAt) / 1e6,
                settled: Double(settledAt - failedAt) / 1e6,
                serverCPU: figures.serverCPU.map { $0 / .microseconds(1) },
                commits: figures.commits,
                idle: .init(samples.histogram(from: idleFrom, to: idleUntil)),
                during: .init(samples.histogram(from: failedAt, to: settledAt))
            )
            return (sample, figures)
        }
    }

    /// Takes the one job of the queue, and holds it.
    private func lease(_ queue: String, _ client: WireClient) throws {
        client.hold(milliseconds: 3_600_000)
        client.state.beginMeasuring()
        try client.subscribe(to: [queue], credits: 1)
        try client.run { client.state.held == 1 }
    }

    /// Fails the held job for good, and waits for the acknowledgement.
    ///
    /// - Returns: when the failure was sent.
    private func fail(_ client: WireClient) throws -> UInt64 {
        client.state.verdict = .failed
        client.state.holdNanoseconds = 0
        try client.run { client.state.acknowledged == 1 }
        return client.state.lastCompletionAt
    }

    /// Asks until every dependent has failed. Where they fail in slices, the last one fails long after the
    /// acknowledgement, and no job is known to be the last.
    ///
    /// - Returns: when that was seen.
    private func awaitFailures(_ count: Int, _ queue: String, _ client: WireClient) throws -> UInt64 {
        while true {
            let counts = try client.request(GetQueue(queue: queue), QueueView.self).counts
            guard counts[.failed] < count else { return Loop.monotonicNanoseconds() }
            guard Int(counts[.failed] + counts[.waitingChildren]) == count else {
                throw ClientFailure.wrong(
                    "\(counts[.failed]) dependents failed, \(counts[.waitingChildren]) wait, of \(count)"
                )
            }
            Thread.sleep(forTimeInterval: 0.002)
        }
    }
}
