import PenstockWire

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// How a job is run. Every option has a default; a value out of its range is refused before anything is sent.
///
/// An option that is not given is taken from the add's `queuesOptions`, then from
/// the ``FlowProducer``, then from the defaults of its queue: see
/// ``Queue/setDefaults(_:)``. What stands here comes last. An option that is given
/// wins, also where it is set to what stands here; but nil for ``keepCompleted`` and
/// ``keepFailed`` gives nothing, and the nil of ``timeout``, ``ttl`` and ``maxStarted``
/// wins over a producer's defaults only: a queue's can be given otherwise, and not
/// taken back. Options are equal if a job would be run in the same way.
public struct JobOptions: Hashable, Sendable {
    /// What was given; nil where nothing was.
    struct Given: Hashable, Sendable {
        var priority: Int?
        var delay: Duration?
        var attempts: Int?
        /// The inner nil is given, too: no wait.
        var backoff: Backoff??
        var lifo: Bool?
        var id: String?
        var rejectExisting: Bool?
        var onFailure: FailurePolicy?
        var maxStalledCount: Int?
        var cancelSiblings: Bool?
        var repeatEvery: Duration??
        var keepCompleted: Retention?
        var keepFailed: Retention?
        var timeout: Duration??
        var ttl: Duration??
        var keepLogs: Int?
        var maxStarted: Int??
        var headers: [String: String]?
        var at: Date??
        var deduplication: Deduplication?
        var group: String?
    }

    private(set) var given: Given

    /// Everything, with the defaults that stand here.
    private var effective: Given {
        Given(
            priority: priority,
            delay: delay,
            attempts: attempts,
            backoff: .some(backoff),
            lifo: lifo,
            id: id,
            rejectExisting: rejectExisting,
            onFailure: onFailure,
            maxStalledCount: maxStalledCount,
            cancelSiblings: cancelSiblings,
            repeatEvery: .some(repeatEvery),
            keepCompleted: keepCompleted,
            keepFailed: keepFailed,
            timeout: .some(timeout),
            ttl: .some(ttl),
            keepLogs: keepLogs,
            maxStarted: .some(maxStarted),
            headers: headers,
            at: .some(at),
            deduplication: deduplication,
            group: group
        )
    }

    public static func == (a: JobOptions, b: JobOptions) -> Bool { a.effective == b.effective }
    public func hash(into hasher: inout Hasher) { hasher.combine(effective) }

    /// - Parameters:
    ///   - priority: see ``priority``, and so on: each is the property of its name.
    public init(
        priority: Int? = nil,
        delay: Duration? = nil,
        attempts: Int? = nil,
        backoff: Backoff? = nil,
        lifo: Bool? = nil,
        id: String? = nil,
        rejectExisting: Bool? = nil,
        onFailure: FailurePolicy? = nil,
        maxStalledCount: Int? = nil,
        cancelSiblings: Bool? = nil,
        repeatEvery: Duration? = nil,
        keepCompleted: Retention? = nil,
        keepFailed: Retention? = nil,
        timeout: Duration? = nil,
        ttl: Duration? = nil,
        keepLogs: Int? = nil,
        maxStarted: Int? = nil,
        headers: [String: String]? = nil,
        at: Date? = nil,
        deduplication: Deduplication? = nil,
        group: String? = nil
    ) {
        given = Given(
            priority: priority,
            delay: delay,
            attempts: attempts,
            backoff: backoff.map { .some($0) },
            lifo: lifo,
            id: id,
            rejectExisting: rejectExisting,
            onFailure: onFailure,
            maxStalledCount: maxStalledCount,
            cancelSiblings: cancelSiblings,
            repeatEvery: repeatEvery.map { .some($0) },
            keepCompleted: keepCompleted,
            keepFailed: keepFailed,
            timeout: timeout.map { .some($0) },
            ttl: ttl.map { .some($0) },
            keepLogs: keepLogs,
            maxStarted: maxStarted.map { .some($0) },
            headers: headers,
            at: at.map { .some($0) },
            deduplication: deduplication,
            group: group
        )
    }

    /// 0 is the most urgent, and the default; at most 2,097,151.
    public var priority: Int {
        get { given.priority ?? 0 }
        set { given.priority = newValue }
    }

    /// Time from the add, or from the end of its dependencies, until the job is ready. At most ten years; none by default.
    public var delay: Duration {
        get { given.delay ?? .zero }
        set { given.delay = newValue }
    }

