// The first flow of the README, on a server inside this process.

import Penstock
import PenstockTesting

try await withTestServer { server in
    try await PenstockClient.withClient(server.address) { client in
        let steps = Worker(client, queue: "steps", concurrency: 8) { (job: Job<String>) in
            "\(job.name) the \(job.data)"
        }
        let renovate = Worker(client, queue: "renovate") { job in
            try await job.childrenValues(as: String.self).values.joined(separator: ", ")
        }
        async let _ = steps.run()
        async let _ = renovate.run()

        let flow = try await FlowProducer(client).add(
            FlowJob("renovate", queue: "renovate") {
                FlowJob("paint", queue: "steps", data: "ceiling")
                FlowJob(
                    "fix",
                    queue: "steps",
                    data: "floor",
                    options: .init(attempts: 3, backoff: .exponential(.seconds(1)))
                )
            }
        )
        let result = try await flow.root.result(as: String.self)
        print(result)
        precondition(result == "paint the ceiling, fix the floor")
    }
}
