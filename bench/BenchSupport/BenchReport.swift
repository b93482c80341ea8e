package import Foundation

/// What one benchmark found: the JSON object that scripts read. Absent figures are absent keys.
package struct BenchReport: Codable, Equatable, Sendable {
    package var benchmark: String
    /// Of Penstock.
    package var version: String
    package var durability: Durability
    package var payloadBytes: Int
    /// Requests or deliveries that the load keeps open.
    package var outstanding: Int
    /// Jobs in each run.
    package var jobs: Int
    package var ratePerSecond: Statistics?
    package var latency: Latency?
    /// Of durable adds, one outstanding, where that is not the benchmark's own latency.
    package var addLatency: Latency?
    /// Of `flow`: the jobs completed through to the parents; the top-level figures are those of the adds.
    package var through: Regime?
    /// Of `growth` and `fanin`: a row for each shape and size.
    package var growth: [Growth]?
    /// Of `cascade`: a row for each size.
    package var cascade: [Cascade]?
    package var floors: Floors?
    package var regimes: Regimes?
    package var ratios: Ratios?
    /// By name of the peer.
    package var peers: [String: Peer]?
    package var jobsPerCommit: Double?
    /// CPU time, user and system, in microseconds.
    package var serverCPUPerJob: Double?
    /// CPU time, user and system, in microseconds.
    package var clientCPUPerJob: Double?
    package var serverResidentBytes: Int?
    /// The share of the machine, 0 to 1, that other processes took meanwhile: above a few hundredths the figures are doubtful.
    package var othersCPUShare: Double?
    package var versions: Versions?

    package init(
        benchmark: String,
        version: String,
        durability: Durability,
        payloadBytes: Int,
        outstanding: Int,
        jobs: Int
    ) {
        self.benchmark = benchmark
        self.version = version
        self.durability = durability
        self.payloadBytes = payloadBytes
        self.outstanding = outstanding
        self.jobs = jobs
    }

    private enum CodingKeys: String, CodingKey {
        case benchmark
        case version
        case durability
        case payloadBytes = "payload_bytes"
        case outstanding
        case jobs
        case ratePerSecond = "rate_per_s"
        case latency = "latency_us"
        case addLatency = "add_latency_us"
        case through
        case growth
        case cascade
        case floors
        case regimes
        case ratios
        case peers
        case jobsPerCommit = "jobs_per_commit"
        case serverCPUPerJob = "server_cpu_us_per_job"
        case clientCPUPerJob = "client_cpu_us_per_job"
        case serverResidentBytes = "server_rss_bytes"
        case othersCPUShare = "others_cpu_share"
        case versions
    }

    /// The object on one line, its keys in order.
    ///
    /// - Throws: `EncodingError` where a figure is not a finite number.
    package func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self)
    }
}
