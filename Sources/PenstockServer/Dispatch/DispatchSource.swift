import PenstockEngine
import PenstockWire

/// Where the dispatcher reads the ready index and the jobs, and sends deliveries: one snapshot, and the connections.
///
/// The snapshot has to hold every commit whose outcome the dispatcher was told
/// of, and may hold later ones. So it is opened for one ``Dispatcher/run(now:wall:grantsMax:source:)``, not longer.
protocol DispatchSource: ~Copyable, ~Escapable {
    /// Appends up to `limit` entries of a group's part of the ready index in order, from `turn` on, this one included.
    ///
    /// - Parameter group: group 0 holds the jobs without one.
    /// - Returns: true where the group has no more.
    mutating func read(
        queue: QueueID,
        group: GroupID,
        from turn: Turn,
        limit: Int,
        into entries: inout [ReadyEntry]
    ) -> Bool

    /// Appends the first entries of the groups in the range that have some, in order: of up to `groups` of them, up to
    /// `jobs` each.
    ///
    /// - Returns: the next group in the range that has some; nil where all were read.
    mutating func readGroups(
        queue: QueueID,
        _ range: ClosedRange<GroupID>,
        groups: Int,
        jobs: Int,
        into entries: inout [ReadyEntry]
    ) -> GroupID?

    /// True where ready jobs of the queue have a group.
    mutating func hasGroups(_ queue: QueueID) -> Bool

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
