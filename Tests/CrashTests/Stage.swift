import Synchronization

/// What the clients of a run should do now, told by the one who directs it.
final class Stage: Sendable {
    enum Phase: Sendable {
        /// Send commands, take and hold jobs.
        case load
        /// Begin nothing new, and wait for the outcomes of all that was sent.
        case settle
        /// Add nothing; the workers work off what is there.
        case drain
        /// Do nothing at all, so that somebody may look at the client.
        case rest
        case stop
    }

    private struct State {
        var phase = Phase.settle
        var port: Int?
        /// Counts the changes of phase and port, so that nobody settles for an old one.
        var round = 0
        var settled: Set<Int> = []
        var largeEffects = 0
    }

    private let state = Mutex(State())

    var phase: Phase { state.withLock { $0.phase } }
    var round: Int { state.withLock { $0.round } }
    /// The server's port, while it is there.
    var port: Int? { state.withLock { $0.port } }

    /// Commands sent so far that reach very many jobs.
    var largeEffects: Int { state.withLock { $0.largeEffects } }

    func startedLargeEffect() { state.withLock { $0.largeEffects += 1 } }

    func set(_ phase: Phase, port: Int?) {
        state.withLock {
            $0.phase = phase
            $0.port = port
            $0.round += 1
            $0.settled = []
        }
    }

    /// A client has no open command any more, in the round that it has seen.
    func settled(_ client: Int, round: Int) {
        state.withLock { if $0.round == round { $0.settled.insert(client) } }
    }

    /// Waits as long as `isServed` says that there is a server to wait for.
    func waitUntilSettled(clients: Int, milliseconds: Int, while isServed: () -> Bool) -> Bool {
        let end = Threads.nanoseconds + UInt64(milliseconds) * 1_000_000
        while Threads.nanoseconds < end && isServed() {
            if state.withLock({ $0.settled.count }) == clients { return true }
            Threads.sleep(milliseconds: 1)
        }
        return false
    }
}
