import PenstockTesting
import UV

/// Runs a body that blocks on a thread of its own.
func onThread(_ body: @escaping @Sendable () throws -> Void) async throws {
    let thread = Box<OSThread?>(nil)
    let result: Result<Void, any Error> = await withCheckedContinuation { continuation in
        do {
            thread.value = try OSThread { continuation.resume(returning: Result(catching: body)) }
        } catch {
            continuation.resume(returning: .failure(error))
        }
    }
    thread.value?.join()
    try result.get()
}

/// Runs a body that blocks, on a thread of its own, with a server.
func withWireServer(_ body: @escaping @Sendable (TestServer) throws -> Void) async throws {
    try await onThread {
        let server = try TestServer()
        defer { server.stop() }
        try body(server)
    }
}

private final class Box<Value>: @unchecked Sendable {  // because it is written before it is read, on one task
    var value: Value
    init(_ value: Value) { self.value = value }
}

extension TestServer {
    func wireClient() throws -> WireClient { try WireClient(port: port) }

    /// A client that has opened a session.
    func openClient(lockDuration: UInt32 = 0) throws -> WireClient {
        let client = try WireClient(port: port)
        try client.open(lockDuration: lockDuration)
        return client
    }
}
