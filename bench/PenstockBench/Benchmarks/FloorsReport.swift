internal import BenchSupport

/// The floors alone, as a JSON object: rates by kind of work, latencies in microseconds.
struct FloorsReport: Encodable {
    var benchmark = "floors"
    var payloadBytes: Int
    var addPerSecond: Statistics
    var completePerSecond: Statistics
    var flowsPerSecond: Statistics
    var throughPerSecond: Statistics
    var commitP50: Statistics
    var echoP50: Statistics
    var versions = Versions.current

    private enum CodingKeys: String, CodingKey {
        case benchmark
        case payloadBytes = "payload_bytes"
        case addPerSecond = "lmdb_add_per_s"
        case completePerSecond = "lmdb_complete_per_s"
        case flowsPerSecond = "lmdb_flows_per_s"
        case throughPerSecond = "lmdb_through_per_s"
        case commitP50 = "commit_p50_us"
        case echoP50 = "echo_p50_us"
        case versions
    }

    var table: Table {
        var table = Table(columns: [.init("floors", .left), .init("median"), .init("min"), .init("max")])
        for (name, rate) in [
            ("LMDB add, jobs/s", addPerSecond),
            ("LMDB complete, jobs/s", completePerSecond),
            ("LMDB add, flows of 1+10/s", flowsPerSecond),
            ("LMDB complete through to the parents, jobs/s", throughPerSecond),
        ] {
            table.append([name, Figure.count(rate.median), Figure.count(rate.min), Figure.count(rate.max)])
        }
        for (name, latency) in [("LMDB commit of one add p50, us", commitP50), ("echo p50, us", echoP50)] {
            table.append([name] + [latency.median, latency.min, latency.max].map { Figure.decimal($0, places: 1) })
        }
        return table
    }
}
