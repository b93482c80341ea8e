package import PenstockWire

/// The number of a queue in this database: small, given in order, never used again.
package struct QueueID: RawRepresentable, Hashable, Comparable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package init(_ rawValue: UInt32) { self.rawValue = rawValue }
    package static func < (a: QueueID, b: QueueID) -> Bool { a.rawValue < b.rawValue }
}

/// The number of a group in its queue: 0 for the jobs without one. Later ones have lower numbers, so that a round over
/// the groups, which goes upwards, comes to a new group once it has come to all that are there.
package struct GroupID: RawRepresentable, Hashable, Comparable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package init(_ rawValue: UInt32) { self.rawValue = rawValue }

    package static let none = GroupID(0)
    package static func < (a: GroupID, b: GroupID) -> Bool { a.rawValue < b.rawValue }

    /// The number above; nil above the last.
    package var next: GroupID? { rawValue == .max ? nil : GroupID(rawValue + 1) }
}

/// A job's turn in its group: priority first, then place. Smaller comes first.
///
/// A place is drawn from a rising counter that begins at 2^63, or for `lifo` jobs
/// from a falling one that begins just below it; so one index holds both.
package struct Turn: Hashable, Comparable, Sendable {
    package var priority: UInt32
    package var place: UInt64

    package init(priority: UInt32, place: UInt64) {
        self.priority = priority
        self.place = place
    }

    package static let first = Turn(priority: 0, place: 0)

    @inline(__always)
    package static func < (a: Turn, b: Turn) -> Bool {
        a.priority != b.priority ? a.priority < b.priority : a.place < b.place
    }
}

/// A waiting job as the ready index holds it, and as the dispatcher learns of it.
package struct ReadyEntry: Hashable, Sendable {
    package var queue: QueueID
    package var group: GroupID
    package var turn: Turn
    package var job: JobID

    package init(queue: QueueID, group: GroupID = .none, turn: Turn, job: JobID) {
        self.queue = queue
        self.group = group
        self.turn = turn
        self.job = job
    }
}
