import DequeModule
import NIOCore
import PenstockWire

/// What a session does about each thing that happens to it: pure decisions, no I/O, no clock.
///
///     offline --connected--> greeting --welcome (opened)---------------------> ready
///        ^                      |  ^---- sessionUnknown: a new session           ^
///        |                      '--welcome (resumed)--> holding --held-----------'
///        '---- disconnected, from any of them
///
/// Durable frames stand in `log` in the order in which they were given: first
/// those sent and not answered whole, then those not sent. Reads stand in
/// `reads` until they are answered and are sent again on the next connection:
/// they change nothing. `Context` is whoever waits for an answer.
struct SessionStateMachine<Context> {
    typealias Failure = PenstockError

    enum Phase: Equatable {
        case offline
        case greeting
        /// Resumed; the answer to HOLD is awaited, and nothing else may be sent before it.
        case holding
        case ready
        /// Nothing is taken any more.
        case ended
    }

    enum Event {
        case answered(Context, Result<[UInt8], PenstockError>)
        /// The completion of a lease was refused.
        case discarded(LeaseToken, PenstockError)
        /// The server knows this session no longer: whatever it held is lost.
        case sessionLost
        /// The worker's leases have run out, as far as the client can know.
        case overdue(WorkerID)
        /// Leases listed in HOLD that are dead.
        case fenced([LeaseToken])
        /// A connection stands: how many frames are sent again.
        case established(resumed: Bool, repeated: Int)
        /// The connection is of no use any more.
        case close(PenstockError)
        /// The server has seen the session off.
        case ended
    }

    /// What is to be done, in order: the frames, then the events.
    struct Output {
        var frames: [ByteBuffer] = []
        var events: [Event] = []
        var isEmpty: Bool { frames.isEmpty && events.isEmpty }
    }

    struct Read {
        var frame: ByteBuffer
        var context: Context
        var deadline: NIODeadline
        /// True for WAIT, whose timeout is what is left until the deadline.
        var isWait: Bool
        /// False for what means nothing on another connection.
        var survives: Bool
        /// The stream that has ended when this is answered.
        var endingStream: UInt32?
    }

    var phase = Phase.offline
    let client: String
    var session: SessionID
    /// True once the server has welcomed this session.
    var isOpened = false
    var frameLimit = Limits.framesInFlightMax
    var addWindow = Limits.addWindowBytes
    var heartbeatInterval = TimeAmount.milliseconds(Int64(Limits.heartbeatMillisecondsMax))

    var log: Deque<DurableFrame<Context>> = []
    /// Frames of the log that have a number: its first ones.
    var sentCount = 0
    var framesInFlight = 0
    var addBytesInFlight = 0
    var nextSequence: UInt64 = 1
    var outcomes = SequenceSet()
    /// What the server had applied when the session was resumed.
    var lastApplied: UInt64 = 0
    var reads: [UInt32: Read] = [:]
    /// Frames of completions and failures that were given so far.
    var completionCount: UInt64 = 0
    var barriers: [Barrier] = []
    /// The end came before the outcomes of some of them.
    var hasDroppedCompletions = false
    var subscriptions: [WorkerID: Subscription] = [:]
    var nextStream: UInt32 = 1
    /// Starts of reserved jobs that the server has not been told of, as no connection stands.
    var untoldStarts: [Started.Lease] = []
    /// Listeners by their streams on the connection that stands.
    var listeners: [UInt32: ListenerID] = [:]
    /// Streams whose end has been asked for and has not been answered: deliveries may still be under way.
    var endingStreams: [UInt32: WorkerID] = [:]
    /// Leases given back while HOLD, which lists them, is under way.
    var releasedInHold: [[LeaseToken]] = []
    /// Milliseconds that the leases of each worker last, from its beginning until it is forgotten.
    var leaseTimes: [WorkerID: Int64] = [:]
    /// Workers whose leases have run out since the connection was lost.
    var overdue: Set<WorkerID> = []
    /// The last heartbeat on this connection; its beginning counts as one.
    var lastHeartbeat = NIODeadline.uptimeNanoseconds(0)
    /// The last sign of life on this connection, its beginning included.
    var lastReceived = NIODeadline.uptimeNanoseconds(0)
    /// The last sign of life from the server at all.
    var lastHeard = NIODeadline.uptimeNanoseconds(0)
    /// Correlations of requests whose answers nobody waits for; those of the client have the top bit clear.
    var nextOwnCorrelation: UInt32 = 0
    var isLeaving = false
    var hasSaidGoodbye = false

