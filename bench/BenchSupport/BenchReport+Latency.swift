extension BenchReport {
    /// Latencies in microseconds.
    package struct Latency: Codable, Equatable, Sendable {
        package var p50: Double
        package var p90: Double
        package var p99: Double
        package var p999: Double
        package var max: Double

        package init(_ histogram: Histogram) {
            p50 = Double(histogram.p50) / 1000
            p90 = Double(histogram.p90) / 1000
            p99 = Double(histogram.p99) / 1000
            p999 = Double(histogram.p999) / 1000
            max = Double(histogram.max) / 1000
        }

        /// Each percentile's median over several runs, at least one: a run that was disturbed does not carry it.
        package init(medianOf runs: [Latency]) {
            func median(_ percentile: KeyPath<Latency, Double>) -> Double {
                Statistics(runs: runs.map { $0[keyPath: percentile] }).median
            }
            p50 = median(\.p50)
            p90 = median(\.p90)
            p99 = median(\.p99)
            p999 = median(\.p999)
            max = median(\.max)
        }

        private enum CodingKeys: String, CodingKey {
            case p50
            case p90
            case p99
            case p999 = "p99_9"
            case max
        }
    }
}
