import PenstockWire

/// How long a job waits after a failed attempt.
public struct Backoff: Hashable, Sendable {
    let isExponential: Bool
    /// The wait after the first failure, before its share at random is drawn: 0 to ten years.
    public let delay: Duration
    /// No wait is longer, where one is given.
    public let maximum: Duration?
    /// The share of the wait that is drawn at random, 0...1: a wait w becomes one of (1 - jitter) w ... w.
    public let jitter: Double

    /// The same wait after every failure.
    public static func fixed(_ delay: Duration, jitter: Double = 0) -> Backoff {
        Backoff(isExponential: false, delay: delay, maximum: nil, jitter: jitter)
    }

    /// `delay` after the first failure, twice as long after each further one.
    public static func exponential(
        _ delay: Duration,
        maximum: Duration? = nil,
        jitter: Double = 0
    ) -> Backoff {
        Backoff(isExponential: true, delay: delay, maximum: maximum, jitter: jitter)
    }

    func wire() throws(PenstockError) -> PenstockWire.Backoff {
        guard jitter >= 0, jitter <= 1 else {
            throw PenstockError(.invalidOption, "A jitter of \(jitter); 0 to 1 are allowed.")
        }
        return PenstockWire.Backoff(
            kind: isExponential ? .exponential : .fixed,
            delay: try delay.wireMilliseconds("backoff"),
            maximum: try maximum?.wireMilliseconds("maximum of a backoff") ?? 0,
            jitter: UInt16((jitter * 1000).rounded())
        )
    }
}

extension Backoff {
    /// Nil for none.
    init?(_ backoff: PenstockWire.Backoff) {
        guard backoff != .none else { return nil }
        self.init(
            isExponential: backoff.kind == .exponential,
            delay: .milliseconds(backoff.delay),
            maximum: backoff.maximum == 0 ? nil : .milliseconds(backoff.maximum),
            jitter: Double(backoff.jitter) / 1000
        )
    }
}
