import Glibc
import PenstockWire
import TestSupport
import Testing

@testable import PenstockEngine

/// Random histories against the model: some always, `PENSTOCK_HISTORIES` of them where it is set, and the one
/// of `PENSTOCK_SEED` alone. One that goes wrong is told with as few operations as it takes.
@Suite(.computing) struct HistoryTests {
    private static func number(_ name: String) -> UInt64? {
        unsafe getenv(name).flatMap { unsafe UInt64(String(cString: $0)) }
    }

    static var seeds: [UInt64] {
        if let seed = number("PENSTOCK_SEED") { return [seed] }
        let first = number("PENSTOCK_FIRST_SEED") ?? 1
        return Array(first..<first + (number("PENSTOCK_HISTORIES") ?? 12))
    }

    @Test func `random histories agree with the model, and keep every invariant`() throws {
        var batches = 0
        var commands = 0
        var slices = 0
        var refusals: [ErrorCode: Int] = [:]
        var failures = 0
        for seed in HistoryTests.seeds {
            var history = try History(seed: seed)
            do { try history.run(steps: 60) } catch let error as HistoryFailure {
                Issue.record("\(error.shrunk())")
                failures += 1
            }
            batches += history.run.batches
            commands += history.run.commands
            slices += history.run.slices
            refusals.merge(history.run.refusals, uniquingKeysWith: +)
            if failures >= 3 { break }
        }
        let counts = "\(batches) batches, \(slices) slices, \(commands) commands"
        print("\(HistoryTests.seeds.count) histories, \(counts), refused: \(refusals)")
    }
}
