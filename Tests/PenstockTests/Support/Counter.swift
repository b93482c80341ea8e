import Synchronization

/// A count that tasks can wait for.
final class Counter: Sendable {
    private struct State {
        var value = 0
        var waiters: [(Int, CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var value: Int { state.withLock { $0.value } }

    func increment(by amount: Int = 1) {
        let ready = state.withLock { state in
            state.value += amount
            let value = state.value
            let ready = state.waiters.filter { $0.0 <= value }
            state.waiters.removeAll { $0.0 <= value }
            return ready
        }
        for (_, waiter) in ready { waiter.resume() }
    }

    func wait(for value: Int) async {
        await withCheckedContinuation { waiter in
            let isReached = state.withLock { state in
                if state.value < value { state.waiters.append((value, waiter)) }
                return state.value >= value
            }
            if isReached { waiter.resume() }
        }
    }
}
