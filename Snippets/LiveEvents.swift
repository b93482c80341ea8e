// What happens to a flow, as it happens: nobody polls.

import Penstock
import PenstockTesting

try await withTestServer { server in
    try await PenstockClient.withClient(server.address) { client in
        let worker = Worker(client, queue: "media", concurrency: 2) { (job: Job<RawPayload>) in
            try await job.updateProgress(50)
        }
        async let working: Void = worker.run()

        let flow = try await FlowProducer(client).add(
            FlowJob("film", queue: "media") {
                FlowJob("sound", queue: "media")
                FlowJob("picture", queue: "media")
            }
        )
        // Where the flow was faster, its end is read first; else every further event comes, in order.
        let events = try await flow.events()
        var status = try await flow.status().status
        while !status.isFinished {
            guard let event = try await events.first(where: { _ in true }) else { break }
            switch event.change {
            case .active(_, let worker): print("\(event.name) begins, \(worker.isEmpty ? "somewhere" : worker)")
            case .progress(let progress): print("\(event.name): \(try progress.decode(as: Int.self)) %")
            case .failed(_, let message): print("\(event.name) failed: \(message)")
            case .gap: status = try await flow.status().status
            case .flowFinished(let end): status = end
            default: break
            }
        }
        print("\(status)")
        precondition(status == .completed)

        worker.shutDown()
        try await working
    }
}
