internal import BenchSupport
internal import PenstockWire

/// The client's side of a session: the numbers of its durable commands, and which frames are unanswered.
///
/// A frame takes a run of numbers. Outcomes come in the order of the numbers, so the frames end first in, first out:
///
///     confirmed        frames in flight              next
///     ... 7 |  8 ... 11  |  12 ... 4107  |  4108  |  4109
///
/// Invariant: every number up to `confirmed` has its outcome; `confirmed < next`.
struct SessionNumbers {
    private struct Frame: BitwiseCopyable {
        /// Its last number.
        var last: UInt64
        /// Of an ADD; 0 of any other.
        var addBytes: Int
        var sentAt: UInt64
    }

    private var frames = Ring<Frame>(empty: Frame(last: 0, addBytes: 0, sentAt: 0))
    private let framesInFlightMax: Int
    private let addWindowBytes: Int

    /// The number of the next command.
    private(set) var next: UInt64
    /// The last number whose outcome is here, as all before it are.
    private(set) var confirmed: UInt64
    private(set) var addBytesInFlight = 0
    /// From sending an ADD frame to its last outcome, in nanoseconds.
    var addLatency = Histogram()

    /// - Parameter lastApplied: the server's, from its welcome: 0 of a session that has just begun.
    init(lastApplied: UInt64 = 0, framesInFlightMax: Int, addWindowBytes: Int) {
        next = lastApplied + 1
        confirmed = lastApplied
        self.framesInFlightMax = framesInFlightMax
        self.addWindowBytes = addWindowBytes
    }

    var framesInFlight: Int { frames.count }
    var commandsInFlight: UInt64 { next - 1 - confirmed }

    /// Whether the limits let a further frame go; `addBytes` is the length of an ADD, 0 for another.
    func hasRoom(addBytes: Int = 0) -> Bool {
        frames.count < framesInFlightMax && addBytesInFlight + addBytes <= addWindowBytes
    }

    /// Takes numbers for the commands of one frame.
    ///
    /// - Returns: the first of them.
    mutating func take(_ count: Int, addBytes: Int = 0, at now: UInt64) -> UInt64 {
        precondition(count > 0 && hasRoom(addBytes: addBytes), "a frame beyond the session's limits")
        let first = next
        next += UInt64(count)
        addBytesInFlight += addBytes
        frames.append(Frame(last: next - 1, addBytes: addBytes, sentAt: now))
        return first
    }

    /// Notes that `count` commands from `first` on have their outcomes.
    ///
    /// - Throws: `badSequence` for numbers that are not the next ones in flight.
    mutating func acknowledge(first: UInt64, count: UInt64, at now: UInt64) throws(WireError) {
        guard first == confirmed + 1, count > 0, count <= commandsInFlight else {
            throw WireError(
                .badSequence,
                "Outcomes of \(count) commands from \(first) on; \(confirmed + 1)..<\(next) are in flight."
            )
        }
        confirmed += count
        while let frame = frames.first, frame.last <= confirmed {
            frames.removeFirst()
            if frame.addBytes > 0 {
                addBytesInFlight -= frame.addBytes
                addLatency.record(now - frame.sentAt)
            }
        }
    }
}
