import ArgumentParser
import Foundation
import Penstock

/// Counts the words of a folder with a flow of jobs, on a server of its own.
@main
struct PenstockDemo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "penstock-demo",
        abstract:
            "Counts files, lines, words and bytes of a folder's text with one flow of jobs, and checks it with wc."
    )

    @Argument(help: "The folder to count. The project's own files by default.")
    var folder = "."

    @Option(help: "How many map jobs share the folder.")
    var chunks = 24

    func validate() throws {
        guard (1...1000).contains(chunks) else {
            throw ValidationError("There can be 1 to 1000 chunks, not \(chunks).")
        }
        let values = try? URL(fileURLWithPath: folder).resourceValues(forKeys: [.isDirectoryKey])
        guard values?.isDirectory == true else {
            throw ValidationError("\(folder) is no folder.")
        }
    }

    func run() async throws {
        let server = try ServerProcess.start()
        print("server     process \(server.processID), port \(server.port), data in \(server.directory)\n")
        let report: Report
        do {
            report = try await count(server)
        } catch {
            try server.stop()
            throw error
        }
        try server.stop()
        print("server     stopped cleanly")
        let check = try WordCountCheck.run(on: report.files, in: folder)
        print(check.describe(report.totals))
        guard check.agrees(with: report.totals) else { throw ExitCode.failure }
    }

    private func count(_ server: ServerProcess) async throws -> Report {
        try await PenstockClient.withClient(.tcp(host: "127.0.0.1", port: server.port)) { client in
            try await withWorkers(WordCountFlow.workers(client) + Diamonds.workers(client)) {
                let flow = try await WordCountFlow.add(client, folder: folder, chunks: chunks)
                print("flow       \(flow.id): \(flow.jobs.count) jobs, added in one transaction")
                try await Progress.show(flow)
                try await GraphView.show(flow)
                let report = try await flow.root.result(as: Report.self)
                print(report.describe())
                try await Diamonds.run(client)
                return report
            }
        }
    }
}

/// Runs workers for the time of `body`.
private func withWorkers<Result: Sendable>(
    _ workers: [Worker],
    _ body: () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for worker in workers { group.addTask { try await worker.run() } }
        let result = try await body()
        for worker in workers { worker.shutDown() }
        try await group.waitForAll()
        return result
    }
}
