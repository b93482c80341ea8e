public import ArgumentParser
import Foundation
public import Penstock

/// The command line of those who use a server: it adds jobs, looks at them, and acts upon them.
@main
struct PenstockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "penstock",
        abstract: "Adds jobs to a Penstock server, looks at them, and acts upon them.",
        discussion: "It exits with 0, with 64 for bad options, and with 1 and one line on the error output else.",
        subcommands: [Submit.self, Status.self, Stats.self, List.self, Retry.self, Cancel.self]
    )

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let error as any OneLineError {
            FileHandle.standardError.write(Data("penstock: \(error.line)\n".utf8))
            exit(withError: ExitCode.failure)
        } catch {
            exit(withError: error)
        }
    }
}

/// What is told in one line.
protocol OneLineError: Error {
    var line: String { get }
}

extension PenstockError: OneLineError {
    var line: String { message.split(whereSeparator: \.isNewline).joined(separator: " ") }
}

/// What the command line itself finds wrong.
struct CommandError: OneLineError {
    let line: String
    init(_ line: String) { self.line = line }
}

/// Where the server is.
struct ServerOptions: ParsableArguments {
    @Option(help: "The server's host.")
    var host = "127.0.0.1"

    @Option(help: "The server's TCP port.")
    var port = 7411

    @Option(help: "The path of the server's Unix socket, in place of host and port.")
    var unix: String?

    @Option(help: "Seconds to wait for the server.")
    var timeout = 10

    func validate() throws {
        guard (1...65535).contains(port) else { throw ValidationError("A port is 1 to 65535, not \(port).") }
        guard (1...86_400).contains(timeout) else { throw ValidationError("--timeout is 1 to 86400, not \(timeout).") }
    }

    /// Calls `body` with a client of the server.
    func withClient(_ body: (PenstockClient) async throws -> Void) async throws {
        let address: ServerAddress = unix.map { .unix(path: $0) } ?? .tcp(host: host, port: port)
        let configuration = PenstockClient.Configuration(
            name: "penstock",
            requestTimeout: .seconds(timeout),
            shutdownTimeout: .seconds(1)
        )
        try await PenstockClient.withClient(address, configuration: configuration, body)
    }
}

extension JobID: ExpressibleByArgument {}
extension FlowID: ExpressibleByArgument {}

extension RawPayload {
    /// What a terminal can show of it.
    var text: String {
        switch kind {
        case .none: "-"
        case .json, .text: String(decoding: bytes, as: UTF8.self)
        default: "\(bytes.count) bytes"
        }
    }
}

extension JobState {
    /// All of them, in the order of a job's life, with their names in tables.
    static let named: [(state: JobState, name: String)] = [
        (.waiting, "waiting"), (.delayed, "delayed"), (.waitingChildren, "waiting-children"), (.active, "active"),
        (.completed, "completed"), (.failed, "failed"), (.cancelled, "cancelled"),
    ]

    var name: String { JobState.named.first { $0.state == self }?.name ?? "\(self)" }
}

/// Prints rows in columns; the first row is the heading.
func printTable(_ rows: [[String]]) {
    guard let heading = rows.first else { return }
    let widths = heading.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    for row in rows {
        let last = row.count - 1
        let cells = row.indices.map { column in
            // Nothing behind the last cell of a line.
            column == last ? row[column] : row[column].padding(toLength: widths[column], withPad: " ", startingAt: 0)
        }
        print(cells.joined(separator: "  "))
    }
}
