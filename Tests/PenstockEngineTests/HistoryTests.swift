import Glibc
import PenstockWire
import Testing

@testable import PenstockEngine

/// Random histories against the model: some always, `PENSTOCK_HISTORIES` of them where it is set, and the one
/// of `PENSTOCK_SEED` alone.
@Suite struct HistoryTests {
    private static func number(_ name: String) -> UInt64? {
        unsafe getenv(name).flatMap { unsafe UInt64(String(cString: $0)) }
    }

    static var seeds: [UInt64] {
        if let seed = number("PENSTOCK_SEED") { return [seed] }
        return Array(1...(number("PENSTOCK_HISTORIES") ?? 12))
    }

    @Test func `random histories agree with the model, and keep every invariant`() throws {
        var batches = 0
        var commands = 0
        var refusals: [ErrorCode: Int] = [:]
        for seed in HistoryTests.seeds {
            var history = try History(seed: seed)
            do { try history.run(steps: 60) } catch { Issue.record("\(error)") }
            batches += history.batches
            commands += history.commands
            refusals.merge(history.refusals, uniquingKeysWith: +)
        }
        print("\(HistoryTests.seeds.count) histories, \(batches) batches, \(commands) commands, refused: \(refusals)")
    }
}
