import Foundation

/// A real `penstockd` on a directory, which goes with its last reference.
final class ServerProcess {
    /// How a process ended.
    enum Exit: Equatable {
        case code(Int32)
        case signal(Int32)
    }

    let pid: pid_t
    let port: Int
    private var exit: Exit?

    /// Where the binary is: beside the test bundle, or where `PENSTOCKD` says.
    static let binary: String = {
        if let path = ProcessInfo.processInfo.environment["PENSTOCKD"] { return path }
        let bundle = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return bundle.deletingLastPathComponent().appendingPathComponent("penstockd").path
    }()

    /// Starts the server without waiting until it listens.
    ///
    /// - Parameter wrapper: a program that runs the server, with its arguments: `strace`, say.
    static func launch(
        _ directory: CrashDirectory,
        wrapper: [String] = [],
        options: [String] = []
    ) throws -> pid_t {
        try? FileManager.default.removeItem(atPath: directory.portFile)
        let leash = ["setpriv", "--pdeathsig", "KILL"]
        let server =
            [binary, "--data", directory.data, "--port", "0", "--port-file", directory.portFile]
            + ["--log-level", "warning"] + options
        let arguments = leash + (wrapper.isEmpty ? server : wrapper + leash + server)
        guard let pid = Spawner.shared.start(arguments, log: directory.log) else {
            throw CrashError.failed("\(binary) can't be started")
        }
        return pid
    }

    /// Starts the server and waits until it listens.
    init(_ directory: CrashDirectory, wrapper: [String] = [], options: [String] = []) throws {
        pid = try ServerProcess.launch(directory, wrapper: wrapper, options: options)
        let end = Threads.nanoseconds + 20_000_000_000
        while Threads.nanoseconds < end {
            if let text = try? String(contentsOfFile: directory.portFile, encoding: .utf8),
                let port = Int(text.trimmingCharacters(in: .whitespacesAndNewlines))
            {
                self.port = port
                return
            }
            if let exit = ServerProcess.poll(pid) {
                throw CrashError.ended(exit, directory.logTail)
            }
            Threads.sleep(milliseconds: 2)
        }
        ServerProcess.kill(pid)
        throw CrashError.failed("the server does not listen after 20 s: \(directory.logTail)")
    }

    deinit { if exit == nil { ServerProcess.kill(pid) } }

    /// False once the process has ended, by itself or not.
    var isRunning: Bool { wait(milliseconds: 1) == nil }

    /// Ends the process at once, as a crash would.
    func kill() {
        guard exit == nil else { return }
        exit = ServerProcess.kill(pid)
    }

    func signal(_ signal: Int32) { _ = Foundation.kill(pid, signal) }

    /// Waits for the process to end by itself; nil if it does not in time.
    func wait(milliseconds: Int) -> Exit? {
        let end = Threads.nanoseconds + UInt64(milliseconds) * 1_000_000
        while exit == nil && Threads.nanoseconds < end {
            exit = ServerProcess.poll(pid)
            if exit == nil { Threads.sleep(milliseconds: 1) }
        }
        return exit
    }

    /// Ends a process, and before it those that it has started: a server must not outlive the tracer that runs it.
    @discardableResult
    static func kill(_ pid: pid_t) -> Exit {
        let children = try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)
        for child in (children ?? "").split(separator: " ").compactMap({ pid_t($0) }) {
            _ = Foundation.kill(child, SIGKILL)
        }
        _ = Foundation.kill(pid, SIGKILL)
        while true {
            if let exit = poll(pid) { return exit }
            Threads.sleep(milliseconds: 1)
        }
    }

    private static func poll(_ pid: pid_t) -> Exit? {
        var status: Int32 = 0
        let waited = unsafe waitpid(pid, &status, WNOHANG)
        if waited == 0 { return nil }
        guard waited == pid else { return .code(-1) }
        let signal = status & 0x7F
        return signal == 0 ? .code((status >> 8) & 0xFF) : .signal(signal)
    }
}
