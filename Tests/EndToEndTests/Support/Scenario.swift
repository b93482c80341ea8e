import Penstock
import PenstockTesting
import Synchronization
import TestSupport

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
        var waiting: [(count: Int, wakening: Wakening)] = []
    }

    private let state = Mutex(State())

    var entries: [Entry] { state.withLock { $0.entries } }
    var count: Int { state.withLock { $0.entries.count } }

    func add(_ entry: Entry) {
        let ready = state.withLock { state in
            state.entries.append(entry)
            let count = state.entries.count
            let ready = state.waiting.filter { $0.count <= count }.map(\.wakening)
            state.waiting.removeAll { $0.count <= count }
            return ready
        }
        for wakening in ready { wakening.fire() }
    }

    /// Returns when there are `count` entries, or the test is given up.
    func wait(for count: Int) async {
        let wakening = Wakening()
        let isThere = state.withLock { state in
            if state.entries.count >= count { return true }
            state.waiting.append((count, wakening))
            return false
        }
        if !isThere { await wakening.wait() }
    }
}

/// Holds handlers until it is opened, also those that are cancelled: their worker leaves them behind.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func pass() async {
        await withCheckedContinuation { waiter in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(waiter) }
                return state.isOpen
            }
            if isOpen { waiter.resume() }
        }
    }
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
