// Map and reduce: a hundred mappers share the work, one reducer adds up their results. Two flows in one transaction.

import Penstock
import PenstockTesting

try await withTestServer { server in
    try await PenstockClient.withClient(server.address) { client in
        let mappers = Worker(client, queue: "mappers", concurrency: 8) { (job: Job<[Int]>) in
            job.data.reduce(0, +)
        }
        let reducer = Worker(client, queue: "reducers") { job in
            try await job.childrenValues(as: Int.self).values.reduce(0, +)
        }
        async let mapping: Void = mappers.run()
        async let reducing: Void = reducer.run()

        let flows = [1000, 2000].map { size in
            FlowJob("reduce-results", queue: "reducers") {
                for start in stride(from: 0, to: size, by: size / 100) {
                    FlowJob("map-chunk", queue: "mappers", data: Array(start..<start + size / 100))
                }
            }
        }
        let handles = try await FlowProducer(client).addBulk(flows)
        for (handle, size) in zip(handles, [1000, 2000]) {
            let sum = try await handle.root.result(as: Int.self)
            print("the numbers below \(size) add up to \(sum)")
            precondition(sum == size * (size - 1) / 2)
        }

        mappers.shutDown()
        reducer.shutDown()
        _ = try await (mapping, reducing)
    }
}
