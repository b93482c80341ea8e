import Foundation

/// A program of this package, run as a process of its own; it ends with its last reference.
final class ChildProcess {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private let errors = Pipe()

    /// - Parameter name: a binary beside the test bundle.
    init(_ name: String, _ arguments: [String]) throws {
        let bundle = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.executableURL = bundle.deletingLastPathComponent().appendingPathComponent(name)
        process.arguments = arguments
        var environment = ProcessInfo.processInfo.environment
        environment["SWIFT_BACKTRACE"] = "enable=no"
        process.environment = environment
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        try process.run()
    }

    deinit { kill() }

    /// Ends it at once, as a crash would.
    func kill() {
        if process.isRunning { signal(SIGKILL) }
        process.waitUntilExit()
    }

    func signal(_ signal: Int32) { _ = Foundation.kill(process.processIdentifier, signal) }

    /// Writes a line to its input.
    func tell(_ line: String = "") throws { try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8)) }

    /// The next line of its output; nil at the end of it.
    func line() async -> String? {
        await ChildProcess.blocking { [output] in
            var line: [UInt8] = []
            while let byte = try? output.fileHandleForReading.read(upToCount: 1)?.first {
                if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
                line.append(byte)
            }
            return nil
        }
    }

    /// What a program that ends by itself has said, and with which code it has ended.
    func end() async -> (output: String, errors: String, code: Int32) {
        try? input.fileHandleForWriting.close()
        let said = await ChildProcess.blocking { [output, errors] in
            let texts = [output, errors].map { (try? $0.fileHandleForReading.readToEnd()) ?? Data() }
            return texts.map { String(decoding: $0, as: UTF8.self) }
        }
        process.waitUntilExit()
        return (said[0], said[1], process.terminationStatus)
    }

    /// Runs a body that blocks on a thread of its own.
    private static func blocking<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: body()) }
        }
    }
}
