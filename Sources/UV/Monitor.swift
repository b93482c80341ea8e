import CLibUV

/// A value that threads share: changed under a lock, and waited for.
///
/// Few use it, seldom and briefly: whole batches change hands under one lock,
/// so that nothing is locked for each job.
@safe
public final class Monitor<State>: @unchecked Sendable {  // because `state` is only touched under `mutex`
    @unsafe private let mutex: UnsafeMutablePointer<uv_mutex_t>
    @unsafe private let condition: UnsafeMutablePointer<uv_cond_t>
    private var state: State

    public init(_ state: sending State) {
        unsafe mutex = .allocate(capacity: 1)
        unsafe condition = .allocate(capacity: 1)
        // Both fail only for want of memory, which nothing here survives.
        precondition(unsafe uv_mutex_init(mutex) == 0 && uv_cond_init(condition) == 0)
        self.state = state
    }

    deinit {
        unsafe uv_cond_destroy(condition)
        unsafe uv_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Calls `body` with the state, alone.
    public func withLock<Result>(_ body: (inout State) -> Result) -> Result {
        unsafe uv_mutex_lock(mutex)
        defer { unsafe uv_mutex_unlock(mutex) }
        return body(&state)
    }

    /// Waits until `isReady` says so, then calls `body`, under one lock.
    public func wait<Result>(until isReady: (State) -> Bool, _ body: (inout State) -> Result) -> Result {
        unsafe uv_mutex_lock(mutex)
        defer { unsafe uv_mutex_unlock(mutex) }
        while !isReady(state) { unsafe uv_cond_wait(condition, mutex) }
        return body(&state)
    }

    /// Lets one that waits look again. Call it after the change, outside the lock.
    public func signal() {
        unsafe uv_cond_signal(condition)
    }
}
