/// What one run of one size found: what ``BenchReport/Growth`` is made of.
package struct GrowthSample: Sendable {
    package struct Part: Sendable {
        package var seconds: Double
        /// In microseconds; nil where the server's process can't be seen.
        package var serverCPU: Double?
        package var commits: UInt64

        package init(seconds: Double, serverCPU: Double?, commits: UInt64) {
            self.seconds = seconds
            self.serverCPU = serverCPU
            self.commits = commits
        }
    }

    package var size: Int
    package var flows: Int
    package var jobs: Int
    package var edges: Int
    package var add: Part
    package var through: Part
    package var memory: BenchReport.Growth.Memory?

    package init(
        size: Int,
        flows: Int,
        jobs: Int,
        edges: Int,
        add: Part,
        through: Part,
        memory: BenchReport.Growth.Memory? = nil
    ) {
        self.size = size
        self.flows = flows
        self.jobs = jobs
        self.edges = edges
        self.add = add
        self.through = through
        self.memory = memory
    }

    fileprivate func units(_ unit: BenchReport.Growth.Unit) -> Double {
        switch unit {
        case .job: Double(jobs)
        case .edge: Double(edges)
        }
    }

    fileprivate var serverCPU: Double? { add.serverCPU.flatMap { add in through.serverCPU.map { add + $0 } } }
    fileprivate var seconds: Double { add.seconds + through.seconds }
}

extension BenchReport.Growth {
    /// The rows of one shape.
    ///
    /// - Parameter runs: each with a sample for every size, the smallest first. At least one run.
    package static func rows(_ shape: String, per unit: Unit, runs: [[GrowthSample]]) -> [BenchReport.Growth] {
        guard let sizes = runs.first?.count else { preconditionFailure("growth needs a run") }
        return (0..<sizes).map { size in
            row(shape, per: unit, runs.map { $0[size] }, smallest: runs.map { $0[0] })
        }
    }

    private static func row(
        _ shape: String,
        per unit: Unit,
        _ samples: [GrowthSample],
        smallest: [GrowthSample]
    ) -> BenchReport.Growth {
        let last = samples[samples.count - 1]
        /// The median of each run over its own smallest size: what slows the machine for a while slows both.
        func ratio(_ cost: (GrowthSample) -> Double?) -> Double? {
            median(
                zip(samples, smallest).map { sample, smallest in
                    guard let ours = cost(sample), let base = cost(smallest), base > 0 else { return nil }
                    return (ours / sample.units(unit)) / (base / smallest.units(unit))
                }
            )
        }
        return BenchReport.Growth(
            shape: shape,
            size: last.size,
            flows: last.flows,
            jobs: last.jobs,
            edges: last.edges,
            unit: unit,
            add: part(samples, \.add),
            through: part(samples, \.through),
            serverCPUPerUnit: median(samples.map { sample in sample.serverCPU.map { $0 / sample.units(unit) } }),
            ratios: Ratios(
                addCPU: ratio(\.add.serverCPU),
                throughCPU: ratio(\.through.serverCPU),
                cpu: ratio(\.serverCPU),
                wall: ratio(\.seconds) ?? 1
            ),
            memory: last.memory
        )
    }

    private static func part(_ samples: [GrowthSample], _ part: KeyPath<GrowthSample, GrowthSample.Part>) -> Part {
        Part(
            jobsPerSecond: Statistics(runs: samples.map { Double($0.jobs) / $0[keyPath: part].seconds }),
            edgesPerSecond: Statistics(runs: samples.map { Double($0.edges) / $0[keyPath: part].seconds }),
            serverCPUPerJob: median(
                samples.map { sample in sample[keyPath: part].serverCPU.map { $0 / Double(sample.jobs) } }
            ),
            jobsPerCommit: median(
                samples.map { sample in
                    let commits = sample[keyPath: part].commits
                    return commits == 0 ? nil : Double(sample.jobs) / Double(commits)
                }
            )
        )
    }

    /// Nil where a run lacks the figure.
    private static func median(_ runs: [Double?]) -> Double? {
        let there = runs.compactMap { $0 }
        return there.count == runs.count && !there.isEmpty ? Statistics(runs: there).median : nil
    }
}
