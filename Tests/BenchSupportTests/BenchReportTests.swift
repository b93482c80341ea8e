import Foundation
import Testing

@testable import BenchSupport

struct BenchReportTests {
    private var full: BenchReport {
        var histogram = Histogram()
        histogram.record(28_500)
        let rate = Statistics(runs: [1, 2, 3])
        let ratios = BenchReport.Ratios(lmdb: 0.5, echoP50: 1.25, echoP99: 6, peers: ["bullmq": 30])
        let regime = BenchReport.Regime(ratePerSecond: rate, ratios: ratios)
        var report = BenchReport(
            benchmark: "dequeue",
            version: "1.0.0",
            durability: .fsync,
            payloadBytes: 200,
            outstanding: 256,
            jobs: 1000
        )
        report.ratePerSecond = rate
        report.latency = .init(histogram)
        report.floors = .init(lmdbPerSecond: 300_000, echoP50: 29.5)
        report.regimes = .init(fresh: regime, retained: regime, longLease: regime)
        report.ratios = ratios
        report.peers = ["bullmq": .init(ratePerSecond: rate, durability: .none, version: "5")]
        report.jobsPerCommit = 64.5
        report.serverCPUPerJob = 3.5
        report.clientCPUPerJob = 1.5
        report.serverResidentBytes = 4096
        return report
    }

    @Test func `a full report has every key`() throws {
        let ratios = #"{"bullmq":30,"echo_p50":1.25,"echo_p99":6,"lmdb":0.5}"#
        let rate = #"{"max":3,"median":2,"min":1}"#
        let regime = #"{"rate_per_s":\#(rate),"ratios":\#(ratios)}"#
        let expected = [
            #"{"benchmark":"dequeue","client_cpu_us_per_job":1.5,"durability":"fsync""#,
            #""floors":{"echo_p50_us":29.5,"lmdb_per_s":300000},"jobs":1000,"jobs_per_commit":64.5"#,
            #""latency_us":{"max":28.5,"p50":28.5,"p90":28.5,"p99":28.5,"p99_9":28.5},"outstanding":256"#,
            #""payload_bytes":200,"peers":{"bullmq":{"durability":"none","rate_per_s":\#(rate),"version":"5"}}"#,
            #""rate_per_s":\#(rate),"ratios":\#(ratios)"#,
            #""regimes":{"fresh":\#(regime),"long_lease":\#(regime),"retained":\#(regime)}"#,
            #""server_cpu_us_per_job":3.5,"server_rss_bytes":4096,"version":"1.0.0"}"#,
        ].joined(separator: ",")
        #expect(String(decoding: try full.json(), as: UTF8.self) == expected)
    }

    @Test func `each percentile is the median of the runs'`() {
        let runs = [10_000, 30_000, 20_000].map { nanoseconds in
            var histogram = Histogram()
            histogram.record(UInt64(nanoseconds))
            return BenchReport.Latency(histogram)
        }
        #expect(BenchReport.Latency(medianOf: runs) == runs[2])
    }

    @Test func `the table has a row for each figure that there is`() {
        let rows = full.table.description.split(separator: "\n")
        #expect(rows.contains { $0.hasPrefix("ratio to the LMDB floor") && $0.contains("0.500") })
        #expect(rows.contains { $0.hasPrefix("latency p50, us") && $0.contains("28.5") })
        #expect(!rows.contains { $0.hasPrefix("jobs through") })
    }

    @Test func `figures that were not measured have no key`() throws {
        let report = BenchReport(
            benchmark: "add",
            version: "1.0.0",
            durability: .relaxed,
            payloadBytes: 200,
            outstanding: 1,
            jobs: 10
        )
        let expected =
            #"{"benchmark":"add","durability":"relaxed","jobs":10,"outstanding":1,"payload_bytes":200,"version":"1.0.0"}"#
        #expect(String(decoding: try report.json(), as: UTF8.self) == expected)
    }

    @Test func `a report is read back as it was written`() throws {
        #expect(try JSONDecoder().decode(BenchReport.self, from: full.json()) == full)
    }

    @Test func `a figure that is not a number is refused`() {
        var report = full
        report.jobsPerCommit = .nan
        #expect(throws: EncodingError.self) { try report.json() }
    }
}
