extension BenchReport {
    /// The floors of the same run.
    package struct Floors: Codable, Equatable, Sendable {
        /// The LMDB floor of this benchmark's own work.
        package var lmdbPerSecond: Double?
        /// The median round trip of the libuv echo, in microseconds.
        package var echoP50: Double?
        /// Of `flow`: the completions of the LMDB floor.
        package var throughPerSecond: Double?
        /// The median of a synced LMDB commit with one add, in microseconds.
        package var commitP50: Double?

        package init(lmdbPerSecond: Double? = nil, echoP50: Double? = nil) {
            self.lmdbPerSecond = lmdbPerSecond
            self.echoP50 = echoP50
        }

        private enum CodingKeys: String, CodingKey {
            case lmdbPerSecond = "lmdb_per_s"
            case echoP50 = "echo_p50_us"
            case throughPerSecond = "through_per_s"
            case commitP50 = "commit_p50_us"
        }
    }

    /// The same work done by another server.
    package struct Peer: Codable, Equatable, Sendable {
        package var ratePerSecond: Statistics
        package var durability: Durability
        package var version: String

        package init(ratePerSecond: Statistics, durability: Durability, version: String) {
            self.ratePerSecond = ratePerSecond
            self.durability = durability
            self.version = version
        }

        private enum CodingKeys: String, CodingKey {
            case ratePerSecond = "rate_per_s"
            case durability
            case version
        }
    }

    /// What `dequeue` measures three times.
    package struct Regimes: Codable, Equatable, Sendable {
        /// Retention has nothing to take; also the report's own figures.
        package var fresh: Regime?
        /// A steady state with the default retention.
        package var retained: Regime?
        /// Every job outlives `leaseWriteAfter`.
        package var longLease: Regime?

        package init(fresh: Regime? = nil, retained: Regime? = nil, longLease: Regime? = nil) {
            self.fresh = fresh
            self.retained = retained
            self.longLease = longLease
        }

        private enum CodingKeys: String, CodingKey {
            case fresh
            case retained
            case longLease = "long_lease"
        }
    }

    package struct Regime: Codable, Equatable, Sendable {
        package var ratePerSecond: Statistics
        package var ratios: Ratios
        /// Of `retained`: jobs that retention took for each that completed; below 1 the database grew.
        package var takenPerJob: Double?

        package init(ratePerSecond: Statistics, ratios: Ratios) {
            self.ratePerSecond = ratePerSecond
            self.ratios = ratios
        }

        private enum CodingKeys: String, CodingKey {
            case ratePerSecond = "rate_per_s"
            case ratios
            case takenPerJob = "taken_per_job"
        }
    }
}
