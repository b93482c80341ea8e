import PenstockWire

/// Jobs that lost their readiness to a command, as long as a lease may be about that was granted before.
///
/// The dispatcher grants in memory, beside the batch that is being applied. A
/// lease that it granted before it learned of a withdrawal is void, though the
/// job may be ready again by the time its worker says something. So each command
/// names the last commit that the dispatcher knew of at the grant, and each batch
/// the last one that it knew of when the batch was begun: what is older than that
/// has been told, and the lease has been revoked.
struct Withdrawals {
    /// In the order of their commits.
    private var entries: [(job: JobID, commit: UInt64)] = []
    /// The last commit that withdrew the job.
    private var commits: [JobID: UInt64] = [:]

    var count: Int { entries.count }

    mutating func add(_ job: JobID, commit: UInt64) {
        entries.append((job, commit))
        commits[job] = commit
    }

    /// True where the job was withdrawn after the lease was granted.
    func void(_ command: Command) -> Bool {
        guard !commits.isEmpty, let commit = commits[command.job] else { return false }
        return commit > command.settled
    }

    /// Forgets those that the dispatcher has been told of.
    mutating func settle(_ commit: UInt64) {
        guard let first = entries.first, first.commit <= commit else { return }
        entries.removeAll { $0.commit <= commit }
        index()
    }

    /// Takes back those of a batch that was not committed.
    mutating func truncate(to count: Int) {
        guard entries.count > count else { return }
        entries.removeLast(entries.count - count)
        index()
    }

    private mutating func index() {
        commits.removeAll(keepingCapacity: true)
        for entry in entries { commits[entry.job] = entry.commit }
    }
}
