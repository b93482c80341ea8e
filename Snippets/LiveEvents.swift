// What happens to a flow, as it happens: nobody polls.

import Penstock
import PenstockTesting

try await withTestServer { server in
    try await PenstockClient.withClient(server.address) { client in
        let flow = try await FlowProducer(client).add(
            FlowJob("film", queue: "media") {
                FlowJob("sound", queue: "media")
                FlowJob("picture", queue: "media")
            }
        )
        // From here on nothing is missed.
        let events = try await flow.events()

        let worker = Worker(client, queue: "media", options: .init(name: "studio")) { (job: Job<RawPayload>) in
            try await job.updateProgress(50)
        }
        async let working: Void = worker.run()

        var status: FlowStatus?
        for try await event in events {
            switch event.change {
            case .active(_, let worker): print("\(event.name) begins at the \(worker)")
            case .progress(let progress): print("\(event.name): \(try progress.decode(as: Int.self)) %")
            case .failed(_, let message): print("\(event.name) failed: \(message)")
            case .gap: status = try await flow.wait().status
            case .flowFinished(let end): status = end
            default: break
            }
            if status != nil { break }
        }
        print("the flow has \(status?.rawValue ?? "not finished")")
        precondition(status == .completed)

        worker.shutDown()
        try await working
    }
}
