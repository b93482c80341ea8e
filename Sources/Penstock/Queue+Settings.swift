import PenstockWire

/// At most so many jobs of a queue begin in a window of time, on all workers together.
///
/// The first job that begins opens a window. When the window is over, the next
/// job that begins opens another one: so twice `max` jobs can begin within a
/// short time around the end of a window.
public struct RateLimit: Hashable, Sendable {
    /// 1...4,294,967,295.
    public let max: Int
    /// 1 ms to ten years.
    public let window: Duration

    public init(max: Int, per window: Duration) {
        self.max = max
        self.window = window
    }
}

/// What is set of a queue: it is stored, and outlasts workers, clients and restarts of the server.
///
/// A setting is changed alone, the others stay; a queue can be set before anything is added to it. One of which nothing
/// was set runs its jobs as soon as a worker wants them.
public struct QueueSettings: Hashable, Sendable {
    /// No job begins; those that run go on.
    public let isPaused: Bool
    /// Jobs that may run at a time, on all workers together; nil: any number.
    public let concurrency: Int?
    /// How many jobs may begin in a while; nil: any number.
    public let rateLimit: RateLimit?
    /// Unfinished jobs that the queue may have; nil: any number.
    public let maximumLength: Int?
    /// The options of jobs that do not give them; only those are given here that the queue gives.
    public let defaults: JobOptions
}

/// A queue as it was at one moment of the server's.
public struct QueueInfo: Hashable, Sendable {
    public let name: String
    public let counts: JobCounts
    public let settings: QueueSettings
    /// How long the job has been ready that nobody has taken for longest, of those that are first of their group and
    /// priority; nil where none is ready. Of a queue with more than 1,000 such pairs, not all are looked at.
    public let oldestReady: Duration?
    /// The time until a rate limit lets the next job begin; nil where none holds it.
    public let limitedFor: Duration?
}

extension Queue {
    /// Lets no job of the queue begin any more, whatever worker wants it, until ``resume()``.
    ///
    /// When this returns, none begins. Jobs that run go on and can finish; jobs can
    /// be added, promoted, released and cancelled, as in any queue. It is stored, as
    /// everything of ``QueueSettings``.
    ///
    /// - Throws: ``PenstockError``; its code is `invalidQueueName` where the queue's name can't be.
    public func pause() async throws(PenstockError) {
        try await set(.paused) { $0.isPaused = true }
    }

    /// Lets jobs begin again after a ``pause()``, in the order that they would have had without it.
    ///
    /// - Throws: ``PenstockError``, as ``pause()`` does.
    public func resume() async throws(PenstockError) {
        try await set(.paused) { $0.isPaused = false }
    }

    /// Bounds how many jobs of the queue run at a time, on all workers together.
    ///
    /// A place is free again when the end of its job is stored for good. Jobs that
    /// run when a lower bound is set go on; jobs that ran when the server stopped
    /// keep their places until their leases have ended.
    ///
    /// - Parameter jobs: 1...4,294,967,295; nil, the default of every queue: any number.
    /// - Throws: ``PenstockError``; its code is `invalidOption` where the number can't be.
    public func setConcurrency(_ jobs: Int?) async throws(PenstockError) {
        let bound = try Queue.bound(jobs, "jobs at a time")
        try await set(.concurrency) { $0.concurrency = bound }
    }

    /// Bounds how many jobs of the queue begin in a window of time, on all workers together.
    ///
    /// A job that must wait stays waiting, at its place. What was begun in a window
    /// is not stored: after a restart of the server a new one begins. A limit that
    /// is set again as it was changes nothing.
    ///
    /// - Parameter limit: nil, the default of every queue: no limit.
    /// - Throws: ``PenstockError``; its code is `invalidOption` where the limit can't be.
    public func setRateLimit(_ limit: RateLimit?) async throws(PenstockError) {
        let rate = try limit?.wire() ?? .none
        try await set(.rate) { $0.rate = rate }
    }

