import PenstockWire

/// How long a job waits after a failed attempt.
public struct Backoff: Hashable, Sendable {
    let isExponential: Bool
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

/// How a job is run. Every option has a default; a value out of its range is refused before anything is sent.
public struct JobOptions: Hashable, Sendable {
    /// 0 is the most urgent, and the default; at most 2,097,151.
    public var priority: Int
    /// Time from the add, or from the end of its dependencies, until the job is ready. At most ten years.
    public var delay: Duration
    /// Attempts before the job fails for good: 1...65,535, by default 1.
    public var attempts: Int
    /// Time between two attempts; none by default.
    public var backoff: Backoff?
    /// True: before the jobs of its priority that are there already.
    public var lifo: Bool
    /// An id of the caller's, unique in its queue: 1...255 bytes of UTF-8, no `:`, not only digits.
    ///
    /// An add of an id that exists keeps the stored job and returns it. Once
    /// retention has taken that job, its id is free again.
    public var id: String?
    /// True: an add of an id that exists is refused whole with ``PenstockError/Code/customIDExists``.
    public var rejectExisting: Bool
    /// What dependents of the job do if it fails for good. An edge's own policy wins over it.
    public var onFailure: FailurePolicy
    /// Lost workers that are forgiven: 0...65,535, by default 1.
    public var maxStalledCount: Int

    public init(
        priority: Int = 0,
        delay: Duration = .zero,
        attempts: Int = 1,
        backoff: Backoff? = nil,
        lifo: Bool = false,
        id: String? = nil,
        rejectExisting: Bool = false,
        onFailure: FailurePolicy = .failParent,
        maxStalledCount: Int = 1
    ) {
        self.priority = priority
        self.delay = delay
        self.attempts = attempts
        self.backoff = backoff
        self.lifo = lifo
        self.id = id
        self.rejectExisting = rejectExisting
        self.onFailure = onFailure
        self.maxStalledCount = maxStalledCount
    }
}

extension JobOptions {
    /// The options as the wire has them, each checked.
    func wire() throws(PenstockError) -> NodeOptions {
        var options = NodeOptions.default
        guard let priority = UInt32(exactly: priority), priority <= Limits.priorityMax else {
            throw PenstockError(
                .invalidOption,
                "A priority of \(priority); 0 to \(Limits.priorityMax) are allowed."
            )
        }
        guard let attempts = UInt16(exactly: attempts), attempts > 0 else {
            throw PenstockError(.invalidOption, "\(attempts) attempts; 1 to \(Limits.attemptsMax) are allowed.")
        }
        guard let maxStalledCount = UInt16(exactly: maxStalledCount) else {
            throw PenstockError(.invalidOption, "A maxStalledCount of \(maxStalledCount); 0 to 65535 are allowed.")
        }
        options.priority = priority
        options.attempts = attempts
        options.maxStalledCount = maxStalledCount
        options.delay = try delay.wireMilliseconds("delay")
        if let backoff { options.backoff = try backoff.wire() }
        options.lifo = lifo
        options.rejectExisting = rejectExisting
        options.onFailure = onFailure.wire
        return options
    }

    init(_ options: NodeOptions, id: String?) {
        self.init(
            priority: Int(options.priority),
            delay: .milliseconds(options.delay),
            attempts: Int(options.attempts),
            lifo: options.lifo,
            id: id,
            rejectExisting: options.rejectExisting,
            onFailure: FailurePolicy(options.onFailure),
            maxStalledCount: Int(options.maxStalledCount)
        )
        if options.backoff != .none {
            backoff = Backoff(
                isExponential: options.backoff.kind == .exponential,
                delay: .milliseconds(options.backoff.delay),
                maximum: options.backoff.maximum == 0 ? nil : .milliseconds(options.backoff.maximum),
                jitter: Double(options.backoff.jitter) / 1000
            )
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded up: what is asked to wait never waits less. Nil for a negative duration.
    var millisecondsRoundedUp: UInt64? {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return nil }
        let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1000)
        if overflow { return .max }
        return whole &+ UInt64((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }

    fileprivate func wireMilliseconds(_ what: String) throws(PenstockError) -> UInt64 {
        guard let milliseconds = millisecondsRoundedUp, milliseconds <= Limits.delayMillisecondsMax else {
            throw PenstockError(.invalidOption, "A \(what) of \(self); 0 to ten years are allowed.")
        }
        return milliseconds
    }
}
