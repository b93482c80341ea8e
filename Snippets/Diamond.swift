// A graph: two branches between a start and an end. Ids of the flow's own name the dependencies, in any order.

import Penstock
import PenstockTesting

try await withTestServer { server in
    try await PenstockClient.withClient(server.address) { client in
        let worker = Worker(client, queue: "default", concurrency: 2) { job in
            let above = try await job.childrenValues(as: String.self).values
            return above.isEmpty ? job.name : "\(job.name)(\(above.joined(separator: ", ")))"
        }
        async let working: Void = worker.run()

        var pipeline = Flow("pipeline")
        pipeline.add("finalize", queue: "default", dependsOn: ["branch1", "branch2"])
        pipeline.add("process_a", queue: "default", id: "branch1", dependsOn: ["start"])
        pipeline.add("process_b", queue: "default", id: "branch2", dependsOn: ["start"])
        pipeline.add("start", queue: "default", id: "start")
        let flow = try await FlowProducer(client).add(pipeline)
        let result = try await flow.root.result(as: String.self)
        print(result)
        precondition(result == "finalize(process_a(start), process_b(start))")

        // A cycle is found before anything is sent.
        var circle = Flow("circle")
        circle.add("chicken", queue: "default", id: "chicken", dependsOn: ["egg"])
        circle.add("egg", queue: "default", id: "egg", dependsOn: ["chicken"])
        do {
            _ = try await FlowProducer(client).add(circle)
            preconditionFailure("a cycle was added")
        } catch {
            print(error)
        }

        worker.shutDown()
        try await working
    }
}
