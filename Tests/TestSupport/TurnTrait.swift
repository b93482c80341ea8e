import Synchronization
package import Testing

/// Lets so few tests run at once that each gets its share of the machine.
package struct TurnTrait: SuiteTrait, TestTrait, TestScoping {
    package var isRecursive: Bool { true }
    let limit: Duration

    package func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await Turns.shared.take()
        defer { Turns.shared.giveBack() }
        // The trait of the library counts the time before a test's turn as well.
        let limit = limit
        try await withoutActuallyEscaping(function) { function in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await function() }
                group.addTask {
                    try? await Task.sleep(for: limit)
                    if !Task.isCancelled { Issue.record("The test took longer than \(limit).") }
                }
                defer { group.cancelAll() }
                try await group.next()
            }
        }
    }
}

extension Trait where Self == TurnTrait {
    /// Tests that start a server and wait for it, by a clock that goes on while others compute: a few at a time.
    package static var inTurns: Self { Self(limit: .seconds(60)) }

    /// The same, for tests that take a while.
    package static func inTurns(limit: Duration) -> Self { Self(limit: limit) }
}

/// Who may run, and who waits for it.
private final class Turns: Sendable {
    static let shared = Turns(count: 4)

    private struct State {
        var free: Int
        var waiting: [Wakening] = []
    }

    private let state: Mutex<State>

    private init(count: Int) { state = Mutex(State(free: count)) }

    /// - Throws: where the task is cancelled before its turn.
    func take() async throws {
        let turn = state.withLock { state -> Wakening? in
            if state.free > 0 {
                state.free -= 1
                return nil
            }
            let turn = Wakening()
            state.waiting.append(turn)
            return turn
        }
        guard let turn else { return }
        await turn.wait()
        guard Task.isCancelled else { return }
        let isTaken = state.withLock { state in
            guard let index = state.waiting.firstIndex(where: { $0 === turn }) else { return true }
            state.waiting.remove(at: index)
            return false
        }
        if isTaken { giveBack() }
        throw CancellationError()
    }

    func giveBack() {
        let next = state.withLock { state -> Wakening? in
            if state.waiting.isEmpty {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.fire()
    }
}
