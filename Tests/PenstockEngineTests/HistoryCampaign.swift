import Glibc
import Synchronization
import Testing

/// Many random histories, each of which its seed decides.
///
/// As many as the test says; `PENSTOCK_HISTORIES` of them where that is set, from `PENSTOCK_FIRST_SEED` on, and
/// `PENSTOCK_WORKERS` at a time; or the one of `PENSTOCK_SEED` alone.
struct HistoryCampaign {
    let name: String
    let seeds: Range<UInt64>
    let workers: Int
    /// So many failures are told; it ends with the last.
    static let failuresMax = 3

    init(_ name: String, _ count: UInt64) {
        self.name = name
        if let seed = HistoryCampaign.number("PENSTOCK_SEED") {
            seeds = seed..<seed + 1
        } else {
            let first = HistoryCampaign.number("PENSTOCK_FIRST_SEED") ?? 1
            seeds = first..<first + (HistoryCampaign.number("PENSTOCK_HISTORIES") ?? count)
        }
        workers = Int(HistoryCampaign.number("PENSTOCK_WORKERS") ?? 1)
    }

    private static func number(_ name: String) -> UInt64? {
        unsafe getenv(name).flatMap { unsafe UInt64(String(cString: $0)) }
    }

    /// Runs the histories; one that throws has failed.
    func run(_ history: @escaping @Sendable (UInt64) throws -> Void) async {
        let progress = Progress(name, first: seeds.lowerBound)
        let seeds = seeds
        await withTaskGroup { group in
            for _ in 0..<workers {
                group.addTask {
                    while let seed = progress.next(of: seeds) {
                        do { try history(seed) } catch {
                            Issue.record("PENSTOCK_SEED=\(seed), \(error)")
                            progress.failures.add(1, ordering: .relaxed)
                        }
                    }
                }
            }
        }
    }

    private final class Progress: Sendable {
        let seed: Atomic<UInt64>
        let failures = Atomic(0)
        private let name: String
        private let start = ContinuousClock.now

        init(_ name: String, first: UInt64) {
            self.name = name
            seed = Atomic(first)
        }

        func next(of seeds: Range<UInt64>) -> UInt64? {
            guard failures.load(ordering: .relaxed) < HistoryCampaign.failuresMax else { return nil }
            let seed = seed.add(1, ordering: .relaxed).oldValue
            let begun = seed - seeds.lowerBound
            if begun > 0 && begun % 1_000 == 0 {
                print("\(name): \(begun) histories in \(ContinuousClock.now - start)")
            }
            return seed < seeds.upperBound ? seed : nil
        }
    }
}
