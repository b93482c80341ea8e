internal import BenchSupport
internal import Foundation

/// One line on standard error that says how far a benchmark is: overwritten on a terminal, a line for each step elsewhere.
struct Progress {
    let benchmark: String
    let runs: Int

    private static let isTerminal = isatty(STDERR_FILENO) == 1

    /// A new step.
    func step(_ what: String, run: Int? = nil) {
        let place = run.map { ", run \($0 + 1) of \(runs)" } ?? ""
        Self.write(Self.isTerminal ? "\r\u{1B}[K\(benchmark): \(what)\(place)" : "\(benchmark): \(what)\(place)\n")
    }

    /// How far the step is; on a terminal only.
    func show(_ state: ClientState) {
        guard Self.isTerminal else { return }
        let done = Figure.count(Double(state.acknowledged))
        let held = Figure.count(Double(state.held))
        Self.write("\r\u{1B}[K\(benchmark): \(done) acknowledged, \(held) held")
    }

    /// Ends the line.
    func end() {
        if Self.isTerminal { Self.write("\r\u{1B}[K") }
    }

    private static func write(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
    }
}
