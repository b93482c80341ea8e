import Foundation

/// What ends the server in a round.
enum Nemesis: Sendable, CustomStringConvertible {
    /// SIGKILL after so many milliseconds of load.
    case kill(after: Int)
    /// SIGKILL so many milliseconds after the start, whatever the server does by then.
    case killAtStart(after: Int)
    /// SIGTERM under load: the server has to end by itself, with code 0, within 10 s.
    case terminate(after: Int)
    /// SIGTERM under load, and SIGKILL so many milliseconds later.
    case killInStop(after: Int, then: Int)
    /// SIGKILL, and the disk forgets all that was written since the server's start: what must not pass.
    case killAndForget(after: Int)
    /// The system call of this name, the `when`-th of its thread, kills the server or fails with an error.
    case systemCall(String, fault: String, when: Int)

    /// One of the kills, drawn.
    static func kill(_ random: inout SplitMix) -> Nemesis {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<8: .killAtStart(after: Int.random(in: 0...60, using: &random))
        case 8..<12: .kill(after: Int.random(in: 600...1200, using: &random))
        default: .kill(after: Int.random(in: 5...350, using: &random))
        }
    }

    var description: String {
        switch self {
        case .kill(let after): "kill after \(after) ms"
        case .killAtStart(let after): "kill \(after) ms after the start"
        case .terminate(let after): "stop after \(after) ms"
        case .killInStop(let after, let then): "stop after \(after) ms, kill \(then) ms later"
        case .killAndForget(let after): "kill after \(after) ms, and lose what was written"
        case .systemCall(let name, let fault, let when): "\(fault) at \(name) number \(when)"
        }
    }

    /// Why faults at system calls can't be had here; nil if they can.
    static let withoutStrace: String? =
        FileManager.default.isExecutableFile(atPath: "/usr/bin/strace") ? nil : "strace is not installed"

    /// After it adds may be refused.
    var fillsDisk: Bool {
        if case .systemCall(_, let fault, _) = self { fault.contains("ENOSPC") } else { false }
    }

    /// The program that the server is run by.
    var wrapper: [String] {
        guard case .systemCall(let name, let fault, let when) = self else { return [] }
        return [
            "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(name)", "-e", "signal=none",
            "-e", "inject=\(name):\(fault):when=\(when)",
        ]
    }
}