    init(client: String, session: SessionID) {
        self.client = client
        self.session = session
    }

    /// Outcomes up to this number have arrived: the server may forget them.
    var confirmed: UInt64 { outcomes.through }

    /// True where nobody waits for an answer.
    var isIdle: Bool { reads.isEmpty && barriers.isEmpty && log.allSatisfy { $0.context == nil } }

    mutating func ownCorrelation() -> UInt32 {
        nextOwnCorrelation = (nextOwnCorrelation + 1) & 0x7FFF_FFFF
        return nextOwnCorrelation | 0x8000_0000
    }

    // MARK: Requests

    /// A command with an outcome. A client that is leaving takes none but those of its workers' leases.
    mutating func command(_ frame: DurableFrame<Context>, _ output: inout Output) {
        guard phase != .ended, !isLeaving || (frame.needsLease && !hasSaidGoodbye) else {
            if let context = frame.context { output.events.append(.answered(context, .failure(.shutDown))) }
            return
        }
        log.append(frame)
        pump(&output)
    }

    /// Completions are taken as long as there is a connection to send them on, also from a client that is leaving.
    mutating func complete(_ frame: DurableFrame<Context>, _ output: inout Output) {
        guard phase != .ended else {
            hasDroppedCompletions = true
            return
        }
        completionCount += 1
        var frame = frame
        frame.completion = completionCount
        log.append(frame)
        pump(&output)
    }

    mutating func read(_ id: UInt32, _ read: Read, now: NIODeadline, _ output: inout Output) {
        guard phase != .ended else {
            output.events.append(.answered(read.context, .failure(.shutDown)))
            return
        }
        if phase != .ready && !read.survives {
            output.events.append(.answered(read.context, .failure(.connectionLost)))
            return
        }
        reads[id] = read
        if phase == .ready { send(read, now: now, &output) }
    }

    /// Who waits for a request gives up: what was not sent never is.
    mutating func cancel(_ id: UInt32, _ error: PenstockError, _ output: inout Output) {
        if let read = reads.removeValue(forKey: id) {
            output.events.append(.answered(read.context, .failure(error)))
        } else if hurryBarrier(id, &output) {
            return
        } else if let index = log.firstIndex(where: { $0.request == id }), let context = log[index].context {
            if log[index].isSent { log[index].context = nil } else { log.remove(at: index) }
            output.events.append(.answered(context, .failure(error)))
        }
    }

    func send(_ read: Read, now: NIODeadline, _ output: inout Output) {
        var frame = read.frame
        if read.isWait {
            let left = (read.deadline - now).nanoseconds / 1_000_000
            let milliseconds = UInt32(clamping: min(max(left, 1), Int64(Limits.waitMillisecondsMax)))
            frame.setInteger(milliseconds, at: frame.writerIndex - 4, endianness: .little)
        }
        output.frames.append(frame)
    }

    /// Sends the frames that the window has room for.
    mutating func pump(_ output: inout Output) {
        guard phase == .ready else { return }
        while sentCount < log.count {
            let size = log[sentCount].windowBytes
            guard framesInFlight < frameLimit,
                size == 0 || addBytesInFlight == 0 || addBytesInFlight + size <= addWindow
            else { return }
            log[sentCount].number(from: nextSequence)
            nextSequence += UInt64(log[sentCount].count)
            framesInFlight += 1
            addBytesInFlight += size
            output.frames.append(log[sentCount].bytes)
            sentCount += 1
        }
        sayGoodbyeWhenDone(&output)
    }

    // MARK: Outcomes

