import PenstockWire

/// Which adds of a queue count as one: those with the same id, while a job holds it.
///
/// The job of the first add holds the id; an add that comes meanwhile makes no
/// job, and returns that one. What *meanwhile* is, and what else comes of the
/// later add, is said here:
///
/// ```swift
/// .init("import")                                     // until the job has finished
/// .throttled("alert", for: .seconds(300))             // for five minutes, finished or not
/// .debounced("index", for: .seconds(5))               // the last one runs, five seconds after it
/// .init("preview", replace: true)                     // the last one, while the job is delayed
/// .init("sync", keepLastIfActive: true)               // and once more, if one comes while it runs
/// ```
///
/// It stands on a job that is added from outside and that has nothing to do with
/// others: not on one with dependencies or dependents, not on one that a handler
/// adds to its job, that a scheduler adds, or that is repeated, and not in an add
/// of more than 10,000 jobs or 2 MiB.
public struct Deduplication: Hashable, Sendable {
    /// The id, in the job's queue: 1...255 bytes of UTF-8.
    public var id: String

    /// How long the id is held, from the add on, whether its job has finished or not: 1 ms to ten years.
    ///
    /// Nil, the default: until the job has finished. A job that was cancelled, or removed otherwise than by retention,
    /// holds its id no longer.
    public var ttl: Duration?

    /// True: each add that comes meanwhile lets the ``ttl`` begin anew. False by default; it needs a ttl.
    public var extend: Bool

    /// True: while the job that holds the id is delayed, this one takes its place. False by default.
    ///
    /// The other is removed. It stays where other jobs have come to depend on it.
    public var replace: Bool

    /// True: while the job that holds the id is active, the last add is kept, and becomes a job when that one has ended,
    /// however it ends. False by default; it can't stand beside a ``ttl`` or a job's own id.
    public var keepLastIfActive: Bool

    public init(
        _ id: String,
        ttl: Duration? = nil,
        extend: Bool = false,
        replace: Bool = false,
        keepLastIfActive: Bool = false
    ) {
        self.id = id
        self.ttl = ttl
        self.extend = extend
        self.replace = replace
        self.keepLastIfActive = keepLastIfActive
    }

    /// One job in so much time, the first.
    public static func throttled(_ id: String, for ttl: Duration) -> Deduplication {
        Deduplication(id, ttl: ttl)
    }

    /// One job when so much time has passed without an add, the last.
    ///
    /// Give the job a ``JobOptions/delay`` of the same time: it is what each add begins anew.
    public static func debounced(_ id: String, for ttl: Duration) -> Deduplication {
        Deduplication(id, ttl: ttl, extend: true, replace: true)
    }
}

extension Deduplication {
    func wire() throws(PenstockError) -> PenstockWire.Deduplication {
        var result = PenstockWire.Deduplication(
            id: id,
            extends: extend,
            replaces: replace,
            keepsLastIfActive: keepLastIfActive
        )
        if let ttl { result.ttl = try ttl.wireTime("deduplication") }
        try Checks.deduplication(id)
        do throws(WireError) { try result.validate() } catch { throw PenstockError(error) }
        return result
    }

    init?(_ deduplication: PenstockWire.Deduplication?) {
        guard let deduplication else { return nil }
        self.init(
            deduplication.id,
            ttl: deduplication.ttl == 0 ? nil : .milliseconds(deduplication.ttl),
            extend: deduplication.extends,
            replace: deduplication.replaces,
            keepLastIfActive: deduplication.keepsLastIfActive
        )
    }
}
