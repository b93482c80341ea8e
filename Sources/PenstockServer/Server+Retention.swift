import PenstockEngine

extension Server {
    /// Asks for a slice if one is due.
    func retain(now: UInt64) {
        guard !isStopping, retention.ask(now: now, elapsed: clock.elapsed, isSettling: isSettling) else { return }
        stage(Command(.retain))
    }
}

/// When finished jobs are looked at that need not be kept any more: slice by slice, as the engine has it.
///
/// An idle server does nothing: the next look is due some seconds after a job has
/// finished, or when the next of those that are kept is old enough. While large
/// effects are carried out there is none: jobs may have to tell their dependents
/// still how they ended.
struct RetentionTimes {
    /// Milliseconds between the end of a job and the look that may remove it, or others.
    static let pauseMilliseconds: UInt64 = 10_000
    /// The next look waits so many times as long as the last one passed its time with jobs that stay, if that is longer:
    /// it goes by them again.
    private static let share: UInt64 = 20
    /// Milliseconds between two slices of one look, where no more is asked for.
    private static let slicePauseMilliseconds: UInt64 = 5

    /// A slice has been asked for, at this time; and the look has not come to its end.
    private var isAsking = false
    private var began: UInt64 = 0
    private var isLooking = false
    /// The next look, or slice, is due: monotonic milliseconds, and elapsed ones.
    private var next: UInt64
    private var nextElapsed = UInt64.max
    /// Jobs have finished since the look began, perhaps behind it.
    private var hasFinished = false
    /// How long the look has only gone by jobs that stay; and how long after it the next may begin.
    private var passing: UInt64 = 0
    private var pause = RetentionTimes.pauseMilliseconds

    init(now: UInt64) { next = now + RetentionTimes.pauseMilliseconds }

    /// Monotonic time at which a slice is to be asked for; `.max` where what happens first will tell.
    func due(now: UInt64, elapsed: UInt64, isSettling: Bool) -> UInt64 {
        if isAsking || isSettling { return .max }
        if nextElapsed == .max { return next }
        return min(next, nextElapsed > elapsed ? now + (nextElapsed - elapsed) : now)
    }

    /// True where a slice is due: it counts as asked for now.
    mutating func ask(now: UInt64, elapsed: UInt64, isSettling: Bool) -> Bool {
        guard due(now: now, elapsed: elapsed, isSettling: isSettling) <= now else { return false }
        if !isLooking { hasFinished = false }
        isAsking = true
        began = now
        return true
    }

    /// Takes in what a commit came to.
    mutating func note(_ result: borrowing BatchResult, now: UInt64) {
        // Those that it took are told to have finished, too.
        if result.finishedJobs.count > result.jobsRetentionTook {
            hasFinished = true
            next = min(next, now + pause)
        }
        guard result.hasLookedForRetention else { return }
        if result.hasRetained {
            isAsking = false
            if result.jobsRetentionTook == 0 { passing += now - began }
        }
        isLooking = result.hasMoreToRetain
        if isLooking {
            next = now + RetentionTimes.slicePauseMilliseconds
            nextElapsed = .max
        } else {
            pause = max(RetentionTimes.pauseMilliseconds, passing * RetentionTimes.share)
            passing = 0
            next = hasFinished ? now + pause : .max
            nextElapsed = result.nextRetention
        }
    }
}
