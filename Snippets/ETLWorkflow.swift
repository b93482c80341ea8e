// Extract, transform, load, notify: attempts with a backoff, and a branch whose failure does not matter.

import Penstock
import PenstockTesting

struct Rows: Codable {
    var count: Int
}

struct ServiceIsDown: Error {}

try await withTestServer { server in
    try await PenstockClient.withClient(server.address) { client in
        let etl = Worker(client, queue: "etl") { job in
            switch job.name {
            case "extract":
                // The first attempt fails; the second comes after the backoff.
                if job.attempt == 1 { throw ServiceIsDown() }
                return Rows(count: 1000)
            case "enrich": throw UnrecoverableError("no enrichment today")
            default: return try await Rows(count: job.childrenValues(as: Rows.self).values[0].count - 50)
            }
        }
        let warehouse = Worker(client, queue: "warehouse") { job in
            let loaded = try await job.childrenValues(as: Rows.self).values.map(\.count).reduce(0, +)
            let missing = try await job.ignoredChildrenFailures().map(\.name)
            return "\(loaded) rows loaded, without \(missing.joined(separator: ", "))"
        }
        async let working: Void = etl.run()
        async let loading: Void = warehouse.run()

        var nightly = Flow("nightly")
        let extract = nightly.add(
            "extract",
            queue: "etl",
            options: .init(attempts: 3, backoff: .exponential(.milliseconds(20), jitter: 0.2))
        )
        let transform = nightly.add("transform", queue: "etl", after: extract)
        let enrich = nightly.add("enrich", queue: "etl", after: extract, onFailure: .ignore)
        let load = nightly.add("load", queue: "warehouse", after: transform, enrich)
        let flow = try await FlowProducer(client).add(nightly)
        let summary = try await flow[load].result(as: String.self)
        print(summary)
        precondition(summary == "950 rows loaded, without enrich")

        etl.shutDown()
        warehouse.shutDown()
        _ = try await (working, loading)
    }
}
