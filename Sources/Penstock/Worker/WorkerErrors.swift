/// Thrown by a handler: the job fails for good, whatever attempts it has left.
public struct UnrecoverableError: Error, Hashable, Sendable, CustomStringConvertible {
    public let message: String
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}

/// Thrown by a handler: the attempt has failed, and the next is made after `delay`, in place of the job's backoff.
public struct RetryAfter: Error, Hashable, Sendable, CustomStringConvertible {
    public let delay: Duration
    public let message: String

    /// - Parameter delay: at most ten years; a negative one is none.
    public init(_ delay: Duration, _ message: String = "retried later on the handler's wish") {
        self.delay = delay
        self.message = message
    }

    public var description: String { message }
}

/// Thrown by a handler: the job waits for the children that it has been given, and then runs again from the start.
///
/// No attempt is counted. If no child is pending, the job goes back to its place
/// in the queue and runs again at once. ``Job/waitForChildren()`` goes on in that
/// case, and is shorter where the handler has more to do then.
public struct WaitForChildren: Error, Sendable, CustomStringConvertible {
    let data: (any Encodable & Sendable)?

    /// The data stays as it was.
    public init() { data = nil }

    /// - Parameter data: what the job's data is when it runs again.
    public init<Data: Encodable & Sendable>(updating data: Data) { self.data = data }

    public var description: String { "the job waits for its children" }
}

/// Thrown by a handler: the job runs again from the start after a while.
///
/// No attempt is counted: nothing has failed. See ``RetryAfter`` for an attempt that has.
public struct Delayed: Error, Sendable, CustomStringConvertible {
    public let delay: Duration
    let data: (any Encodable & Sendable)?

    /// The data stays as it was.
    /// - Parameter delay: at most ten years; a negative one is none.
    public init(by delay: Duration) {
        self.delay = delay
        data = nil
    }

    /// - Parameters:
    ///   - delay: at most ten years; a negative one is none.
    ///   - data: what the job's data is when it runs again.
    public init<Data: Encodable & Sendable>(by delay: Duration, updating data: Data) {
        self.delay = delay
        self.data = data
    }

    public var description: String { "the job is delayed by \(delay)" }
}

/// Thrown by a handler: what it calls can take no more for now, so no job of the queue begins for a while.
///
/// The job goes back to its place and runs again then. No attempt is counted, and
/// jobs that run go on. The server does not store it: after a restart of the
/// server jobs begin at once. For a rate that is known before, see ``Queue/setRateLimit(_:)``.
public struct RateLimited: Error, Hashable, Sendable, CustomStringConvertible {
    public let duration: Duration

    /// - Parameter duration: 1 ms to ten years; what is less, or more, counts as that.
    public init(for duration: Duration) { self.duration = duration }

    public var description: String { "the queue rests for \(duration)" }
}

/// Thrown by ``Job/waitForChildren()``: the job has been moved to wait for its children, and this run of it is over.
///
/// Let it pass through the handler. Throw it yourself after a
/// ``Job/moveToWaitingChildren()`` that has returned true: the worker then drops
/// whatever the handler ends with.
public struct JobMoved: Error, Hashable, Sendable, CustomStringConvertible {
    public init() {}
    public var description: String { "the job has been moved: this run of it is over" }
}
