import DequeModule
import PenstockWire
import Synchronization

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The number of a listener in its session.
struct ListenerID: Hashable, Sendable {
    let rawValue: ObjectIdentifier
}

/// Between a session and whoever reads events: keeps what has come and was not taken yet, within a bound.
///
/// The bound is a credit in bytes: the server sends no more than that before some
/// of it has been taken. What is beyond waits in the server, in its own bound.
final class EventFeed: Sendable {
    typealias Reader = CheckedContinuation<Result<JobEvent?, PenstockError>, Never>

    /// Bytes, as they come in frames, that may wait to be taken.
    static let creditBytes = 256 << 10

    fileprivate struct State {
        var waiting: Deque<(event: JobEvent, bytes: Int)> = []
        var waitingBytes = 0
        /// Bytes that were taken and that the server has not been told of. Below zero where more came than was granted.
        var taken = 0
        /// Counts the connections: credits meant for an earlier one are told apart.
        var generation = 0
        /// The last event that has come, or behind which all come; 0 before the server has said so.
        var known: UInt64
        var readers: Deque<Reader> = []
        var hasEnded = false
        var error: PenstockError?
    }

    private let scope: Listen.Scope
    private let kinds: EventKinds
    private let link: Link
    private let state: Mutex<State>
    /// The server has answered, or never will.
    private let begun = OneShot()

    init(_ scope: Listen.Scope, _ kinds: EventKinds, after sequence: UInt64, _ link: Link) {
        self.scope = scope
        self.kinds = kinds
        self.link = link
        state = Mutex(State(known: sequence))
    }

    var id: ListenerID { ListenerID(rawValue: ObjectIdentifier(self)) }

    // MARK: For the reader

    /// Returns when the server has begun to tell what happens.
    func begin(within timeout: Duration) async throws(PenstockError) {
        link.listen(self)
        link.after(timeout) { self.giveUp() }
        await withTaskCancellationHandler {
            await begun.wait()
        } onCancel: {
            end(.cancelledByTask)
        }
        if let error = state.withLock({ $0.error }) { throw error }
    }

    private func giveUp() {
        if !begun.hasFired { end(.timedOut) }
    }

    /// The next event; nil at the end.
    func next() async throws(PenstockError) -> JobEvent? {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { (reader: Reader) in read(reader) }
        } onCancel: {
            end()
        }
        return try result.get()
    }

    private func read(_ reader: Reader) {
        let (answer, credit) = state.withLock { state -> (Result<JobEvent?, PenstockError>?, Credit?) in
            if let first = state.waiting.popFirst() {
                state.waitingBytes -= first.bytes
                state.taken += first.bytes
                return (.success(first.event), state.takeCredit())
            }
            if state.hasEnded { return (state.end, nil) }
            state.readers.append(reader)
            return (nil, nil)
        }
        grant(credit)
        if let answer { reader.resume(returning: answer) }
    }

    private func grant(_ credit: Credit?) {
        guard let credit else { return }
        link.credit(self, generation: credit.generation, bytes: credit.bytes)
    }

    /// Nobody wants further events.
    func end(_ error: PenstockError? = nil) {
        finish(error)
        link.unlisten(self)
    }

    // MARK: For the session; on its event loop

    /// What is asked for on a connection that stands now, and the number of that connection.
    func greet() -> (message: Listen, generation: Int) {
        state.withLock { state in
            state.generation += 1
            let credit = EventFeed.creditBytes - state.waitingBytes
            state.taken = min(credit, 0)
            let message = Listen(scope, kinds: kinds, since: state.known, creditBytes: UInt32(max(credit, 0)))
            return (message, state.generation)
        }
    }

    /// The server tells what is behind the number from now on.
    func began(after sequence: UInt64) {
        state.withLock { if $0.known == 0 { $0.known = sequence } }
        begun.fire()
    }

    func receive(_ message: Events) {
        if message.lost > 0 { receive(JobEvent(gapTo: message.lost, time: Date()), bytes: 0) }
        for event in message.events { receive(JobEvent(event), bytes: event.byteCount) }
    }

    private func receive(_ event: JobEvent, bytes: Int) {
        let (reader, credit) = state.withLock { state -> (Reader?, Credit?) in
            guard !state.hasEnded else { return (nil, nil) }
            state.known = event.sequence
            guard let reader = state.readers.popFirst() else {
                state.waiting.append((event, bytes))
                state.waitingBytes += bytes
                return (nil, nil)
            }
            state.taken += bytes
            return (reader, state.takeCredit())
        }
        grant(credit)
        reader?.resume(returning: .success(event))
    }

    /// No event will come any more; those that are here can still be taken.
    func finish(_ error: PenstockError?) {
        let (readers, end) = state.withLock { state -> (Deque<Reader>, Result<JobEvent?, PenstockError>) in
            guard !state.hasEnded else { return ([], state.end) }
            state.hasEnded = true
            state.error = error
            if error == nil { state.waiting.removeAll() }
            defer { state.readers.removeAll() }
            return (state.readers, state.end)
        }
        begun.fire()
        for reader in readers { reader.resume(returning: end) }
    }
}

/// Bytes that the server may send more, on the connection with the number.
private struct Credit {
    var bytes: Int
    var generation: Int
}

extension EventFeed.State {
    /// What the server is to be told of: not of every event.
    fileprivate mutating func takeCredit() -> Credit? {
        guard taken >= EventFeed.creditBytes / 4 else { return nil }
        defer { taken = 0 }
        return Credit(bytes: taken, generation: generation)
    }

    /// What a reader gets who comes now that it has ended.
    fileprivate var end: Result<JobEvent?, PenstockError> { error.map { .failure($0) } ?? .success(nil) }
}
