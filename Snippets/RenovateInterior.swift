// A tree: the parent runs when its children have, and sums up what they cost.

import Penstock
import PenstockTesting

struct Step: Codable {
    var place: String
}

// A server inside this process; a service would connect to one: PenstockClient(.tcp(host: "127.0.0.1", port: 7411)).
try await withTestServer { server in
    try await PenstockClient.withClient(server.address) { client in
        let steps = Worker(client, queue: "steps", concurrency: 3) { (job: Job<Step>) in
            job.name == "paint" ? 2500 : 1750
        }
        let renovate = Worker(client, queue: "renovate") { job in
            try await job.childrenValues(as: Int.self).values.reduce(0, +)
        }
        async let working: Void = steps.run()
        async let renovating: Void = renovate.run()

        let flow = try await FlowProducer(client).add(
            FlowJob("renovate-interior", queue: "renovate") {
                FlowJob("paint", queue: "steps", data: Step(place: "ceiling"))
                FlowJob("paint", queue: "steps", data: Step(place: "walls"))
                FlowJob("fix", queue: "steps", data: Step(place: "floor"))
            }
        )
        let total = try await flow.root.result(as: Int.self)
        print("renovate-interior costs \(total)")
        precondition(total == 6750)

        steps.shutDown()
        renovate.shutDown()
        _ = try await (working, renovating)
    }
}
