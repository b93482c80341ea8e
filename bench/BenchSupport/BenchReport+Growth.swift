extension BenchReport {
    /// What jobs of one shape of flow cost, at one size: a row of a table of growth.
    package struct Growth: Codable, Equatable, Sendable {
        package var shape: String
        /// Jobs of each flow, but for the one that all others have an edge to or from.
        package var size: Int
        package var flows: Int
        package var jobs: Int
        package var edges: Int
        package var unit: Unit
        package var add: Part
        package var through: Part
        /// Of server CPU, over both parts.
        package var serverCPUPerUnit: Double?
        /// What a unit costs, over what it costs at the smallest size of the same run.
        package var ratios: Ratios
        package var memory: Memory?

        /// What a cost is divided by.
        package enum Unit: String, Codable, Sendable {
            case job
            case edge
        }

        package struct Part: Codable, Equatable, Sendable {
            package var jobsPerSecond: Statistics
            package var edgesPerSecond: Statistics
            package var serverCPUPerJob: Double?
            package var jobsPerCommit: Double?

            private enum CodingKeys: String, CodingKey {
                case jobsPerSecond = "rate_per_s"
                case edgesPerSecond = "edges_per_s"
                case serverCPUPerJob = "server_cpu_us_per_job"
                case jobsPerCommit = "jobs_per_commit"
            }
        }

        package struct Ratios: Codable, Equatable, Sendable {
            package var addCPU: Double?
            package var throughCPU: Double?
            package var cpu: Double?
            package var wall: Double

            private enum CodingKeys: String, CodingKey {
                case addCPU = "add_server_cpu"
                case throughCPU = "through_server_cpu"
                case cpu = "server_cpu"
                case wall
            }
        }

        /// The server's physical memory in bytes, in the last run: all of it, and without LMDB's map.
        package struct Memory: Codable, Equatable, Sendable {
            package var residentBefore: Int
            package var residentAfter: Int
            package var anonymousBefore: Int
            package var anonymousAdded: Int
            package var anonymousAfter: Int
            /// What grew of the server's own memory, over all jobs: near nothing where it does not grow with them.
            package var anonymousPerJob: Double

            package init(
                jobs: Int,
                residentBefore: Int,
                residentAfter: Int,
                anonymousBefore: Int,
                anonymousAdded: Int,
                anonymousAfter: Int
            ) {
                self.residentBefore = residentBefore
                self.residentAfter = residentAfter
                self.anonymousBefore = anonymousBefore
                self.anonymousAdded = anonymousAdded
                self.anonymousAfter = anonymousAfter
                anonymousPerJob = Double(anonymousAfter - anonymousBefore) / Double(jobs)
            }

            private enum CodingKeys: String, CodingKey {
                case residentBefore = "rss_before_bytes"
                case residentAfter = "rss_after_bytes"
                case anonymousBefore = "anon_before_bytes"
                case anonymousAdded = "anon_added_bytes"
                case anonymousAfter = "anon_after_bytes"
                case anonymousPerJob = "anon_bytes_per_job"
            }
        }

        private enum CodingKeys: String, CodingKey {
            case shape
            case size
            case flows
            case jobs
            case edges
            case unit
            case add
            case through
            case serverCPUPerUnit = "server_cpu_us_per_unit"
            case ratios
            case memory
        }
    }
}

extension [BenchReport.Growth] {
    /// One row for each shape and size: of what a job costs, and of the server's memory where that is known.
    package var tables: [Table] {
        var costs = Table(columns: [
            .init("shape", .left), .init("size"), .init("flows"), .init("add jobs/s"), .init("through jobs/s"),
            .init("edges/s"), .init("jobs/commit"), .init("CPU us/job: add"), .init("through"), .init("per", .left),
            .init("CPU us"), .init("ratio"), .init("add"), .init("through"), .init("wall"),
        ])
        var memory = Table(columns: [
            .init("shape", .left), .init("size"), .init("RSS before, MiB"), .init("after"),
            .init("without the map: before"), .init("added"), .init("after"), .init("bytes/job"),
        ])
        for row in self {
            costs.append(row.costCells)
            if let cells = row.memoryCells { memory.append(cells) }
        }
        return contains { $0.memory != nil } ? [costs, memory] : [costs]
    }
}

extension BenchReport.Growth {
    private static func decimal(_ value: Double?, _ places: Int) -> String {
        value.map { Figure.decimal($0, places: places) } ?? "-"
    }

    fileprivate var costCells: [String] {
        [
            shape, Figure.count(Double(size)), Figure.count(Double(flows)),
            Figure.count(add.jobsPerSecond.median), Figure.count(through.jobsPerSecond.median),
            Figure.count(through.edgesPerSecond.median), Self.decimal(through.jobsPerCommit, 0),
            Self.decimal(add.serverCPUPerJob, 2), Self.decimal(through.serverCPUPerJob, 2), unit.rawValue,
            Self.decimal(serverCPUPerUnit, 2), Self.decimal(ratios.cpu, 2), Self.decimal(ratios.addCPU, 2),
            Self.decimal(ratios.throughCPU, 2), Self.decimal(ratios.wall, 2),
        ]
    }

    fileprivate var memoryCells: [String]? {
        guard let memory else { return nil }
        let bytes = [
            memory.residentBefore, memory.residentAfter, memory.anonymousBefore, memory.anonymousAdded,
            memory.anonymousAfter,
        ]
        return [shape, Figure.count(Double(size))] + bytes.map { Self.decimal(Double($0) / 1_048_576, 1) }
            + [Figure.count(memory.anonymousPerJob)]
    }
}
