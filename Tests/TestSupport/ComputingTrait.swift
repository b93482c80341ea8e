package import Testing

/// Runs tests on ``ComputingThreads``.
package struct ComputingTrait: SuiteTrait, TestTrait, TestScoping {
    package var isRecursive: Bool { true }

    package func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(ComputingThreads.shared) { try await function() }
    }
}

extension Trait where Self == ComputingTrait {
    /// Tests that compute for long, or block: they run beside Swift's pool, so that nobody waits for them.
    package static var computing: Self { Self() }
}
