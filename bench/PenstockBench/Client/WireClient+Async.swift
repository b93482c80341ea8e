internal import Dispatch
internal import Synchronization

extension WireClient {
    /// Runs asynchronous work, and keeps this connection alive meanwhile with heartbeats.
    func whileBusyElsewhere<Result: Sendable>(
        _ work: @escaping @Sendable () async throws -> Result
    ) throws -> Result {
        let outcome = Outcome<Result>()
        Task { await outcome.set { try await work() } }
        try run(patiently: true) { outcome.isThere }
        return try outcome.get()
    }
}

/// What asynchronous work came to.
private final class Outcome<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)

    func set(_ work: () async throws -> Value) async {
        let outcome: Result<Value, any Error>
        do {
            outcome = .success(try await work())
        } catch {
            outcome = .failure(error)
        }
        result.withLock { $0 = outcome }
    }

    var isThere: Bool { result.withLock { $0 != nil } }

    func get() throws -> Value {
        guard let result = result.withLock({ $0 }) else { preconditionFailure("asked for too early") }
        return try result.get()
    }
}
