import NIOCore
import PenstockWire

// Who listens to events, by their streams on the connection that stands.

extension SessionStateMachine {
    /// A listener is to be told what happens, on this connection.
    mutating func listen(_ id: ListenerID, _ message: Listen, _ output: inout Output) {
        guard phase == .ready else { return }
        listeners[nextStream] = id
        output.frames.append(ByteBuffer(message, correlation: ownCorrelation(), stream: nextStream))
        nextStream += 1
    }

    /// A listener wants nothing more.
    mutating func unlisten(_ id: ListenerID, _ output: inout Output) {
        guard let stream = stream(of: id) else { return }
        listeners[stream] = nil
        guard phase == .ready else { return }
        output.frames.append(ByteBuffer(Unlisten(), correlation: ownCorrelation(), stream: stream))
    }

    /// A listener has taken so many bytes.
    mutating func credit(_ id: ListenerID, bytes: Int, _ output: inout Output) {
        guard phase == .ready, let stream = stream(of: id) else { return }
        output.frames.append(ByteBuffer(Credit(jobs: 0, bytes: UInt32(clamping: bytes)), stream: stream))
    }

    private func stream(of id: ListenerID) -> UInt32? { listeners.first { $0.value == id }?.key }
}
