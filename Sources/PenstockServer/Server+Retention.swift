import PenstockEngine

/// When finished jobs are looked at that need not be kept any more.
///
/// An idle server does nothing: the next look is due some seconds after a job has
/// finished, or when the next of those that are kept is old enough.
extension Server {
    /// Milliseconds between the end of a job and the look that may remove it, or others.
    static let retentionMilliseconds: UInt64 = 10_000
    /// The next look waits so many times as long as the last one took, if that is longer: what it may not take yet, it
    /// goes by again.
    private static let retentionShare: UInt64 = 20
    /// Milliseconds between two slices of one look.
    private static let retentionPauseMilliseconds: UInt64 = 5

    /// Asks for a slice if one is due.
    func retain(now: UInt64) {
        guard !isRetaining, !isStopping, now >= nextRetention || clock.elapsed >= retentionDue else { return }
        isRetaining = true
        if retentionBegan == nil { retentionBegan = now }
        stage(Command(.retain))
    }

    /// Decides when the next slice is due.
    func noteRetention(_ result: borrowing BatchResult) {
        let now = clock.monotonic
        if !result.finishedJobs.isEmpty { nextRetention = min(nextRetention, now + retentionPause) }
        guard result.hasRetained else { return }
        isRetaining = false
        if result.hasMoreToRetain {
            nextRetention = now + Server.retentionPauseMilliseconds
            retentionDue = .max
        } else {
            let took = now - (retentionBegan ?? now)
            retentionPause = max(Server.retentionMilliseconds, took * Server.retentionShare)
            retentionBegan = nil
            nextRetention = result.finishedJobs.isEmpty ? .max : now + retentionPause
            retentionDue = result.nextRetention
        }
    }
}
