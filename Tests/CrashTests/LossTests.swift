import Testing

extension CrashTests {
    /// The negative control: a disk that forgets what was flushed, as one does that a server with `--durability none`
    /// has never asked to flush, when the machine loses its power.
    @Test func `a server that lost what it had acknowledged is found out`() async throws {
        let report = try await Threads.run {
            try CrashRun.run(seed: 10, [.kill(after: 100), .killAndForget(after: 200), .kill(after: 50)])
        }
        #expect(report.rounds == 3)
        #expect(report.violations.contains { $0.contains("is not there") })
    }
}
