internal import ArgumentParser
internal import BenchSupport
internal import Foundation

/// Which cores the server and the client are held to.
///
/// Between two processes that sleep between messages, a round trip on one core can be a fourth of one over two, and the
/// scheduler decides. Held fast, server and echo are compared on the same terms.
enum Pinning: String, CaseIterable, ExpressibleByArgument {
    /// As the scheduler likes.
    case none
    /// The client on core 0, the server on core 1.
    case split
    /// Both on core 0.
    case one

    private static let taskset = URL(filePath: "/usr/bin/taskset")

    private var serverCore: String? {
        switch self {
        case .none: nil
        case .split: "1"
        case .one: "0"
        }
    }

    /// How to start a server: the executable itself, or through taskset, which becomes it.
    func command(_ executable: URL, _ arguments: [String]) -> (executable: URL, arguments: [String]) {
        guard let serverCore else { return (executable, arguments) }
        return (Self.taskset, ["-c", serverCore, executable.path] + arguments)
    }

    func echoFloor(serverArguments: [String]) -> EchoFloor {
        var floor = EchoFloor(serverArguments: serverArguments)
        (floor.executable, floor.serverArguments) = command(floor.executable, serverArguments)
        return floor
    }

    /// Holds the main thread of this process, which is the client, to its core.
    func holdClient() throws {
        guard self != .none else { return }
        let process = Process()
        process.executableURL = Self.taskset
        process.arguments = ["-p", "-c", "0", String(ProcessInfo.processInfo.processIdentifier)]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw ServerFailure("taskset refused to hold the client to a core")
        }
    }
}
