import Penstock
import PenstockTesting
import Synchronization

/// Runs a body with a server and a client of it.
func withPenstock(_ body: (TestServer, PenstockClient) async throws -> Void) async throws {
    try await withTestServer { server in
        try await PenstockClient.withClient(server.address) { client in try await body(server, client) }
    }
}

/// Runs workers for the time of a body, then shuts them down in good order.
func running(_ workers: Worker..., body: () async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for worker in workers { group.addTask { try await worker.run() } }
        do {
            try await body()
        } catch {
            for worker in workers { worker.shutDown() }
            throw error
        }
        for worker in workers { worker.shutDown() }
        try await group.waitForAll()
    }
}

/// What happened, in order; somebody can wait until so much has happened.
final class Record<Entry: Sendable>: Sendable {
    private struct State {
        var entries: [Entry] = []
        var waiters: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var entries: [Entry] { state.withLock { $0.entries } }
    var count: Int { state.withLock { $0.entries.count } }

    func add(_ entry: Entry) {
        let ready = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.entries.append(entry)
            let count = state.entries.count
            let ready = state.waiters.filter { $0.count <= count }.map(\.continuation)
            state.waiters.removeAll { $0.count <= count }
            return ready
        }
        for continuation in ready { continuation.resume() }
    }

    /// Returns when there are `count` entries.
    func wait(for count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.entries.count >= count { return true }
                state.waiters.append((count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }
}

/// Holds handlers until it is opened.
final class Gate: Sendable {
    private let opened = Record<Void>()
    func open() { opened.add(()) }
    func pass() async { await opened.wait(for: 1) }
}

/// Asks until the answer is yes, for what has no event: so often that it takes ten seconds at least.
func eventually(_ isTrue: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<5000 {
        if try await isTrue() { return true }
        try await Task.sleep(for: .milliseconds(2))
    }
    return false
}

struct Broken: Error, CustomStringConvertible {
    let description: String
    init(_ description: String = "broken") { self.description = description }
}

/// The code of the error that `body` throws; nil if it throws none, or another.
func code<Value>(_ body: () async throws -> Value) async -> PenstockError.Code? {
    do {
        _ = try await body()
        return nil
    } catch {
        return (error as? PenstockError)?.code
    }
}
