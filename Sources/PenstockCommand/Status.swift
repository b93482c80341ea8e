import ArgumentParser
import Penstock

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show a job.")

    @OptionGroup var server: ServerOptions

    @Argument(help: "The job's id.")
    var job: JobID

    @Flag(help: "Show what the job has returned, too.")
    var showResult = false

    func run() async throws {
        try await server.withClient { client in
            let info = try await client.job(job).info()
            var rows: [(String, String)] = [
                ("id", "\(info.id)"), ("name", info.name), ("queue", info.queue), ("state", info.state.name),
                ("attempts", "\(info.attemptsMade)/\(info.options.attempts)"), ("created", "\(info.createdAt)"),
            ]
            if let id = info.options.id { rows.append(("custom id", id)) }
            if let flow = info.flow { rows.append(("flow", "\(flow)")) }
            if let startedAt = info.startedAt { rows.append(("started", "\(startedAt)")) }
            if let finishedAt = info.finishedAt { rows.append(("finished", "\(finishedAt)")) }
            if let failure = info.failure { rows.append(("failure", failure.message)) }
            if showResult { rows.append(("result", info.result?.text ?? "none yet")) }
            for (name, value) in rows { print("\(name): \(value)") }
        }
    }
}
