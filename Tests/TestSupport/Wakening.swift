import Synchronization

/// What one task waits for: until somebody fires it, or the task is cancelled.
package final class Wakening: Sendable {
    private struct State {
        var hasFired = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    package init() {}

    package func fire() {
        let waiter = state.withLock { state in
            state.hasFired = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// Called once.
    package func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { waiter in
                let hasFired = state.withLock { state in
                    if !state.hasFired { state.waiter = waiter }
                    return state.hasFired
                }
                if hasFired { waiter.resume() }
            }
        } onCancel: {
            fire()
        }
    }
}
