import PenstockWire

@testable import PenstockEngine

/// One random history, which its seed decides: what happens, how long it goes on, and how often it is compared.
struct History {
    let seed: UInt64
    let mode: HistoryRun.Mode
    let steps: Int
    /// What happened so far.
    private(set) var operations: [Operation] = []
    private(set) var run: HistoryRun

    init(seed: UInt64) throws {
        self.seed = seed
        mode = HistoryRun.Mode.allCases[Int(seed % 3)]
        var random = SplitMix64(seed: seed ^ 0x5EED)
        // Most of what can go wrong needs few jobs, and a step costs the more the more there are.
        steps =
            switch random.below(16) {
            case 0: 60
            case 1...5: 4 + random.below(24)
            default: 4 + random.below(12)
            }
        run = try HistoryRun(mode, seed: seed, interval: [1, 3, 8][random.below(3)])
    }

    /// Draws the steps and carries them out; then brings everything to its end, if not told otherwise.
    mutating func run(steps: Int? = nil, finishes: Bool = true) throws {
        let steps = steps ?? self.steps
        var draw = HistoryDraw(seed: seed)
        do {
            for _ in 0..<steps {
                try perform(draw.pause(run.scope))
                try perform(draw.commands(run.scope))
            }
            if finishes { try run.finish() }
        } catch {
            throw HistoryFailure(seed: seed, mode: mode, operations: operations, end: run.end, cause: error)
        }
    }

    private mutating func perform(_ drawn: [Operation]) throws {
        for operation in drawn {
            operations.append(operation)
            try run.perform(operation)
        }
    }
}

/// A history that went wrong.
struct HistoryFailure: Error, CustomStringConvertible {
    var seed: UInt64
    var mode: HistoryRun.Mode
    var operations: [Operation]
    /// Where it went wrong behind the operations, when everything was run to its end: what was done last.
    var end: Operation?
    var cause: any Error

    /// The same failure, or another one, with as few operations as dropping some of them comes to.
    ///
    /// Delta debugging: parts are dropped as long as something still goes wrong, large ones first. Everything is
    /// compared after every batch, so that it shows where it begins.
    func shrunk(tries: Int = 2_000) -> HistoryFailure {
        var best = failure(of: operations) ?? self
        var size = best.operations.count / 2
        var left = tries
        while size > 0 && left > 0 {
            var from = 0
            var isShorter = false
            while from < best.operations.count && left > 0 {
                left -= 1
                var kept = best.operations
                kept.removeSubrange(from..<min(from + size, kept.count))
                if let failure = best.failure(of: kept) {
                    (best, isShorter) = (failure, true)
                } else {
                    from += size
                }
            }
            if size > 1 || !isShorter { size /= 2 }
        }
        return best.simplified(tries: left)
    }

    private func simplified(tries: Int) -> HistoryFailure {
        var best = self
        var left = tries
        var index = 0
        while index < best.operations.count {
            let simpler = best.operations[index].simpler.first { operation in
                left -= 1
                guard left > 0 else { return false }
                var changed = best.operations
                changed[index] = operation
                guard let failure = best.failure(of: changed) else { return false }
                best = failure
                return true
            }
            if simpler == nil { index += 1 }
        }
        return best
    }

    /// What goes wrong in the operations, with those up to there.
    private func failure(of operations: [Operation]) -> HistoryFailure? {
        guard let run = try? HistoryRun(mode, seed: seed, interval: 1) else { return nil }
        var failure = self
        failure.operations = []
        do {
            for operation in operations {
                failure.operations.append(operation)
                try run.perform(operation)
            }
            if isAtEnd { try run.finish() }
            return nil
        } catch {
            (failure.cause, failure.end) = (error, run.end)
            return failure
        }
    }

    private var isAtEnd: Bool { end != nil }

    var description: String {
        let list = operations.map { "\n    \($0)" }.joined()
        return "\(mode): \(cause)\(list)" + (end.map { "\n    ..., \($0)" } ?? "")
    }
}
