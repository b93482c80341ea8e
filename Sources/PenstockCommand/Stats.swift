import ArgumentParser
import Penstock

struct Stats: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Count the jobs of queues by their state.")

    @OptionGroup var server: ServerOptions

    @Argument(help: "The queues.")
    var queues: [String]

    func run() async throws {
        try await server.withClient { client in
            var rows = [["queue"] + JobState.named.map(\.name) + ["total"]]
            for queue in queues {
                let counts = try await Queue(queue, client).counts()
                rows.append([queue] + JobState.named.map { "\(counts[$0.state])" } + ["\(counts.total)"])
            }
            printTable(rows)
        }
    }
}
