import ArgumentParser
import Foundation

/// A `penstockd` of the demo's own, on a temporary directory.
struct ServerProcess {
    let directory: String
    let port: Int
    private let process: Process

    var processID: Int32 { process.processIdentifier }

    /// Starts the server that was built beside this program, and waits until it listens.
    static func start() throws -> ServerProcess {
        let program = Bundle.main.executableURL!  // because a program that runs has a file
            .deletingLastPathComponent().appendingPathComponent("penstockd")
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("penstock-demo-\(UUID())")
        try FileManager.default.createDirectory(
            at: directory,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
        let portFile = directory.appendingPathComponent("port")
        let process = Process()
        process.executableURL = program
        process.arguments = [
            "--data", directory.appendingPathComponent("data").path, "--port", "0", "--port-file", portFile.path,
            "--log-level", "warning",
        ]
        try process.run()
        for _ in 0..<200 {
            if let text = try? String(contentsOf: portFile, encoding: .utf8),
                let port = Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
            {
                return ServerProcess(directory: directory.path, port: port, process: process)
            }
            guard process.isRunning else { break }
            usleep(25_000)  // because another process is waited for, and it tells nobody but the file
        }
        process.terminate()
        throw DemoError(description: "the server \(program.path) did not start")
    }

    /// Stops the server with SIGTERM, and sees that it says it went well.
    func stop() throws {
        process.terminate()
        process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: directory)
        guard process.terminationStatus == 0 else {
            throw DemoError(description: "the server ended with status \(process.terminationStatus)")
        }
    }
}

struct DemoError: Error, CustomStringConvertible {
    let description: String
}
