import Synchronization

/// The result of a handler, on its way out through the middleware.
final class ResultBox: Sendable {
    private let state = Mutex(RawPayload.none)

    var value: RawPayload {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
