// A chain: each job waits for its only child, so the order is chassis, wheels, engine.

import Penstock
import PenstockTesting
import Synchronization

struct Part: Codable {
    var step: String
}

final class Record: Sendable {
    let steps = Mutex<[String]>([])
}

try await withTestServer { server in
    try await PenstockClient.withClient(server.address) { client in
        let record = Record()
        let line = Worker(client, queue: "assembly-line", concurrency: 4) { (job: Job<Part>) in
            record.steps.withLock { $0.append(job.data.step) }
        }
        async let working: Void = line.run()

        let car = try await FlowProducer(client).add(
            FlowJob("car", queue: "assembly-line", data: Part(step: "engine")) {
                FlowJob("car", queue: "assembly-line", data: Part(step: "wheels")) {
                    FlowJob("car", queue: "assembly-line", data: Part(step: "chassis"))
                }
            }
        )
        try await car.wait()
        let steps = record.steps.withLock { $0 }
        print("the car was built in the order \(steps.joined(separator: ", "))")
        precondition(steps == ["chassis", "wheels", "engine"])

        line.shutDown()
        try await working
    }
}
