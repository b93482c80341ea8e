import PenstockWire
import Synchronization
import TestSupport
import Testing

@testable import PenstockEngine

/// Random histories against the model. One that goes wrong is told with as few operations as it takes.
@Suite(.computing) struct HistoryTests {
    @Test func `random histories agree with the model, and keep every invariant`() async {
        let campaign = HistoryCampaign("against the model", 100)
        let tally = Mutex(Tally())
        await campaign.run { seed in
            var history = try History(seed: seed)
            do { try history.run() } catch let error as HistoryFailure { throw error.shrunk() }
            let counts = history.run.tally
            tally.withLock { $0.add(counts) }
        }
        print(tally.withLock { $0 })
    }
}

/// What histories came to.
struct Tally: CustomStringConvertible {
    var histories = 0
    var batches = 0
    var slices = 0
    var commands = 0
    var refusals: [ErrorCode: Int] = [:]

    mutating func add(_ other: Tally) {
        histories += other.histories
        batches += other.batches
        slices += other.slices
        commands += other.commands
        refusals.merge(other.refusals, uniquingKeysWith: +)
    }

    var description: String {
        let refused = refusals.sorted { $0.value > $1.value }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
        return "\(histories) histories, \(batches) batches, \(slices) slices, \(commands) commands; refused: \(refused)"
    }
}
