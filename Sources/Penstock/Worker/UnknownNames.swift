/// What a worker with handlers by name does with a job whose name none of them has.
///
/// In every case it logs a warning.
public struct UnknownNames: Hashable, Sendable {
    enum Choice: Hashable, Sendable {
        case giveBack(after: Duration)
        case fail
    }

    let choice: Choice

    /// The job is delayed, with no attempt counted: a worker that knows the name may take it then.
    ///
    /// - Parameter delay: at most ten years; a negative one is none.
    public static func giveBack(after delay: Duration) -> UnknownNames {
        UnknownNames(choice: .giveBack(after: delay))
    }

    /// The job fails for good.
    public static let fail = UnknownNames(choice: .fail)
}
