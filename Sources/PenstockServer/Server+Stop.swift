import Logging
import PenstockWire
import UV

/// A clean stop: nothing that was taken is lost, nothing new is taken.
extension Server {
    /// Begins to stop: what has arrived is made durable and answered, leases are written, then the loop ends.
    ///
    /// On the loop's thread. A second call ends the loop at once, which is what a crash would do: nothing
    /// acknowledged is lost by it.
    package func stop() {
        guard case .no = stopping else { return loop.stop() }
        logger.info("stopping")
        stopping = .draining(deadline: clock.monotonic + configuration.stopMilliseconds)
        closeListeners()
        for connection in connections {
            guard let connection, connection.state != .closing else { continue }
            // What is not read now is sent again when the session resumes.
            connection.stream.stopReading()
            connection.send(Goodbye())
        }
        var slots: [UInt32] = []
        dispatcher.leases.unwritten(grantedUpTo: .max, into: &slots)
        for slot in slots { writeLease(slot) }
    }

    /// Goes on with the stop as far as it is possible now.
    func stopIfDrained(now: UInt64) {
        switch stopping {
        case .no: return
        case .draining(let deadline):
            guard commandsInFlight == 0 || now >= deadline else { return }
            stopping = .flushing(deadline: deadline)
            for connection in connections {
                guard let connection else { continue }
                if connection.state == .closing {
                    connection.stream.close()
                } else {
                    connection.closeAfterFlush(timeoutMilliseconds: 1000)
                }
            }
            if connectionCount == 0 { loop.stop() }
        case .flushing(let deadline):
            if connectionCount == 0 || now >= deadline { loop.stop() }
        }
    }
}

extension Server {
    /// Lets SIGTERM and SIGINT stop the server: the first one cleanly, a second one at once.
    package func stopOnSignals() throws(ServerError) {
        do throws(UVError) {
            for signal in [Server.interrupt, Server.terminate] {
                signals.append(try Signal(on: loop, signal: signal) { [unowned self] in stop() })
            }
        } catch {
            throw .system(error)
        }
    }

    private static let interrupt: Int32 = 2
    private static let terminate: Int32 = 15
}
