import Testing

extension CrashTests {
    /// With a bound so small that what reaches a thousand jobs is carried out in slices.
    @Test func `every command about flows is there whole after a kill, or not at all`() async throws {
        try await Self.commands(rounds: CrashTests.rounds / 2, steps: 1000)
    }

    /// With the bound that the server has by itself.
    @Test func `a large effect goes on after a kill until all of it is there`() async throws {
        try await Self.commands(rounds: max(4, CrashTests.rounds / 20), steps: nil)
    }

    /// The negative control, as that of adds and completions.
    @Test func `a server that lost commands about flows is found out`() async throws {
        let report = try await Threads.run {
            try CommandRun.run(
                seed: 10,
                steps: 1000,
                [.kill(after: 101), .killAndForget(after: 301), .kill(after: 51)]
            )
        }
        #expect(report.rounds == 3)
        #expect(report.violations.contains { $0.hasPrefix("round 3: flow ") })
    }

    private static func commands(rounds: Int, steps: Int?) async throws {
        var seed = CrashTests.seed
        var left = rounds
        while left > 0 {
            let count = min(left, CrashTests.roundsPerRun)
            let report = try await Threads.run { [seed] in
                var random = SplitMix(seed: seed ^ 0xC0FFEE)
                let rounds = (0..<count).map { _ in nemesis(isLong: steps == nil, &random) }
                return try CommandRun.run(seed: seed, steps: steps, rounds)
            }
            print(
                "crash: commands, seed \(seed): \(report.rounds) rounds, \(report.flows) flows, \(report.commands) commands, \(report.applied) unanswered ones had been applied and \(report.unapplied) had not, \(report.cut) large effects were cut, \(report.milliseconds) ms"
            )
            for violation in report.violations { print("crash: commands, seed \(seed): \(violation)") }
            #expect(report.violations.isEmpty)
            if !report.violations.isEmpty { return }
            left -= count
            seed += 1
        }
    }

    /// What is large takes a while: it is to be cut at any place.
    private static func nemesis(isLong: Bool, _ random: inout SplitMix) -> Nemesis {
        let after = Int.random(in: isLong ? 10...1000 : 5...150, using: &random)
        return switch Int.random(in: 0..<100, using: &random) {
        case 0..<10: .terminate(after: after)
        case 10..<20: .killInStop(after: after, then: Int.random(in: 0...20, using: &random))
        case 20..<30 where Nemesis.withoutStrace == nil:
            .systemCall(
                ["fdatasync", "pwrite64", "write"].randomElement(using: &random) ?? "fdatasync",
                fault: "signal=KILL",
                when: Int.random(in: 5...150, using: &random)
            )
        case 30..<60: .kill(after: after)
        default: .kill(&random)
        }
    }
}
