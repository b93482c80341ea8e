import PenstockWire

/// What holds a queue's grants back, beside its jobs and its takers: a pause, a rate, a bound of jobs that run.
///
/// Only a queue of which something was set has one. A gate is asked before each
/// grant of its queue; one that is shut keeps its lane out of the row until a
/// setting changes, a lease has ended durably, or its time has come.
struct Gate {
    /// What a gate says of a grant.
    enum Answer: Equatable {
        case open
        /// Until something changes: a setting, or the number of leases.
        case shut
        /// Until this time of the monotonic clock.
        case shutUntil(UInt64)
    }

    private(set) var isPaused = false
    /// Jobs that may run at a time; 0: any number.
    private(set) var concurrency = 0
    private(set) var rate = RateLimit.none
    private(set) var forbidsPrefetch = false
    /// Leases of the queue, whatever their phase: a slot is free when what ended its lease is durable.
    var leased: Int
    /// Grants of the window that ends at `windowEnd`.
    private var granted: UInt32 = 0
    private var windowEnd: UInt64 = 0
    /// A worker has said that nothing can be done before.
    private var restsUntil: UInt64 = 0

    init(leased: Int) { self.leased = leased }

    var hasConcurrency: Bool { concurrency > 0 }

    /// The tests of a grant, in their order.
    func ask(now: UInt64) -> Answer {
        if isPaused { return .shut }
        let opening = opening(now: now)
        if opening > now { return .shutUntil(opening) }
        if concurrency > 0 && leased >= concurrency { return .shut }
        return .open
    }

    /// The time from which on the rate lets a job go; not above `now` where it does already.
    func opening(now: UInt64) -> UInt64 {
        let isUsedUp = rate.max > 0 && windowEnd > now && granted >= rate.max
        return max(restsUntil, isUsedUp ? windowEnd : 0)
    }

    /// A job was granted.
    mutating func take(now: UInt64) {
        leased += 1
        guard rate.max > 0 else { return }
        if windowEnd <= now {
            windowEnd = now &+ rate.window
            granted = 0
        }
        granted += 1
    }

    /// A window goes on where its rate is set again as it was.
    mutating func set(_ settings: QueueSettings) {
        isPaused = settings.isPaused
        concurrency = Int(settings.concurrency)
        forbidsPrefetch = settings.forbidsPrefetch
        if rate != settings.rate {
            rate = settings.rate
            (granted, windowEnd) = (0, 0)
        }
    }

    mutating func rest(until time: UInt64) { restsUntil = max(restsUntil, time) }

    /// The server stood still for so long: neither a window nor a rest went on.
    mutating func shift(by gap: UInt64) {
        windowEnd &+= gap
        if restsUntil > 0 { restsUntil &+= gap }
    }

    /// It holds nothing back, and never will.
    func isIdle(now: UInt64) -> Bool { !isPaused && concurrency == 0 && rate == .none && restsUntil <= now }
}

extension QueueSettings {
    /// They bound how many jobs begin, or run. A reserved job does neither, and would keep others from it: so nobody
    /// prefetches from such a queue.
    var forbidsPrefetch: Bool { concurrency > 0 || rate != .none }
}