    /// Attempts before the job fails for good: 1...65,535, by default 1.
    public var attempts: Int {
        get { given.attempts ?? 1 }
        set { given.attempts = newValue }
    }

    /// Time between two attempts; none by default.
    public var backoff: Backoff? {
        get { given.backoff ?? nil }
        set { given.backoff = .some(newValue) }
    }

    /// True: before the jobs of its priority that are there already. False by default.
    public var lifo: Bool {
        get { given.lifo ?? false }
        set { given.lifo = newValue }
    }

    /// An id of the caller's, unique in its queue: 1...255 bytes of UTF-8, no `:`, not only digits.
    ///
    /// An add of an id that exists keeps the stored job and returns it. Once
    /// retention has taken that job, its id is free again.
    public var id: String? {
        get { given.id }
        set { given.id = newValue }
    }

    /// True: an add of an id that exists is refused whole with ``PenstockError/Code/customIDExists``. False by default.
    public var rejectExisting: Bool {
        get { given.rejectExisting ?? false }
        set { given.rejectExisting = newValue }
    }

    /// What dependents of the job do if it fails for good; by default they fail. An edge's own policy wins over it.
    public var onFailure: FailurePolicy {
        get { given.onFailure ?? .failParent }
        set { given.onFailure = newValue }
    }

    /// Lost workers that are forgiven: 0...65,535, by default 1.
    public var maxStalledCount: Int {
        get { given.maxStalledCount ?? 1 }
        set { given.maxStalledCount = newValue }
    }

    /// True: once a dependency has failed this job, its other dependencies are cancelled. False by default.
    ///
    /// Cancelled are those that have not finished and that nothing else needs, with
    /// what lies below them. A retry of the dependency that failed retries them too.
    public var cancelSiblings: Bool {
        get { given.cancelSiblings ?? false }
        set { given.cancelSiblings = newValue }
    }

    /// Time between two runs of the job: 1 ms to ten years. Nil, the default: it runs once.
    ///
    /// In a flow the first run belongs to the flow; once that has finished, a
    /// schedule goes on with the job outside of it.
    public var repeatEvery: Duration? {
        get { given.repeatEvery ?? nil }
        set { given.repeatEvery = .some(newValue) }
    }

    /// How long the job is kept once it has completed; nil: as the server's configuration says.
    public var keepCompleted: Retention? {
        get { given.keepCompleted }
        set { given.keepCompleted = newValue }
    }

    /// How long the job is kept once it has failed or was cancelled; nil: as the server's configuration says.
    public var keepFailed: Retention? {
        get { given.keepFailed }
        set { given.keepFailed = newValue }
    }

    /// Time that one attempt may take: 1 ms to ten years. Nil, the default: any.
    ///
    /// An attempt that takes longer has failed: it is cancelled, and made again
    /// while attempts remain. Nil does not take back the timeout that a queue gives.
    public var timeout: Duration? {
        get { given.timeout ?? nil }
        set { given.timeout = .some(newValue) }
    }

    /// Time from when the job is ready the first time until a worker begins it: 1 ms to ten years. Nil, the default: any.
    ///
    /// A job that nobody has begun by then fails with the cause ``FailureCause/expired``. Nil does not take back the
    /// ttl that a queue gives.
    public var ttl: Duration? {
        get { given.ttl ?? nil }
        set { given.ttl = .some(newValue) }
    }

    /// Lines of the job's log that are kept, the newest: 0...10,000, by default 1,000.
    public var keepLogs: Int {
        get { given.keepLogs ?? Int(Limits.keepLogsDefault) }
        set { given.keepLogs = newValue }
    }

    /// Times that a worker may begin the job: 1...4,294,967,295. Nil, the default: any number.
    ///
    /// It bounds a job that never ends in a result or a failure, because its workers are lost, or give it back or put
    /// it off again and again. When it comes back after the last of these, it fails with the cause
    /// ``FailureCause/stalled``. Nil does not take back the bound that a queue gives.
    public var maxStarted: Int? {
        get { given.maxStarted ?? nil }
        set { given.maxStarted = .some(newValue) }
    }

    /// What travels with the job for others than its handler, such as the context of a trace; none by default.
    ///
    /// At most 255 of them, with 8 KiB in all; a key is 1...255 bytes of UTF-8. Those of a default are added to those
    /// that are given, which win key by key.
    public var headers: [String: String] {
        get { given.headers ?? [:] }
        set { given.headers = newValue }
    }

