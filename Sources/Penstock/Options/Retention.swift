import PenstockWire

/// How long a finished job is kept: while it is one of the newest of its queue, and not too old.
///
/// Whatever it says, a job of a flow stays until the flow is finished, and a
/// result is readable as long as a dependent needs it.
public struct Retention: Hashable, Sendable {
    /// Among how many of the newest finished jobs of its queue; nil: whatever their number. At most 4,294,967,294.
    public let count: Int?
    /// How long after its end; nil: for ever. At most ten years.
    public let age: Duration?

    /// With both, the job goes as soon as one of them says so; with none it is kept for ever.
    public init(count: Int? = nil, age: Duration? = nil) {
        self.count = count
        self.age = age
    }

    /// For ever.
    public static let keep = Retention()
    /// Gone when it is finished. Who waits for its result still gets it.
    public static let removeAtOnce = Retention(count: 0)
}

extension Retention {
    func wire() throws(PenstockError) -> PenstockWire.Retention {
        var retention = PenstockWire.Retention()
        if let count {
            guard let bound = UInt32(exactly: count), bound < PenstockWire.Retention.countUnbounded else {
                throw PenstockError(.invalidOption, "\(count) finished jobs to keep; 0 to 4294967294 are allowed.")
            }
            retention.count = bound
        }
        if let age { retention.age = try age.wireMilliseconds("time to keep finished jobs") }
        return retention
    }

    init(_ retention: PenstockWire.Retention) {
        count = retention.count == PenstockWire.Retention.countUnbounded ? nil : Int(retention.count)
        age = retention.age == PenstockWire.Retention.ageUnbounded ? nil : .milliseconds(retention.age)
    }
}
