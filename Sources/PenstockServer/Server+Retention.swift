import PenstockEngine

/// When finished jobs are looked at that need not be kept any more.
///
/// An idle server does nothing: the next look is due some seconds after a job has
/// finished, or when the next of those that are kept is old enough.
extension Server {
    /// Milliseconds between the end of a job and the look that may remove it, or others.
    static let retentionMilliseconds: UInt64 = 10_000
    /// The next look waits so many times as long as the last one passed its time with jobs that stay, if that is longer:
    /// it goes by them again.
    private static let retentionShare: UInt64 = 20
    /// Milliseconds between two slices of one look, where no more is asked for.
    private static let retentionPauseMilliseconds: UInt64 = 5

    /// Asks for a slice if one is due.
    func retain(now: UInt64) {
        guard !isRetaining, !isStopping, now >= nextRetention || clock.elapsed >= retentionDue else { return }
        isRetaining = true
        retentionBegan = now
        stage(Command(.retain))
    }

    /// Decides when the next slice is due.
    func noteRetention(_ result: borrowing BatchResult) {
        let now = clock.monotonic
        if !result.finishedJobs.isEmpty { nextRetention = min(nextRetention, now + retentionPause) }
        guard result.hasLookedForRetention else { return }
        if result.hasRetained {
            isRetaining = false
            if result.jobsRetentionTook == 0 { retentionPassing += now - retentionBegan }
        }
        if result.hasMoreToRetain {
            nextRetention = now + Server.retentionPauseMilliseconds
            retentionDue = .max
        } else {
            retentionPause = max(Server.retentionMilliseconds, retentionPassing * Server.retentionShare)
            retentionPassing = 0
            nextRetention = result.finishedJobs.isEmpty ? .max : now + retentionPause
            retentionDue = result.nextRetention
        }
    }
}
