/// Where a job is in its life.
package enum JobState: UInt8, Sendable, CaseIterable {
    case waiting = 0
    case delayed = 1
    case waitingChildren = 2
    case active = 3
    case completed = 4
    case failed = 5
    case cancelled = 6

    package var isFinished: Bool { rawValue >= JobState.completed.rawValue }
}

/// Why a job failed.
package enum FailureCause: UInt8, Sendable, CaseIterable {
    case none = 0
    case error = 1
    case unrecoverable = 2
    case timeout = 3
    case stalled = 4
    case dependency = 5
    case expired = 6
}

/// What became of a dependency, as its edge records it.
package enum DependencyKind: UInt8, Sendable, CaseIterable {
    case unprocessed = 0
    case processed = 1
    case ignored = 2
    case failed = 3
}

/// What a dependent does when a dependency of it fails for good, or is cancelled.
package enum FailurePolicy: UInt8, Sendable, CaseIterable {
    case failParent = 0
    case ignore = 1
    case remove = 2
    case `continue` = 3
    case wait = 4
}

/// The outcome of a dependency that its dependent runs after.
package enum EdgeCondition: UInt8, Sendable, CaseIterable {
    /// The dependency completed. Where it failed or was cancelled, the policy decides.
    case success = 0
    /// It failed or was cancelled. Where it completed, the dependent is skipped.
    case failure = 1
    /// It has finished.
    case whatever = 2
}

/// The state of a flow, derived from the states of its jobs.
package enum FlowStatus: UInt8, Sendable, CaseIterable {
    case running = 0
    case blocked = 1
    case completed = 2
    case failed = 3
    case cancelled = 4
    /// A large effect on its jobs has been decided, and is being carried out.
    case settling = 5

    package var isFinished: Bool {
        switch self {
        case .completed, .failed, .cancelled: true
        case .running, .blocked, .settling: false
        }
    }
}

/// What a payload's bytes are. Numbers from 128 on belong to the users; the server reads none of them.
package struct ContentType: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    /// No value was given: told apart from an empty one.
    package static let none = ContentType(rawValue: 0)
    package static let json = ContentType(rawValue: 1)
    package static let binary = ContentType(rawValue: 2)
    package static let text = ContentType(rawValue: 3)
}

/// How long a job waits before its next attempt.
package enum BackoffKind: UInt8, Sendable, CaseIterable {
    case fixed = 0
    case exponential = 1
}

/// Backoff of a failed attempt: `delay` for the first retry, doubled for each further one if exponential, at most `maximum`.
///
/// With a jitter of j per mille the wait is drawn evenly from (1 - j/1000) x wait ... wait.
package struct Backoff: Equatable, Sendable {
    package var kind: BackoffKind
    /// Milliseconds.
    package var delay: UInt64
    /// Milliseconds; 0 is no bound of its own.
    package var maximum: UInt64
    /// Per mille, 0...1000.
    package var jitter: UInt16

    package static let none = Backoff(kind: .fixed, delay: 0, maximum: 0, jitter: 0)

    package init(kind: BackoffKind, delay: UInt64, maximum: UInt64, jitter: UInt16) {
        self.kind = kind
        self.delay = delay
        self.maximum = maximum
        self.jitter = jitter
    }

    /// The wait before the retry that follows the `failures`-th failed attempt.
    /// - Parameter random: 0...65535, drawn by the caller: the engine draws nothing itself.
    package func wait(failures: Int, random: UInt16) -> UInt64 {
        var wait = delay
        if kind == .exponential && delay > 0 {
            let doublings = min(max(failures, 1) - 1, 40)
            let (product, overflow) = delay.multipliedReportingOverflow(by: 1 << UInt64(doublings))
            wait = overflow ? Limits.delayMillisecondsMax : product
        }
        if maximum > 0 { wait = min(wait, maximum) }
        wait = min(wait, Limits.delayMillisecondsMax)
        if jitter > 0 {
            let jitter = UInt64(min(jitter, 1000))
            let spread = wait / 1000 * jitter + wait % 1000 * jitter / 1000
            wait -= spread / 65535 * UInt64(random) + spread % 65535 * UInt64(random) / 65535
        }
        return wait
    }
}