    mutating func applied(_ message: Applied, _ output: inout Output) {
        for outcome in message.outcomes {
            guard outcome.sequence <= nextSequence, UInt64(outcome.count) <= nextSequence - outcome.sequence else {
                let error = PenstockError(.malformed, "The server names an outcome of a command that was not sent.")
                output.events.append(.close(error))
                return
            }
            var fresh: [Range<UInt64>] = []
            outcomes.insert(outcome.sequence, count: UInt64(outcome.count)) { fresh.append($0) }
            for range in fresh { settle(range, outcome, &output) }
        }
        while let head = log.first, head.isSent, head.left == 0 {
            log.removeFirst()
            sentCount -= 1
        }
        passBarriers(&output)
        pump(&output)
    }

    private mutating func settle(_ range: Range<UInt64>, _ outcome: Outcome, _ output: inout Output) {
        for index in 0..<sentCount where log[index].last >= range.lowerBound {
            guard log[index].first < range.upperBound else { return }
            let part = range.clamped(to: log[index].first..<log[index].last + 1)
            log[index].left -= part.count
            if outcome.status != 0, log[index].isCompletions {
                let error = PenstockError(status: outcome.status, body: outcome.body.rawSpan)
                for sequence in part {
                    if let token = log[index].tokens(above: sequence - 1).first {
                        output.events.append(.discarded(token, error))
                    }
                }
            }
            guard log[index].left == 0 else { continue }
            framesInFlight -= 1
            addBytesInFlight -= log[index].windowBytes
            guard let context = log[index].context else { continue }
            log[index].context = nil
            let result: Result<[UInt8], PenstockError> =
                outcome.status == 0
                ? .success(outcome.body)
                : .failure(PenstockError(status: outcome.status, body: outcome.body.rawSpan))
            output.events.append(.answered(context, result))
        }
    }

    /// A reply to a read.
    mutating func replied(_ id: UInt32, _ result: Result<[UInt8], PenstockError>, _ output: inout Output) {
        guard let read = reads.removeValue(forKey: id) else { return }
        if let stream = read.endingStream { endingStreams[stream] = nil }
        output.events.append(.answered(read.context, result))
    }

    // MARK: Time

    /// Something has arrived.
    mutating func heard(now: NIODeadline) {
        lastReceived = now
        lastHeard = now
    }

    /// Looks at the time: sends a heartbeat, finds a dead connection, and gives up what is overdue.
    mutating func tick(now: NIODeadline, _ output: inout Output) {
        for (id, read) in reads where read.deadline <= now {
            // The server answers a wait itself; the client steps in where it has not.
            if read.isWait && phase == .ready && now - read.deadline < heartbeatInterval { continue }
            cancel(id, .timedOut, &output)
        }
        dropBarriers(.timedOut, &output) { $0.deadline <= now }
        let overdue = log.filter { $0.context != nil && $0.deadline <= now }
        for frame in overdue { cancel(frame.request, frame.isSent ? .commandOverdue : .timedOut, &output) }
        findOverdueLeases(now: now, &output)
        guard phase != .offline, phase != .ended else { return }
        if now - lastReceived >= heartbeatInterval * 2 {
            output.events.append(.close(PenstockError(.heartbeatMissed, "Nothing came from the server in time.")))
        } else if phase == .ready && now - lastHeartbeat >= heartbeatInterval {
            // Also from a busy session, which needs no sign of life: nothing else confirms its outcomes.
            lastHeartbeat = now
            output.frames.append(ByteBuffer(Heartbeat(number: confirmed)))
        }
    }
}

extension PenstockError {
    static let shutDown = PenstockError(.shutDown, "The client has been shut down; the request was not sent.")
    static let connectionLost = PenstockError(.connectionLost, "The connection was lost, and the request with it.")
    static let timedOut = PenstockError(.timedOut, "The server did not answer in time.")
    static let notReached = PenstockError(.timedOut, "The server could not be asked for a job in time.")
    static let commandOverdue = PenstockError(
        .outcomeUnknown,
        "The server did not answer in time; the command has been sent and may yet be carried out."
    )
}