    /// The time before which the job is not ready, by the server's wall clock. Nil, the default: none.
    ///
    /// One that has passed makes it ready at once; none beyond the year 9999 is allowed. It can't be given beside a
    /// ``delay``, which counts time that no clock change touches.
    public var at: Date? {
        get { given.at ?? nil }
        set { given.at = .some(newValue) }
    }

    /// With which other adds this one counts as one: see ``Deduplication``. Nil, the default: with none.
    ///
    /// It belongs to one job and can't be a default.
    public var deduplication: Deduplication? {
        get { given.deduplication }
        set { given.deduplication = newValue }
    }

    /// The group of the job in its queue, such as the tenant that it belongs to: 1...255 bytes of UTF-8. Nil, the
    /// default: none.
    ///
    /// The groups of a queue take turns of one job each, so that none of them can hold up the others, however many jobs
    /// it has; within a group, priority and place decide. Jobs without a group are one group. How many jobs of a group
    /// run at a time can be bounded: see ``Queue/setGroup(_:concurrency:)``.
    public var group: String? {
        get { given.group }
        set { given.group = newValue }
    }
}

extension JobOptions {
    /// These options, and those of `defaults` that they don't give.
    func filled(from defaults: JobOptions) -> JobOptions {
        var result = self
        let other = defaults.given
        result.given.priority = given.priority ?? other.priority
        result.given.delay = given.delay ?? other.delay
        result.given.attempts = given.attempts ?? other.attempts
        result.given.backoff = given.backoff ?? other.backoff
        result.given.lifo = given.lifo ?? other.lifo
        result.given.rejectExisting = given.rejectExisting ?? other.rejectExisting
        result.given.onFailure = given.onFailure ?? other.onFailure
        result.given.maxStalledCount = given.maxStalledCount ?? other.maxStalledCount
        result.given.cancelSiblings = given.cancelSiblings ?? other.cancelSiblings
        result.given.repeatEvery = given.repeatEvery ?? other.repeatEvery
        result.given.keepCompleted = given.keepCompleted ?? other.keepCompleted
        result.given.keepFailed = given.keepFailed ?? other.keepFailed
        result.given.timeout = given.timeout ?? other.timeout
        result.given.ttl = given.ttl ?? other.ttl
        result.given.keepLogs = given.keepLogs ?? other.keepLogs
        result.given.maxStarted = given.maxStarted ?? other.maxStarted
        if let headers = other.headers {
            result.given.headers = (given.headers ?? [:]).merging(headers) { given, _ in given }
        }
        result.given.group = given.group ?? other.group
        // The one takes the other's place: a job's own delay wins over a default time.
        if given.delay == nil { result.given.at = given.at ?? other.at }
        if given.at != nil { result.given.delay = given.delay }
        return result
    }
}

/// Options for jobs that don't give them: those of an add by queue first, then those of the producer.
struct OptionDefaults: Sendable {
    private var layers: [Layer]

    private struct Layer: Sendable {
        var queues: [String: JobOptions]
        var all = JobOptions()
    }

    static let none = OptionDefaults(layers: [])

    private init(layers: [Layer]) { self.layers = layers }

    init(queues: [String: JobOptions], all: JobOptions) {
        layers = queues.isEmpty && all.given == JobOptions().given ? [] : [Layer(queues: queues, all: all)]
    }

    /// These defaults, behind those of one add.
    func behind(_ queues: [String: JobOptions]) -> OptionDefaults {
        queues.isEmpty ? self : OptionDefaults(layers: [Layer(queues: queues)] + layers)
    }

    /// An id belongs to one job: as a default it would be given to many.
    func check() throws(PenstockError) {
        for options in layers.flatMap({ [$0.all] + $0.queues.values }) {
            guard options.id == nil else {
                throw PenstockError(.invalidOption, "An id can't be a default: it belongs to one job.")
            }
            guard options.deduplication == nil else {
                throw PenstockError(.invalidOption, "A deduplication can't be a default: give it to each job.")
            }
        }
    }

    func fill(_ options: JobOptions, queue: String) -> JobOptions {
        var options = options
        for layer in layers {
            if let defaults = layer.queues[queue] { options = options.filled(from: defaults) }
            options = options.filled(from: layer.all)
        }
        return options
    }
}
