import Foundation

/// A disk of a few MiB, which only the processes that are run inside it see: it goes when this does.
final class SmallDisk {
    private let holder: pid_t
    private let directory: String

    /// Why there can be none here; nil if there can.
    static let withoutMount: String? = {
        let trial = Process()
        trial.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        trial.arguments = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
        trial.standardError = FileHandle.nullDevice
        guard (try? trial.run()) != nil else { return "unshare can't be started" }
        trial.waitUntilExit()
        return trial.terminationStatus == 0 ? nil : "a mount needs root, and a system that allows it"
    }()

    /// - Parameter path: where it is mounted; made if it is not there.
    init(at path: String, megabytes: Int, log: String) throws {
        directory = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let script =
            "mount -t tmpfs -o size=\(megabytes)m,mode=0700 none '\(path)' && touch '\(path)/mounted' && exec sleep 600"
        let arguments = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", script]
        guard let pid = Spawner.shared.start(arguments, log: log) else { throw CrashError.failed("no namespace") }
        holder = pid
        for _ in 0..<2000 {
            if FileManager.default.fileExists(atPath: inside("mounted")) { return }
            Threads.sleep(milliseconds: 1)
        }
        ServerProcess.kill(pid)
        throw CrashError.failed("no disk of its own")
    }

    deinit { ServerProcess.kill(holder) }

    /// The program that runs another one inside.
    var wrapper: [String] { ["nsenter", "--target", "\(holder)", "--mount", "--root"] }

    private func inside(_ name: String) -> String { "/proc/\(holder)/root\(directory)/\(name)" }

    /// Fills the disk until only so many bytes are free, or as many as fit.
    func fill(leaving free: Int) throws {
        let file = unsafe open(inside("filler"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw CrashError.failed("no filler: errno \(errno)") }
        defer { close(file) }
        let page = [UInt8](repeating: 1, count: 4096)
        while freeBytes > free {
            let written = unsafe page.withUnsafeBytes { unsafe write(file, $0.baseAddress!, $0.count) }
            if written < page.count { return }
        }
    }

    func makeRoom() throws { try FileManager.default.removeItem(atPath: inside("filler")) }

    var freeBytes: Int {
        var status = statvfs()
        guard unsafe statvfs(inside("mounted"), &status) == 0 else { return 0 }
        return Int(status.f_bavail) * Int(status.f_frsize)
    }
}
