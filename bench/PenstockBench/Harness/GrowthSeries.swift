internal import BenchSupport

/// Runs of flows of several sizes, all with about the same number of jobs in all.
struct GrowthSeries {
    private let benchmark: String
    private let workload: Workload
    private let progress: Progress
    private var rows: [BenchReport.Growth] = []
    private var figures: [RunFigures] = []

    init(_ benchmark: String, _ workload: Workload) {
        self.benchmark = benchmark
        self.workload = workload
        progress = Progress(benchmark: benchmark, runs: workload.runs)
    }

    /// A hundredth, a tenth and all of the jobs; a tenth and all in the smallest form.
    static func sizes(_ workload: Workload, quick: Bool) -> [Int] {
        let sizes = (quick ? [10, 1] : [100, 10, 1]).map { max(2, workload.jobs / $0) }
        return sizes.enumerated().filter { $0 == 0 || sizes[$0 - 1] < $1 }.map(\.element)
    }

    /// Measures one shape at each size, the smallest first, so many times over.
    mutating func measure(_ shape: FlowShape, sizes: [Int]) throws {
        var runs: [[GrowthSample]] = []
        for run in 0..<workload.runs {
            var samples: [GrowthSample] = []
            for size in sizes {
                progress.step("\(shape.rawValue) of \(Figure.count(Double(size)))", run: run)
                let found = try GraphRun(FlowGraph(shape: shape, size: size), jobs: workload.jobs)
                    .measure(workload, progress)
                samples.append(found.sample)
                figures += [found.added, found.through]
            }
            runs.append(samples)
        }
        rows += BenchReport.Growth.rows(shape.rawValue, per: shape == .dag ? .edge : .job, runs: runs)
    }

    func report() -> BenchReport {
        progress.end()
        var report = BenchReport(
            benchmark: benchmark,
            version: figures.last?.version ?? "",
            durability: figures.last?.durability ?? .none,
            payloadBytes: workload.payloadBytes,
            outstanding: workload.outstanding,
            jobs: workload.jobs
        )
        report.growth = rows
        let shares = figures.compactMap(\.othersCPUShare)
        report.othersCPUShare = shares.isEmpty ? nil : Statistics(runs: shares).median
        report.versions = .current
        return report
    }
}
