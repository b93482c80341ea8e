internal import Foundation

/// A server of the benchmark's own, on a directory that goes with it.
///
///     let server = try ServerProcess(below: parent, pinning: .none)
///     defer { server.stop() }
///     let client = try WireClient(to: server.address)
///
/// SIGINT and SIGTERM stop it before they end the benchmark.
final class ServerProcess {
    /// How long it may take to listen, and to stop.
    private static let patience: Duration = .seconds(10)

    private let directory: URL
    private let process = Process()
    private(set) var address = ServerAddress.tcp(host: "127.0.0.1", port: 0)

    /// Starts the `penstockd` that stands beside this executable, and waits until it listens.
    ///
    /// - Parameters:
    ///   - parent: the directory below which its data goes.
    ///   - keepsAll: what finishes is kept: a benchmark counts it, and retention would take its share of the machine.
    ///     False: the server's own default.
    init(below parent: String, pinning: Pinning, keepsAll: Bool) throws {
        directory = URL(filePath: parent).appending(path: "penstock-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        do {
            try start(pinning, keepsAll: keepsAll)
            let (server, directory) = (process.processIdentifier, directory)
            EndingSignals.shared.end { Self.end(server, directory) }
            address = .tcp(host: "127.0.0.1", port: try awaitPort())
        } catch {
            stop()
            throw error
        }
    }

    private var portFile: URL { directory.appending(path: "port") }
    private var logFile: URL { directory.appending(path: "log") }

    private func start(_ pinning: Pinning, keepsAll: Bool) throws {
        let executable = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().appending(path: "penstockd")
        guard FileManager.default.isExecutableFile(atPath: executable.path) else {
            throw ServerFailure("there is no \(executable.path): build it, or name a running server with --server")
        }
        let data = directory.appending(path: "data").path
        (process.executableURL, process.arguments) = pinning.command(
            executable,
            ["--data", data, "--port", "0", "--port-file", portFile.path] + (keepsAll ? ["--keep-all"] : [])
        )
        try Data().write(to: logFile)
        let log = try FileHandle(forWritingTo: logFile)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = log
        process.standardError = log
        try process.run()
        try log.close()
    }

    /// The port, once its file holds a whole line or is complete without one.
    private func awaitPort() throws -> Int {
        let end = ContinuousClock.now + Self.patience
        while ContinuousClock.now < end {
            let text = (try? String(contentsOf: portFile, encoding: .utf8)) ?? ""
            if let port = Int(text.trimmingCharacters(in: .whitespacesAndNewlines)), port > 0 { return port }
            guard process.isRunning else { throw ServerFailure("the server ended at its start: \(logTail)") }
            Thread.sleep(forTimeInterval: 0.01)
        }
        throw ServerFailure("the server did not listen within \(Self.patience): \(logTail)")
    }

    private var logTail: String {
        let text = (try? String(contentsOf: logFile, encoding: .utf8)) ?? ""
        return text.isEmpty ? "it logged nothing" : String(text.suffix(2000))
    }

    /// Asks it to stop, kills it if it does not, and removes its directory. Idempotent.
    func stop() {
        end()
        EndingSignals.shared.end(nil)
    }

    private func end() {
        guard process.isRunning else { return removeDirectory() }
        Self.end(process.processIdentifier, directory)
        process.waitUntilExit()
    }

    /// Ends the process, whoever waits for it, and removes its directory.
    private static func end(_ process: pid_t, _ directory: URL) {
        kill(process, SIGTERM)
        let end = ContinuousClock.now + patience
        // Signal 0 only asks whether the process is there; Foundation's own thread sees to it that it is reaped.
        while kill(process, 0) == 0, ContinuousClock.now < end { Thread.sleep(forTimeInterval: 0.01) }
        kill(process, SIGKILL)
        try? FileManager.default.removeItem(at: directory)
    }

    private func removeDirectory() { try? FileManager.default.removeItem(at: directory) }
}
