extension BenchReport {
    /// Our figures over those of the floors and peers, all of the same run.
    ///
    /// One flat object: the names of the peers stand beside `lmdb`, `echo_p50` and `echo_p99`, which no peer may have.
    package struct Ratios: Equatable, Sendable {
        /// Our rate over the LMDB floor.
        package var lmdb: Double?
        /// Our median latency over the echo's median.
        package var echoP50: Double?
        /// Our 99th percentile over the echo's **median**.
        package var echoP99: Double?
        /// Our rate over the peer's, by its name.
        package var peers: [String: Double]

        package init(
            lmdb: Double? = nil,
            echoP50: Double? = nil,
            echoP99: Double? = nil,
            peers: [String: Double] = [:]
        ) {
            self.lmdb = lmdb
            self.echoP50 = echoP50
            self.echoP99 = echoP99
            self.peers = peers
        }
    }
}

extension BenchReport.Ratios: Codable {
    private static let lmdbKey = "lmdb"
    private static let echoP50Key = "echo_p50"
    private static let echoP99Key = "echo_p99"

    package init(from decoder: any Decoder) throws {
        var ratios = try [String: Double](from: decoder)
        lmdb = ratios.removeValue(forKey: Self.lmdbKey)
        echoP50 = ratios.removeValue(forKey: Self.echoP50Key)
        echoP99 = ratios.removeValue(forKey: Self.echoP99Key)
        peers = ratios
    }

    package func encode(to encoder: any Encoder) throws {
        var ratios = peers
        ratios[Self.lmdbKey] = lmdb
        ratios[Self.echoP50Key] = echoP50
        ratios[Self.echoP99Key] = echoP99
        try ratios.encode(to: encoder)
    }
}
