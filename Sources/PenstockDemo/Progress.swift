import Foundation
import Penstock

/// A line in the terminal that follows a flow until it has finished.
enum Progress {
    static func show(_ flow: FlowHandle) async throws {
        let isTerminal = isatty(1) != 0
        try await withThrowingTaskGroup(of: FlowSummary?.self) { group in
            group.addTask { try await flow.wait() }
            group.addTask {
                while !Task.isCancelled {
                    let status = try await flow.status()
                    if isTerminal {
                        print("\r\(line(status))", terminator: "")
                        fflush(nil)
                    } else {
                        print(line(status))
                    }
                    try await Task.sleep(for: .milliseconds(isTerminal ? 50 : 250))
                }
                return nil
            }
            while let finished = try await group.next() {
                guard let finished else { continue }
                print((isTerminal ? "\r" : "") + line(finished) + "\n")
                group.cancelAll()
                return
            }
        }
    }

    private static func line(_ status: FlowSummary) -> String {
        let width = 30
        let done = Int((status.progress * Double(width)).rounded())
        let bar = String(repeating: "#", count: done) + String(repeating: ".", count: width - done)
        let counts = status.counts
        return "progress   [\(bar)] \(Int(status.progress * 100)) %  \(status.status.rawValue): "
            + "\(counts.active) active, \(counts.waiting) waiting, \(counts.waitingChildren) blocked, "
            + "\(counts.completed) completed, \(counts.failed) failed   "
    }
}
