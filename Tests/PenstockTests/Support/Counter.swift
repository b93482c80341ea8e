import Synchronization
import TestSupport

/// A count that tasks can wait for.
final class Counter: Sendable {
    private struct State {
        var value = 0
        var waiting: [(value: Int, wakening: Wakening)] = []
    }

    private let state = Mutex(State())

    var value: Int { state.withLock { $0.value } }

    func increment(by amount: Int = 1) {
        let ready = state.withLock { state in
            state.value += amount
            let value = state.value
            let ready = state.waiting.filter { $0.value <= value }.map(\.wakening)
            state.waiting.removeAll { $0.value <= value }
            return ready
        }
        for wakening in ready { wakening.fire() }
    }

    /// Returns when the count is `value`, or the test is given up.
    func wait(for value: Int) async {
        let wakening = Wakening()
        let isReached = state.withLock { state in
            if state.value < value { state.waiting.append((value, wakening)) }
            return state.value >= value
        }
        if !isReached { await wakening.wait() }
    }
}
