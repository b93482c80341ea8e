internal import ArgumentParser
internal import BenchSupport
internal import Dispatch
internal import Penstock
internal import PenstockWire
internal import Synchronization
internal import UV

/// The SDK's worker with an empty closure: what a user's jobs cost before they do anything.
///
/// Jobs are added before, unmeasured, and taken as raw bytes. Time goes from the first call of the closure until the
/// client has every outcome and has said goodbye.
struct SDKBench: Benchmark {
    static let configuration = CommandConfiguration(
        commandName: "sdk",
        abstract: "Complete jobs with the SDK's Worker and an empty closure; beside the LMDB floor of a completion."
    )

    @OptionGroup var options: BenchOptions

    init() {}
    init(options: BenchOptions) { self.options = options }

    func measure() throws -> BenchReport {
        let workload = options.workload(jobs: 200_000, jobsQuick: 5000, outstanding: 256)
        let progress = Progress(benchmark: "sdk", runs: workload.runs)
        var series = RunSeries()
        for run in 0..<workload.runs {
            progress.step("LMDB floor", run: run)
            let floor = try workload.lmdbFloor.complete(jobs: workload.floorJobs).perSecond
            progress.step("worker", run: run)
            series.append(try measure(workload), floor: floor)
        }
        progress.end()
        return BenchReport("sdk", workload, series)
    }

    private func measure(_ workload: Workload) throws -> RunFigures {
        try workload.withClient { client in
            let source = JobSource(payloadBytes: workload.payloadBytes)
            try source.add(workload.jobs, with: client)
            let meter = try Meter(client)
            let (queue, address, jobs) = (source.queue, client.address.forSDK, workload.jobs)
            let concurrency = workload.outstanding
            let seconds = try client.whileBusyElsewhere {
                try await SDKRun(jobs: jobs).seconds(of: queue, at: address, concurrency: concurrency)
            }
            return try meter.end(client, jobs: jobs, seconds: seconds)
        }
    }
}

/// One worker, from its first job to its last outcome.
private final class SDKRun: Sendable {
    private let jobs: Int
    private let done = Atomic<Int>(0)
    private let beganAt = Atomic<UInt64>(0)

    init(jobs: Int) {
        self.jobs = jobs
    }

    func seconds(of queue: String, at address: Penstock.ServerAddress, concurrency: Int) async throws -> Double {
        try await PenstockClient.withClient(address) { client in
            let stop = AsyncStream.makeStream(of: Void.self)
            let worker = Worker(client, queue: queue, concurrency: concurrency) { (_: Job<RawPayload>) in
                if self.countDone() { stop.continuation.finish() }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await worker.run() }
                for await _ in stop.stream {}
                worker.shutDown()
                try await group.waitForAll()
            }
        }
        return Double(Loop.monotonicNanoseconds() - beganAt.load(ordering: .relaxed)) / 1e9
    }

    /// Counts a job.
    ///
    /// - Returns: whether it was the last one.
    private func countDone() -> Bool {
        let done = done.wrappingAdd(1, ordering: .relaxed).newValue
        if done == 1 { beganAt.store(Loop.monotonicNanoseconds(), ordering: .relaxed) }
        return done == jobs
    }
}

extension ServerAddress {
    fileprivate var forSDK: Penstock.ServerAddress {
        switch self {
        case .tcp(let host, let port): .tcp(host: host, port: port)
        case .unix(let path): .unix(path: path)
        }
    }
}