    /// Bounds how many jobs of the queue may be unfinished: an add of more is refused whole.
    ///
    /// Its error has the code `queueFull`. What there is stays, also where the bound
    /// is lower; retries, what a handler adds to its job, and runs of schedulers go
    /// beyond it.
    ///
    /// - Parameter jobs: 1...4,294,967,295; nil, the default of every queue: any number.
    /// - Throws: ``PenstockError``; its code is `invalidOption` where the number can't be.
    public func setMaximumLength(_ jobs: Int?) async throws(PenstockError) {
        let bound = try Queue.bound(jobs, "unfinished jobs")
        try await set(.maxLength) { $0.maxLength = bound }
    }

    /// Gives the options of jobs of the queue that do not give them, whoever adds them.
    ///
    /// Jobs that are there already stay as they are. An option that a job gives, or
    /// that its producer gives by its own defaults, wins over the queue's; see
    /// ``JobOptions`` for those of which nil gives nothing.
    ///
    /// - Parameter options: replaces all defaults that were set before; none, where it gives nothing. Those of one job
    ///   can't be defaults: `lifo`, `id`, `rejectExisting`, `cancelSiblings`, `repeatEvery`, `headers`, `at` and `group`.
    /// - Throws: ``PenstockError``; its code is `invalidOption` where an option can't be a default, or is out of its range.
    public func setDefaults(_ options: JobOptions) async throws(PenstockError) {
        try options.checkQueueDefaults()
        let defaults = try options.wire()
        try await set(.defaults) { $0.defaults = defaults }
    }

    /// What is set of the queue.
    /// - Throws: ``PenstockError``; its code is `queueNotFound` where nothing was ever added to the queue, or set of it.
    public func settings() async throws(PenstockError) -> QueueSettings { try await info().settings }

    /// The queue's counts and settings, and how long its jobs have to wait.
    /// - Throws: ``PenstockError``; its code is `queueNotFound` where nothing was ever added to the queue, or set of it.
    public func info() async throws(PenstockError) -> QueueInfo {
        try Checks.queue(name)
        return QueueInfo(name, try await client.read(QueueView.self, GetQueue(queue: name)))
    }

    private func set(
        _ given: SetQueue.Given,
        _ change: (inout PenstockWire.QueueSettings) -> Void
    ) async throws(PenstockError) {
        try Checks.queue(name)
        var settings = PenstockWire.QueueSettings.standard
        change(&settings)
        try await client.carryOut(SetQueue(sequence: 0, queue: name, given: given, settings: settings))
    }

    /// A number of jobs as the wire has it: 0 is no bound there.
    static func bound(_ jobs: Int?, _ what: String) throws(PenstockError) -> UInt32 {
        guard let jobs else { return 0 }
        guard let bound = UInt32(exactly: jobs), bound > 0 else {
            throw PenstockError(.invalidOption, "\(jobs) \(what); 1 to \(UInt32.max) are allowed, nil for any number.")
        }
        return bound
    }
}

extension RateLimit {
    fileprivate func wire() throws(PenstockError) -> PenstockWire.RateLimit {
        let milliseconds = try window.wireMilliseconds("window of a rate")
        guard let max = UInt32(exactly: max), max > 0, milliseconds > 0 else {
            throw PenstockError(
                .invalidOption,
                "A rate of \(max) jobs in \(window); 1 to \(UInt32.max) jobs in 1 ms to ten years are allowed."
            )
        }
        return PenstockWire.RateLimit(max: max, window: milliseconds)
    }

    /// Nil for none.
    fileprivate init?(_ rate: PenstockWire.RateLimit) {
        guard rate != .none else { return nil }
        self.init(max: Int(rate.max), per: .milliseconds(rate.window))
    }
}

extension QueueSettings {
    fileprivate init(_ settings: PenstockWire.QueueSettings) {
        isPaused = settings.isPaused
        concurrency = settings.concurrency == 0 ? nil : Int(settings.concurrency)
        rateLimit = RateLimit(settings.rate)
        maximumLength = settings.maxLength == 0 ? nil : Int(settings.maxLength)
        defaults = JobOptions(queueDefaults: settings.defaults)
    }
}

extension QueueInfo {
    fileprivate init(_ name: String, _ view: QueueView) {
        self.name = name
        counts = JobCounts(view.counts)
        settings = QueueSettings(view.settings)
        oldestReady = view.oldestReady.map { .milliseconds($0) }
        limitedFor = view.limitedFor == 0 ? nil : .milliseconds(view.limitedFor)
    }
}
