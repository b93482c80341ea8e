import DequeModule
import PenstockWire

/// A client's session, as the loop knows it while somebody is connected to it or it holds leases.
///
/// Leases and sequence numbers belong to it, not to a connection: it outlives them.
final class Session {
    /// Its place in the table: leases, commands and outcomes name it by that.
    let slot: UInt32
    let id: SessionID
    /// Nil while nobody is connected.
    var connection: Connection?
    /// The connection that is to be welcomed as soon as nothing of the session is in flight.
    var welcoming: Connection?
    /// Its row is not durable yet.
    var isOpening: Bool
    /// It said goodbye: it ends when its leases have been given back.
    var isEnding = false

    /// The last number that was accepted, and the last that is durable.
    var accepted: UInt64
    var applied: UInt64
    /// The highest number whose outcome the client has said to have, and the one that was last told to the engine.
    var confirmed: UInt64 = 0
    var confirmedSent: UInt64 = 0
    /// Monotonic milliseconds: when something complete last arrived, and when the engine last heard of that.
    var lastHeard: UInt64
    var lastConfirm: UInt64

    /// Durable frames that are not answered: the last number in each, the bytes that it takes of the add window, and
    /// those that the server keeps for it.
    private var framesInFlight: Deque<(last: UInt64, addBytes: Int, bytes: Int)> = []
    private var addBytesInFlight = 0
    /// Bytes of the durable frames that are not answered.
    private(set) var bytesInFlight = 0
    /// Milliseconds; the shortest lease that it has asked for.
    var lockDurationMin = Limits.lockDurationMillisecondsDefault

    init(slot: UInt32, id: SessionID, isOpening: Bool, applied: UInt64, now: UInt64) {
        self.slot = slot
        self.id = id
        self.isOpening = isOpening
        accepted = applied
        self.applied = applied
        lastHeard = now
        lastConfirm = now
    }

    /// Nothing of it is on its way to the disk.
    var isSettled: Bool { !isOpening && accepted == applied }

    /// Nobody uses it, unless it holds leases.
    var isIdle: Bool { connection == nil && welcoming == nil && isSettled && !isEnding }

    /// Milliseconds between two heartbeats: a third of the shortest lease, at most ten seconds.
    var heartbeat: UInt32 { min(Limits.heartbeatMillisecondsMax, lockDurationMin / 3) }

    /// Takes a durable frame of `count` commands from `first` on, or says why not.
    func accept(first: UInt64, count: Int, addBytes: Int) throws(WireError) {
        guard first == accepted + 1 else {
            throw WireError(.badSequence, "The command has number \(first); the session's next one is \(accepted + 1).")
        }
        guard framesInFlight.count < Limits.framesInFlightMax else {
            throw WireError(
                .tooManyInFlight,
                "More than \(Limits.framesInFlightMax) frames with commands are unanswered."
            )
        }
        guard addBytes == 0 || addBytesInFlight + addBytes <= Limits.addWindowBytes else {
            throw WireError(
                .addWindowExceeded,
                "The unanswered adds have more than the \(Limits.addWindowBytes) bytes of the window."
            )
        }
        accepted += UInt64(count)
        framesInFlight.append((accepted, addBytes, 0))
        addBytesInFlight += addBytes
    }

    /// The frame that was accepted last has so many bytes; one that was not accepted changes nothing.
    func weigh(_ bytes: Int) {
        guard let last = framesInFlight.indices.last, framesInFlight[last].bytes == 0 else { return }
        framesInFlight[last].bytes = bytes
        bytesInFlight += bytes
    }

    /// Commands up to the number are durable.
    func apply(upTo sequence: UInt64) {
        applied = sequence
        while let first = framesInFlight.first, first.last <= sequence {
            addBytesInFlight -= first.addBytes
            bytesInFlight -= first.bytes
            framesInFlight.removeFirst()
        }
    }
}
