/// The numbers of a node's options. The top bit of the tag as sent says *must understand*.
///
/// An option at its default is not sent. Every option of version 1 is sent with
/// the bit, so that no server ever ignores one that a user gave.
package enum OptionTag {
    package static let mustUnderstand: UInt16 = 0x8000

    package static let priority: UInt16 = 1
    package static let delay: UInt16 = 2
    package static let attempts: UInt16 = 3
    package static let backoff: UInt16 = 4
    package static let lifo: UInt16 = 5
    package static let customID: UInt16 = 6
    package static let rejectExisting: UInt16 = 7
    package static let onFailure: UInt16 = 8
    package static let maxStalledCount: UInt16 = 9
    package static let cancelSiblings: UInt16 = 10
    package static let childKey: UInt16 = 11
    package static let repeatEvery: UInt16 = 12
    package static let keepCompleted: UInt16 = 13
    package static let keepFailed: UInt16 = 14
    package static let timeout: UInt16 = 15
    package static let ttl: UInt16 = 16
    package static let keepLogs: UInt16 = 17
    package static let maxStarted: UInt16 = 18
    package static let deduplication: UInt16 = 19
    package static let group: UInt16 = 20
    package static let headers: UInt16 = 21
    package static let at: UInt16 = 22
    /// The highest number of this version.
    package static let last = at
}

/// A finished job is kept while it is one of the newest `count` of its queue, and for `age`.
///
///     u32 count (0xFFFFFFFF: no bound) | u64 age in milliseconds (all ones: no bound)
package struct Retention: Equatable, Sendable {
    package static let countUnbounded = UInt32.max
    package static let ageUnbounded = UInt64.max

    package var count: UInt32
    package var age: UInt64

    package init(count: UInt32 = Retention.countUnbounded, age: UInt64 = Retention.ageUnbounded) {
        self.count = count
        self.age = age
    }

    package func encode(into writer: inout WireWriter) {
        writer.u32(count)
        writer.u64(age)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        count = try reader.u32()
        age = try reader.u64()
    }

    package func validate() throws(WireError) {
        guard age <= Limits.delayMillisecondsMax || age == Retention.ageUnbounded else {
            throw WireError(
                .invalidOption,
                "Finished jobs kept for \(age) ms; at most \(Limits.delayMillisecondsMax), or all ones for ever, are allowed."
            )
        }
    }
}

/// A job's options, checked, in a fixed size.
package struct NodeOptions: Equatable, Sendable {
    /// 0 is the most urgent.
    package var priority: UInt32 = 0
    /// Milliseconds from the add, or from the release where the job has dependencies.
    package var delay: UInt64 = 0
    package var attempts: UInt16 = 1
    package var backoff = Backoff.none
    /// True: placed before the jobs of its priority that are there already.
    package var lifo = false
    /// True: an add of a custom id that exists is refused, instead of returning the stored job.
    package var rejectExisting = false
    /// What dependents do if this job fails for good; an edge's own policy wins.
    package var onFailure = FailurePolicy.failParent
    /// Stalls that are forgiven.
    package var maxStalledCount: UInt16 = 1
    /// True: once a dependency has failed this job, the others that only it needs are cancelled.
    package var cancelSiblings = false
    /// Milliseconds between two of its runs; 0: it runs once.
    package var repeatEvery: UInt64 = 0
    /// Among how many finished jobs, and how long, it is kept; nil: as the server's default says.
    package var keepCompleted: Retention?
    package var keepFailed: Retention?
    /// Milliseconds that an attempt may take; 0: any time.
    package var timeout: UInt64 = 0
    /// Milliseconds from when it is ready the first time to its first start; 0: any time.
    package var ttl: UInt64 = 0
    /// Lines of its log that are kept: the newest.
    package var keepLogs = Limits.keepLogsDefault
    /// Starts after which it fails when it comes back; 0: no bound.
    package var maxStarted: UInt32 = 0
    /// Wall time in milliseconds since 1970 before which it is not ready; 0: none.
    package var at: UInt64 = 0

    package static let `default` = NodeOptions()

    package init() {}

    /// The first option that is out of its range.
    package func validate() throws(WireError) {
        if priority > Limits.priorityMax {
            throw WireError(.invalidOption, "A priority of \(priority); 0 to \(Limits.priorityMax) are allowed.")
        }
        if delay > Limits.delayMillisecondsMax {
            throw WireError(
                .invalidOption,
                "A delay of \(delay) ms; at most \(Limits.delayMillisecondsMax) is allowed."
            )
        }
        if attempts == 0 {
            throw WireError(.invalidOption, "0 attempts; 1 to \(Limits.attemptsMax) are allowed.")
        }
        if backoff.delay > Limits.delayMillisecondsMax || backoff.maximum > Limits.delayMillisecondsMax {
            throw WireError(.invalidOption, "A backoff above \(Limits.delayMillisecondsMax) ms, which is the most.")
        }
        if backoff.jitter > 1000 {
            throw WireError(.invalidOption, "A jitter of \(backoff.jitter) per mille; 0 to 1000 are allowed.")
        }
        if repeatEvery > Limits.delayMillisecondsMax {
            throw WireError(
                .invalidOption,
                "A repetition every \(repeatEvery) ms; 1 to \(Limits.delayMillisecondsMax) are allowed."
            )
        }
        try keepCompleted?.validate()
        try keepFailed?.validate()
        if timeout > Limits.delayMillisecondsMax {
            throw WireError(
                .invalidOption,
                "A timeout of \(timeout) ms; 1 to \(Limits.delayMillisecondsMax) are allowed."
            )
        }
        if ttl > Limits.delayMillisecondsMax {
            throw WireError(.invalidOption, "A ttl of \(ttl) ms; 1 to \(Limits.delayMillisecondsMax) are allowed.")
        }
        if at > Limits.wallMillisecondsMax {
            throw WireError(.invalidOption, "A time of \(at); at most \(Limits.wallMillisecondsMax) is allowed.")
        }
        if at > 0 && delay > 0 {
            throw WireError(.invalidOption, "A job has a delay or a time at which it is ready, not both.")
        }
        if keepLogs > Limits.keepLogsMax {
            throw WireError(
                .invalidOption,
                "\(keepLogs) lines of a log to keep; at most \(Limits.keepLogsMax) are allowed."
            )
        }
    }
}
