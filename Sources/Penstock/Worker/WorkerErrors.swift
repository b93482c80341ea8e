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
