import Foundation
import Logging
import PenstockServer
import UV

/// A server with a configuration of the test's own, on a thread of its own.
final class OwnServer: @unchecked Sendable {  // because only the test's thread uses it
    private let thread: OSThread
    let control: ServerControl
    let clock = ServerClock()
    let port: Int

    init(_ configuration: ServerConfiguration) throws {
        let made = Sent(try Server(configuration, clock: clock, logger: .silent))
        control = made.value.control
        port = made.value.port ?? 0
        thread = try OSThread { made.value.run() }
    }

    /// Waits until it has ended.
    func join() { thread.join() }

    func stop() {
        control.stop()
        join()
    }

    private struct Sent: @unchecked Sendable {  // because it is handed over once
        let value: Server
        init(_ value: Server) { self.value = value }
    }
}

extension Logger {
    static let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
}

/// Calls `body` with a directory that is gone afterwards.
func withDirectory(_ body: (String) throws -> Void) throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("penstock-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(
        atPath: path,
        withIntermediateDirectories: false,
        attributes: [.posixPermissions: 0o700]
    )
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(path)
}

extension ServerConfiguration {
    /// A free port, no flushes to the disk.
    static func test(_ directory: String) -> ServerConfiguration {
        var configuration = ServerConfiguration(dataDirectory: directory)
        configuration.port = 0
        configuration.isDurable = false
        return configuration
    }
}
