import Synchronization
import UV

/// What other threads may ask of a running server.
package final class ServerControl: Sendable {
    enum Request: UInt8 {
        case none = 0
        case stop = 1
        case abandon = 2
    }

    private let request = Atomic<UInt8>(Request.none.rawValue)
    private let wake: Async

    init(wake: Async) { self.wake = wake }

    /// Asks for a clean stop: see `Server.stop()`.
    package func stop() { ask(.stop) }

    /// Asks the server to end at once, as if it had crashed: what is not durable is lost, and nobody is told.
    package func abandon() { ask(.abandon) }

    /// Lets the loop look at its clocks again, after a test has moved one.
    package func lookAtClock() { wake.send() }

    private func ask(_ wanted: Request) {
        request.store(wanted.rawValue, ordering: .releasing)
        wake.send()
    }

    func takeRequest() -> Request {
        Request(rawValue: request.exchange(Request.none.rawValue, ordering: .acquiring)) ?? .none
    }
}
