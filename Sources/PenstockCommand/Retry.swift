import ArgumentParser
import Penstock

struct Retry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a failed or cancelled job again, or all of them in a flow or a queue."
    )

    @OptionGroup var server: ServerOptions
    @OptionGroup var target: Target

    @Option(help: "Retry all of this queue.")
    var queue: String?

    func validate() throws { try target.validate(others: queue == nil ? 0 : 1) }

    func run() async throws {
        try await server.withClient { client in
            let count =
                if let job = target.job {
                    try await client.job(job).retry()
                } else if let flow = target.flow {
                    try await FlowHandle(flow, client).retry()
                } else {
                    try await Queue(queue ?? "", client).retryAll()
                }
            print("\(count) jobs run again")
        }
    }
}

struct Cancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Cancel a job, or a flow.")

    @OptionGroup var server: ServerOptions
    @OptionGroup var target: Target

    @Option(help: "Why: the worker and the job's readers are told.")
    var reason = ""

    func validate() throws { try target.validate(others: 0) }

    func run() async throws {
        try await server.withClient { client in
            let count =
                if let job = target.job {
                    try await client.job(job).cancel(reason: reason)
                } else if let flow = target.flow {
                    try await FlowHandle(flow, client).cancel(reason: reason)
                } else {
                    0
                }
            print("\(count) jobs cancelled")
        }
    }
}

/// A job or a flow.
struct Target: ParsableArguments {
    @Argument(help: "The job's id.")
    var job: JobID?

    @Option(help: "A flow's id, in place of a job's.")
    var flow: FlowID?

    /// - Parameter others: targets of other kinds that were named.
    func validate(others: Int) throws {
        let count = (job == nil ? 0 : 1) + (flow == nil ? 0 : 1) + others
        guard count == 1 else { throw ValidationError("Name one thing to act upon; these are \(count).") }
    }
}
