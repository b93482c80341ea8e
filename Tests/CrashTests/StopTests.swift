import Testing

extension CrashTests {
    @Test func `a stop under load answers all that it took, ends with code 0 in time, and loses nothing`() async throws
    {
        let report = try await Threads.run {
            try CrashRun.run(seed: 5, (0..<5).map { .terminate(after: 60 * $0 + 30) })
        }
        CrashTests.show(report, seed: 5)
        #expect(report.violations.isEmpty)
        #expect(report.rounds == 5)
    }

    @Test func `a kill during a stop loses nothing`() async throws {
        let report = try await Threads.run {
            try CrashRun.run(seed: 6, (0..<10).map { .killInStop(after: 20 * $0 + 30, then: $0 % 5) })
        }
        CrashTests.show(report, seed: 6)
        #expect(report.violations.isEmpty)
        #expect(report.rounds == 10)
    }
}
