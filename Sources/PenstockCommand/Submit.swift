import ArgumentParser
import Foundation
import Penstock

struct Submit: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Add a job, and print its id.")

    @OptionGroup var server: ServerOptions

    @Argument(help: "The queue.")
    var queue: String

    @Argument(help: "The job's name.")
    var name: String

    @Option(help: "The job's data, as JSON.")
    var data: String?

    @Option(help: "0 is the most urgent.")
    var priority: Int?

    @Option(help: "Seconds until the job may run.")
    var delay: Int?

    @Option(help: "How often the job is tried.")
    var attempts: Int?

    @Option(help: "An id of your own: the job is not added twice.")
    var id: String?

    @Option(help: "A job that has to complete first; may be given again for others.")
    var after: [JobID] = []

    func run() async throws {
        let payload = try data.map(Submit.json) ?? .none
        let options = JobOptions(
            priority: priority,
            delay: delay.map { .seconds($0) },
            attempts: attempts,
            id: id
        )
        try await server.withClient { client in
            if after.isEmpty {
                print(try await Queue(queue, client).add(name, data: payload, options: options).id)
            } else {
                var flow = Flow(name)
                flow.add(
                    name,
                    queue: queue,
                    data: payload,
                    options: options,
                    after: after.map { FlowDependency(job: $0) }
                )
                print(try await FlowProducer(client).add(flow).root.id)
            }
        }
    }

    private static func json(_ text: String) throws -> RawPayload {
        let bytes = Array(text.utf8)
        guard (try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) != nil else {
            throw CommandError("The data is no JSON: \(text)")
        }
        return RawPayload(bytes: bytes, kind: .json)
    }
}
