import PenstockWire

/// Where a job is in its life.
public enum JobState: String, Sendable, Hashable, Codable, CaseIterable {
    /// Ready to be taken by a worker.
    case waiting
    /// Has a time at which it becomes waiting.
    case delayed
    /// Has a dependency that has not finished.
    case waitingChildren
    /// Held by a worker.
    case active
    case completed
    case failed
    case cancelled

    /// True for completed, failed and cancelled.
    public var isFinished: Bool { self == .completed || self == .failed || self == .cancelled }
}

/// Why a job failed.
public enum FailureCause: String, Sendable, Hashable, Codable, CaseIterable {
    /// The handler threw, on the last attempt.
    case error
    /// The handler threw ``UnrecoverableError``.
    case unrecoverable
    /// The last attempt took longer than the job's ``JobOptions/timeout``.
    case timeout
    /// Its workers went away more often than `maxStalledCount` allows.
    case stalled
    /// A dependency of it failed.
    case dependency
    /// Nobody began it within its ``JobOptions/ttl``.
    case expired
}

/// What a dependent does when a dependency of it fails for good, or is cancelled.
public enum FailurePolicy: String, Sendable, Hashable, Codable, CaseIterable {
    /// The dependent fails too, and so on upwards. The default.
    case failParent
    /// The dependent runs when nothing else holds it back; the failure is among its ignored ones.
    case ignore
    /// As `ignore`, but the dependency disappears from the dependent.
    case remove
    /// The dependent runs at once, without waiting for its other dependencies.
    case `continue`
    /// The dependent waits until the dependency has been retried or removed, or was resolved by hand.
    case wait
}

/// After which end of a dependency its dependent runs.
public enum EdgeCondition: String, Sendable, Hashable, Codable, CaseIterable {
    /// It completed; the default. If it failed for good or was cancelled, the ``FailurePolicy`` decides.
    case success
    /// It failed for good or was cancelled: the dependent mends what it left.
    ///
    /// If it completed, the dependent is not needed: it is cancelled as *skipped*,
    /// which counts as completed in its flow's status.
    case failure
    /// It ended, however: the dependent cleans up.
    case whatever
}

/// What became of a dependency.
public enum DependencyKind: String, Sendable, Hashable, Codable, CaseIterable {
    /// It has not ended, or it failed and the dependent waits for what is done about it: ``FailurePolicy/wait``.
    case unprocessed
    /// It completed, or was resolved as processed; its result can be read, if it has one.
    case processed
    /// It failed or was cancelled, and the dependent goes on.
    ///
    /// The policy said so, or the ``EdgeCondition``, or somebody by hand; or it was skipped, and is not needed.
    case ignored
    /// It failed or was cancelled, and that has failed the dependent.
    case failed
}

/// The state of a flow, derived from the states of its jobs.
public enum FlowStatus: String, Sendable, Hashable, Codable, CaseIterable {
    case running
    /// Nothing of it can run until a failed dependency is retried, removed or resolved.
    case blocked
    case completed
    /// A job that no other one of the flow depends on failed or was cancelled.
    case failed
    /// It was cancelled as a whole.
    case cancelled
    /// Something that reaches very many of its jobs has been decided, and is being carried out.
    case settling

    public var isFinished: Bool { self == .completed || self == .failed || self == .cancelled }
}

// The wire's numbers; both sides of each pair are switched over, so that a new case can't be forgotten.

extension JobState {
    init(_ state: PenstockWire.JobState) {
        self =
            switch state {
            case .waiting: .waiting
            case .delayed: .delayed
            case .waitingChildren: .waitingChildren
            case .active: .active
            case .completed: .completed
            case .failed: .failed
            case .cancelled: .cancelled
            }
    }
}

extension FailureCause {
    init?(_ cause: PenstockWire.FailureCause) {
        switch cause {
        case .none: return nil
        case .error: self = .error
        case .unrecoverable: self = .unrecoverable
        case .timeout: self = .timeout
        case .stalled: self = .stalled
        case .dependency: self = .dependency
        case .expired: self = .expired
        }
    }
}

extension FailurePolicy {
    init(_ policy: PenstockWire.FailurePolicy) {
        self =
            switch policy {
            case .failParent: .failParent
            case .ignore: .ignore
            case .remove: .remove
            case .continue: .continue
            case .wait: .wait
            }
    }

    var wire: PenstockWire.FailurePolicy {
        switch self {
        case .failParent: .failParent
        case .ignore: .ignore
        case .remove: .remove
        case .continue: .continue
        case .wait: .wait
        }
    }
}

extension EdgeCondition {
    init(_ condition: PenstockWire.EdgeCondition) {
        self =
            switch condition {
            case .success: .success
            case .failure: .failure
            case .whatever: .whatever
            }
    }

    var wire: PenstockWire.EdgeCondition {
        switch self {
        case .success: .success
        case .failure: .failure
        case .whatever: .whatever
        }
    }
}

extension DependencyKind {
    init(_ kind: PenstockWire.DependencyKind) {
        self =
            switch kind {
            case .unprocessed: .unprocessed
            case .processed: .processed
            case .ignored: .ignored
            case .failed: .failed
            }
    }

    var wire: PenstockWire.DependencyKind {
        switch self {
        case .unprocessed: .unprocessed
        case .processed: .processed
        case .ignored: .ignored
        case .failed: .failed
        }
    }
}

extension JobState {
    var wire: PenstockWire.JobState {
        switch self {
        case .waiting: .waiting
        case .delayed: .delayed
        case .waitingChildren: .waitingChildren
        case .active: .active
        case .completed: .completed
        case .failed: .failed
        case .cancelled: .cancelled
        }
    }
}

extension FlowStatus {
    var wire: PenstockWire.FlowStatus {
        switch self {
        case .running: .running
        case .blocked: .blocked
        case .completed: .completed
        case .failed: .failed
        case .cancelled: .cancelled
        case .settling: .settling
        }
    }

    init(_ status: PenstockWire.FlowStatus) {
        self =
            switch status {
            case .running: .running
            case .blocked: .blocked
            case .completed: .completed
            case .failed: .failed
            case .cancelled: .cancelled
            case .settling: .settling
            }
    }
}
