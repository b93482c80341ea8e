import ArgumentParser
import Foundation
import Logging
import PenstockServer

/// The server's command line.
@main
struct Penstockd: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "penstockd",
        abstract: "A job-flow server: keeps graphs of jobs, and hands them to workers.",
        discussion: """
            SIGTERM and SIGINT stop it cleanly; a second one at once. It exits with 0 after a clean stop, 64 for bad \
            options, 65 where the database is damaged or of a newer format, 69 where it can't listen, 71 where the \
            system refuses, 74 where the disk does, 75 where another server has the directory, 77 where it may not \
            write there, and 78 for options that are not allowed.
            """,
        version: ServerConfiguration.version
    )

    @Option(help: "The directory of the database. It is made if it is not there.")
    var data: String

    @Option(help: "The address to listen on. Only loopback addresses, unless --insecure-no-auth is given.")
    var host = "127.0.0.1"

    @Option(help: "The TCP port to listen on; 0 takes any free one.")
    var port = 7411

    @Flag(help: "Do not listen on TCP, only on the Unix socket.")
    var noTcp = false

    @Option(help: "The path of a Unix socket to listen on as well.")
    var unix: String?

    @Option(help: "A file to write the TCP port to, once the server listens.")
    var portFile: String?

    @Flag(
        help: "Listen on an address that other machines reach. This version has neither authentication nor encryption."
    )
    var insecureNoAuth = false

    @Option(help: "What an acknowledgement is worth: fsync (it survives a loss of power), or none (for tests only).")
    var durability = Durability.fsync

    @Option(help: "Bytes of the database above which adds are refused; completions go on.")
    var quotaBytes = 512 << 30

    @Option(help: "Finished jobs that are kept of each queue and state: the newest ones. A job's own options win.")
    var keepJobs: UInt32 = 100_000

    @Option(help: "Days that completed jobs are kept. A job's own options win.")
    var keepCompletedDays: UInt32 = 7

    @Option(help: "Days that failed and cancelled jobs are kept. A job's own options win.")
    var keepFailedDays: UInt32 = 30

    @Flag(help: "Keep all finished jobs whose own options do not say otherwise: the disk fills in time.")
    var keepAll = false

    @Option(
        help: ArgumentHelp(
            "Jobs and edges that one command may reach at once; the rest follows in slices.",
            visibility: .hidden
        )
    )
    var effectSteps = ServerConfiguration.effectStepsMax

    @Option(
        help: "What is logged: trace, debug, info, notice, warning, error or critical.",
        transform: { text in
            guard let level = Logger.Level(rawValue: text) else { throw ValidationError("\(text) is no log level.") }
            return level
        }
    )
    var logLevel = Logger.Level.info

    enum Durability: String, ExpressibleByArgument, CaseIterable {
        case fsync
        case none
    }

    func validate() throws {
        guard (0...65535).contains(port) else { throw ValidationError("A port is 0 to 65535, not \(port).") }
        guard (1...ServerConfiguration.effectStepsMax).contains(effectSteps) else {
            throw ValidationError(
                "One command reaches 1 to \(ServerConfiguration.effectStepsMax) jobs and edges at once, not \(effectSteps)."
            )
        }
        guard quotaBytes > 0 else { throw ValidationError("A quota is at least one byte.") }
        for (option, days) in [("completed", keepCompletedDays), ("failed", keepFailedDays)] where days > 3650 {
            throw ValidationError("--keep-\(option)-days is at most 3650, not \(days); --keep-all keeps them for ever.")
        }
    }

    func run() throws {
        var logger = Logger(label: "penstockd", factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = logLevel
        var configuration = ServerConfiguration(dataDirectory: data)
        configuration.host = noTcp ? nil : host
        configuration.port = port
        configuration.unixPath = unix
        configuration.allowsInsecureAddress = insecureNoAuth
        configuration.isDurable = durability == .fsync
        configuration.quotaBytes = quotaBytes
        configuration.effectSteps = effectSteps
        configuration.keptJobs = keepAll ? nil : keepJobs
        configuration.completedMilliseconds = keepAll ? nil : UInt64(keepCompletedDays) * 86_400_000
        configuration.failedMilliseconds = keepAll ? nil : UInt64(keepFailedDays) * 86_400_000
        let server: Server
        do throws(ServerError) {
            server = try Server(configuration, clock: ServerClock(), logger: logger)
            try server.stopOnSignals()
        } catch {
            logger.critical("the server can't start", metadata: ["reason": "\(error)"])
            throw ExitCode(error.exitStatus)
        }
        if let portFile, let port = server.port {
            try Data("\(port)\n".utf8).write(to: URL(fileURLWithPath: portFile), options: .atomic)
        }
        logger.info(
            "listening",
            metadata: [
                "tcp": "\(server.port.map { "\(host):\($0)" } ?? "-")", "unix": "\(unix ?? "-")", "data": "\(data)",
                "durability": "\(durability.rawValue)",
            ]
        )
        server.run()
        if let failure = server.failure {
            logger.critical("the server ended", metadata: ["reason": "\(failure)"])
            throw ExitCode(ServerError.inputOutputError)
        }
        logger.info("stopped")
    }
}
