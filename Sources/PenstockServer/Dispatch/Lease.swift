import PenstockEngine
import PenstockWire

/// What a worker holds a job by. A plain value of the lease table: no references, so a copy is a few moves.
struct Lease: Sendable {
    enum Phase: UInt8, Sendable {
        /// The worker has the job, and may begin it, but has not said that it did. For everybody else the job waits.
        case reserved
        /// The server has asked for a reserved job back. No sign of life prolongs it.
        case recalled
        /// The worker runs the job.
        case live
        /// A command has been handed over that may end the lease, and its outcome is not told yet. Till then the lease
        /// can't expire, and its token counts for no other command.
        case pending
        /// The command that ends the lease has been handed over, and is not durable yet. It can't expire, and
        /// its token is fenced.
        case finishing
    }

    var job: JobID
    var token: LeaseToken
    /// The job's turn when it was granted: a return gives it back.
    var turn: Turn
    var flow: FlowID
    /// Milliseconds of the monotonic clock: when it was granted, or, where its job was reserved, recalled or started.
    var grantedAt: UInt64
    /// Milliseconds of the wall clock; of a reserved job, when it was granted.
    var startedAt: UInt64
    /// The one whose credits it took; none for a restored lease.
    var subscription: SubscriptionID
    var queue: QueueID
    var group = GroupID.none
    /// The session's place in the server's table.
    var sessionSlot: UInt32
    /// Credit that was taken, in bytes.
    var bytes: UInt32
    /// Milliseconds.
    var lockDuration: UInt32
    /// Where the grant stands among the changes of the next hand-over, if it still does.
    var change: UInt32 = 0
    var phase = Phase.live
    /// A command that writes it has been given.
    var isWriteRequested = false
    /// The last commit whose outcome had been told when it was granted.
    var settled: UInt64 = 0
    /// When its attempt has to have ended, on the monotonic clock; 0: at any time.
    var attemptEnd: UInt64 = 0
    /// Milliseconds that the attempt of a reserved job may take, from its start on; 0: any.
    var timeout: UInt64 = 0

    /// The lease ends at this time of the monotonic clock, where the session was last heard at `lastHeard`.
    @inline(__always)
    func deadline(lastHeard: UInt64) -> UInt64 {
        (phase == .recalled ? grantedAt : max(grantedAt, lastHeard)) &+ UInt64(lockDuration)
    }

    /// Its job was not started, as far as the server knows.
    @inline(__always)
    var isReserved: Bool { phase == .reserved || phase == .recalled }

    /// A command may be ending it.
    @inline(__always)
    var isEnding: Bool { phase == .pending || phase == .finishing }
}

extension Lease {
    /// The place of no lease.
    static let vacant = Lease(
        job: .none,
        token: .none,
        turn: .first,
        flow: .none,
        grantedAt: 0,
        startedAt: 0,
        subscription: .none,
        queue: QueueID(0),
        sessionSlot: 0,
        bytes: 0,
        lockDuration: 0
    )

    @inline(__always)
    var isVacant: Bool { job == .none }
}
