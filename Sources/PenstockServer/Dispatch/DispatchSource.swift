import PenstockEngine
import PenstockWire

/// Where the dispatcher reads the ready index and the jobs, and sends deliveries: one snapshot, and the connections.
///
/// The snapshot has to hold every commit whose outcome the dispatcher was told
/// of, and may hold later ones. So it is opened for one ``Dispatcher/run(now:wall:grantsMax:source:)``, not longer.
protocol DispatchSource: ~Copyable, ~Escapable {
    /// Appends up to `limit` entries of the queue's ready index in order, from `turn` on, this one included.
    ///
    /// - Returns: true where the index has no more.
    mutating func read(queue: QueueID, from turn: Turn, limit: Int, into entries: inout [ReadyEntry]) -> Bool

    /// Reads the granted job, and encodes its delivery.
    mutating func deliver(_ grant: Grant) -> DeliveryOutcome
}

/// A job that is to be delivered.
struct Grant {
    let entry: ReadyEntry
    /// The lease's place, to be echoed with the token.
    let slot: UInt32
    let token: LeaseToken
    let subscription: SubscriptionID
    let connection: UInt32
    let sessionSlot: UInt32
    let stream: UInt32
    /// The queue's index in the SUBSCRIBE.
    let queueIndex: Int
}

enum DeliveryOutcome {
    /// It is in the connection's output, with so many bytes of data; 0 milliseconds stand for no timeout.
    case sent(bytes: Int, flow: FlowID, timeout: UInt64)
    /// The job is not waiting at this turn in the snapshot: a later commit took it away. The grant is undone, and
    /// the entry dropped.
    case gone
    /// The connection's output has no room for it. The grant is undone, the job keeps its turn, and the
    /// subscription is blocked until ``Dispatcher/unblock(_:)``.
    case noRoom
}
