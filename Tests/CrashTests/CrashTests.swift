import Foundation
import Testing

/// A real server, real clients, and SIGKILL.
///
/// Fifty rounds are run by `swift test`. A campaign is as many as one likes, in runs of 25 rounds with a directory and
/// a seed each:
///
///     PENSTOCK_CRASH_ROUNDS=10000 swift test --filter CrashTests
///
/// Adds, completions and failures are compared through the whole history of a run; commands about flows by operators,
/// each of whom knows what its own flows must be.
///
/// A failure names its seed; `PENSTOCK_SEED` makes the same choices again, though the machine may interleave them
/// otherwise.
///
/// The ledger is what gives the test its teeth: `CheckerTests` shows that each rule is broken by a ledger that tells
/// of something that did not happen. A kill leaves the page cache as it is, so that a server with
/// `--durability none` would pass too: what it loses, it loses with the machine. What differs can be seen from outside:
/// `SystemCallTests` shows that this server flushes before it answers, and that one does not.
@Suite(.serialized) struct CrashTests {
    static let roundsPerRun = 25
    private static let environment = ProcessInfo.processInfo.environment
    /// How many, and from which seed on.
    static let rounds = environment["PENSTOCK_CRASH_ROUNDS"].flatMap { Int($0) } ?? 50
    static let seed = environment["PENSTOCK_SEED"].flatMap { UInt64($0) } ?? .random(in: 0..<1_000_000)

    @Test func `nothing acknowledged is lost and nothing is half there, whenever the server is killed`() async throws {
        var left = CrashTests.rounds
        var runSeed = CrashTests.seed
        while left > 0 {
            let count = min(left, CrashTests.roundsPerRun)
            let report = try await Threads.run { [runSeed] in
                var random = SplitMix(seed: runSeed ^ 0xC0FFEE)
                return try CrashRun.run(seed: runSeed, (0..<count).map { _ in Nemesis.kill(&random) })
            }
            CrashTests.show(report, seed: runSeed)
            #expect(report.violations.isEmpty)
            if !report.violations.isEmpty { return }
            left -= count
            runSeed += 1
        }
    }

    static func show(_ report: CrashRun.Report, seed: UInt64) {
        print(
            "crash: seed \(seed): \(report.rounds) rounds, \(report.jobs) jobs, \(report.accepted) of \(report.commands) commands accepted, \(report.fenced) fenced, \(report.full) refused as full, \(report.sightings) jobs of unanswered adds seen, \(report.untouched) faults not reached, \(report.milliseconds) ms"
        )
        for violation in report.violations { print("crash: seed \(seed): \(violation)") }
    }
}
