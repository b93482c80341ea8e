import CLMDB

/// What is known after a commit, or a change, that failed.
public enum CommitFailure: Error, Equatable, Sendable {
    /// There is no room, and nothing of the transaction is on the disk: refuse what needs room, go on with the rest.
    case full(LMDBError)

    /// The transaction may be on the disk or not: answer nobody, end the process, and find out at the next start.
    ///
    /// A meta page may have reached the disk although its write failed, and a failed flush must not be tried again as if
    /// nothing had happened.
    case unknown(LMDBError)
}

extension Environment {
    /// What `error`, thrown by a change or by the commit of the outermost write transaction, means.
    ///
    /// Full is believed only when LMDB says so and the next write transaction begins. Call it on the writer's thread,
    /// after the transaction has ended.
    public func classify(_ error: LMDBError) -> CommitFailure {
        guard error.code.isFull, let next = try? beginWrite() else { return .unknown(error) }
        next.abort()
        return .full(error)
    }
}
