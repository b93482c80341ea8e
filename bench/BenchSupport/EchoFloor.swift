internal import CFloors
package import Foundation

/// The least that a round trip costs on this machine: a libuv echo server in a process of its own, and a blocking client.
///
/// The server's process is this executable again, started with `serverArguments`; where it sees them it must call
/// ``serve()`` and exit, before anything else.
///
/// It depends on where the scheduler puts the two: on one core it can be a fourth of what it is on two that sleep between
/// messages, and a whole measurement tends to be the one or the other. Measure several times, around the benchmark, and
/// take the median.
///
///     if CommandLine.arguments.dropFirst().elementsEqual(["echo-serve"]) { try EchoFloor.serve() }
///     let roundTrips = try EchoFloor(serverArguments: ["echo-serve"]).measure()
package struct EchoFloor: Sendable {
    package var serverArguments: [String]
    /// Of each message.
    package var bytes = 32
    package var executable = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()

    package init(serverArguments: [String]) {
        self.serverArguments = serverArguments
    }

    /// Serves echo until standard input ends; the port goes to standard output.
    package static func serve() throws(FloorFailure) {
        let status = floors_echo_serve(1, 0)
        guard status == 0 else {
            throw FloorFailure(floor: "echo server", code: status, message: "libuv refused")
        }
    }

    /// The round trips, one outstanding, with a tenth as many before them to warm up.
    package func measure(rounds: Int = 20_000) throws -> Histogram {
        let server = Process()
        let input = Pipe()
        let output = Pipe()
        server.executableURL = executable
        server.arguments = serverArguments
        server.standardInput = input
        server.standardOutput = output
        try server.run()
        defer {
            try? input.fileHandleForWriting.close()
            server.waitUntilExit()
        }
        return try roundTrips(rounds, port: try port(from: output.fileHandleForReading))
    }

    private func port(from output: FileHandle) throws(FloorFailure) -> Int32 {
        let line = String(decoding: output.availableData, as: UTF8.self)
        guard let port = Int32(line.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw FloorFailure(floor: "echo server", code: 0, message: "it did not report its port")
        }
        return port
    }

    private func roundTrips(_ rounds: Int, port: Int32) throws(FloorFailure) -> Histogram {
        var nanoseconds = [UInt64](repeating: 0, count: rounds)
        let error = unsafe floors_echo_measure("127.0.0.1", port, bytes, rounds, &nanoseconds)
        guard error == 0 else {
            throw FloorFailure(floor: "echo client", code: error, message: "the connection failed")
        }
        var histogram = Histogram()
        for roundTrip in nanoseconds { histogram.record(roundTrip) }
        return histogram
    }
}
