import PenstockWire
import TestSupport
import Testing

@Suite(.computing) struct BackoffTests {
    @Test func `a fixed backoff waits the same each time`() {
        let backoff = Backoff(kind: .fixed, delay: 1500, maximum: 0, jitter: 0)
        #expect([1, 2, 50].map { backoff.wait(failures: $0, random: 9) } == [1500, 1500, 1500])
    }

    @Test func `an exponential backoff doubles, up to its maximum`() {
        let backoff = Backoff(kind: .exponential, delay: 1000, maximum: 5000, jitter: 0)
        #expect([1, 2, 3, 4, 99].map { backoff.wait(failures: $0, random: 0) } == [1000, 2000, 4000, 5000, 5000])
    }

    @Test func `without a maximum of its own it ends at ten years`() {
        let backoff = Backoff(kind: .exponential, delay: 1, maximum: 0, jitter: 0)
        #expect(backoff.wait(failures: 39, random: 0) == 1 << 38)
        #expect(backoff.wait(failures: 40, random: 0) == Limits.delayMillisecondsMax)
        #expect(backoff.wait(failures: .max, random: 0) == Limits.delayMillisecondsMax)
    }

    @Test func `jitter takes away up to its part`() {
        let backoff = Backoff(kind: .fixed, delay: 10_000, maximum: 0, jitter: 250)
        #expect(backoff.wait(failures: 1, random: 0) == 10_000)
        #expect(backoff.wait(failures: 1, random: .max) == 7500)
        let waits = stride(from: 0, through: 65_535, by: 257).map { backoff.wait(failures: 1, random: UInt16($0)) }
        #expect(waits.allSatisfy { (7500...10_000).contains($0) })
        #expect(waits == waits.sorted(by: >) && Set(waits).count > 200)
    }

    @Test func `no value overflows`() {
        let numbers: [UInt64] = [0, 1, 999, 1000, 65_535, Limits.delayMillisecondsMax, 1 << 63, .max]
        for kind in BackoffKind.allCases {
            for delay in numbers {
                for maximum in numbers {
                    for jitter in [0, 1, 1000, 1001, .max] as [UInt16] {
                        for failures in [Int.min, -1, 0, 1, 2, 41, 42, 64, .max] {
                            for random in [0, 1, .max] as [UInt16] {
                                let backoff = Backoff(kind: kind, delay: delay, maximum: maximum, jitter: jitter)
                                let wait = backoff.wait(failures: failures, random: random)
                                let most = maximum > 0 ? min(maximum, Limits.delayMillisecondsMax) : .max
                                if wait > min(most, Limits.delayMillisecondsMax) { Issue.record("\(backoff): \(wait)") }
                            }
                        }
                    }
                }
            }
        }
    }

    @Test(arguments: 1...500 as ClosedRange<UInt64>)
    func `a wait lies between its bounds`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let backoff = random.options().backoff
        let failures = Int(random.number(UInt16.self))
        let full = Backoff(kind: backoff.kind, delay: backoff.delay, maximum: backoff.maximum, jitter: 0)
            .wait(failures: failures, random: 0)
        let wait = backoff.wait(failures: failures, random: random.number())
        #expect(wait <= full)
        #expect(full - wait <= full / 1000 * UInt64(backoff.jitter) + UInt64(backoff.jitter))
    }
}
