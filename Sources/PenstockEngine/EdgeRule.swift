import PenstockWire

/// How a job ended, as those that depend on it see it.
enum DependencyEnd {
    case completed
    /// Failed for good.
    case failed
    /// It counts as a failure.
    case cancelled
    /// It was to run after a failure that did not come.
    case skipped

    init(_ record: JobRecord) {
        if record.state == .completed {
            self = .completed
        } else {
            self = record.marks.contains(.isSkipped) ? .skipped : record.state == .cancelled ? .cancelled : .failed
        }
    }

    var isFailure: Bool { self == .failed || self == .cancelled }
}

/// What the end of a dependency does to an edge that counts, and to the job that depends.
///
/// | the dependency | condition | policy | the edge | the dependent |
/// |---|---|---|---|---|
/// | completed | success, whatever | | processed | waits for the rest |
/// | completed | failure | | processed | is skipped |
/// | skipped | | | ignored | waits for the rest |
/// | failed or cancelled | failure, whatever | | ignored | waits for the rest |
/// | failed | success | failParent | failed | fails |
/// | failed | success | ignore | ignored | waits for the rest |
/// | failed | success | remove | gone | waits for the rest |
/// | failed | success | continue | ignored | goes on at once |
/// | failed | success | wait | held | waits |
struct EdgeRule: Equatable {
    enum Edge: Equatable {
        case becomes(DependencyKind)
        case held
        case gone
    }

    enum Dependent {
        /// Released when no other edge counts.
        case waitsForRest
        case fails
        case isSkipped
        /// Released, whatever its other edges are.
        case goesOn
    }

    let edge: Edge
    let dependent: Dependent

    init(_ end: DependencyEnd, _ condition: EdgeCondition, _ policy: FailurePolicy) {
        switch (end == .cancelled ? .failed : end, condition, policy) {
        case (.completed, .success, _), (.completed, .whatever, _):
            (edge, dependent) = (.becomes(.processed), .waitsForRest)
        case (.completed, .failure, _): (edge, dependent) = (.becomes(.processed), .isSkipped)
        case (.skipped, _, _), (.failed, .failure, _), (.failed, .whatever, _), (.failed, .success, .ignore):
            (edge, dependent) = (.becomes(.ignored), .waitsForRest)
        case (.failed, .success, .failParent): (edge, dependent) = (.becomes(.failed), .fails)
        case (.failed, .success, .remove): (edge, dependent) = (.gone, .waitsForRest)
        case (.failed, .success, .continue): (edge, dependent) = (.becomes(.ignored), .goesOn)
        case (.failed, .success, .wait): (edge, dependent) = (.held, .waitsForRest)
        case (.cancelled, _, _): preconditionFailure("a cancelled dependency counts as a failed one")
        }
    }
}
