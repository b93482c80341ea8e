import ArgumentParser
import Penstock

struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List flows, the newest first, or the jobs of one flow, or those of a queue in one state."
    )

    @OptionGroup var server: ServerOptions

    @Option(help: "List the jobs of this flow.")
    var flow: FlowID?

    @Option(help: "List the jobs of this queue.")
    var queue: String?

    @Option(
        help: "With --queue: waiting (default), delayed, waiting-children, active, completed, failed or cancelled.",
        transform: { text in
            guard let state = JobState.named.first(where: { $0.name == text })?.state else {
                throw ValidationError("\(text) is no state of a job.")
            }
            return state
        }
    )
    var state: JobState?

    @Option(help: "Only flows of this name; not with --flow or --queue.")
    var name: String?

    @Option(help: "At most so many.")
    var limit = 100

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is at least 1, not \(limit).") }
        if flow != nil && queue != nil { throw ValidationError("--flow and --queue are two lists; give one of them.") }
        if state != nil && queue == nil { throw ValidationError("--state is for the jobs of a --queue.") }
        if name != nil && (flow != nil || queue != nil) {
            throw ValidationError("--name is for the list of flows, not for jobs.")
        }
    }

    func run() async throws {
        try await server.withClient { client in
            if let flow {
                try await listJobs(of: flow, client)
            } else if let queue {
                try await listJobs(of: Queue(queue, client))
            } else {
                try await listFlows(client)
            }
        }
    }

    private func listFlows(_ client: PenstockClient) async throws {
        var rows = [["flow", "status", "jobs", "finished", "name"]]
        for try await page in FlowProducer(client).flows(named: name, count: min(limit, 1000)) {
            for flow in page.prefix(limit + 1 - rows.count) {
                rows.append(
                    ["\(flow.id)", "\(flow.status)", "\(flow.counts.total)", "\(flow.counts.finished)", flow.name]
                )
            }
            if rows.count > limit { break }
        }
        printTable(rows)
    }

    private func listJobs(of queue: Queue) async throws {
        var rows = [["job", "state", "attempts", "priority", "name"]]
        for try await page in queue.jobs(in: state ?? .waiting, count: min(limit, 1000)) {
            for job in page.prefix(limit + 1 - rows.count) {
                rows.append(["\(job.id)", job.state.name, "\(job.attemptsMade)", "\(job.priority)", job.name])
            }
            if rows.count > limit { break }
        }
        printTable(rows)
    }

    private func listJobs(of flow: FlowID, _ client: PenstockClient) async throws {
        var rows = [["job", "state", "attempts", "queue", "name"]]
        for try await page in client.flowNodePages(flow, count: min(limit, 1000)) {
            for node in page.prefix(limit + 1 - rows.count) {
                rows.append(["\(node.id)", node.state.name, "\(node.attemptsMade)", node.queue, node.name])
            }
            if rows.count > limit { break }
        }
        printTable(rows)
    }
}
