import LMDB
import PenstockWire

/// What the end of a job does to those that depend on it.
extension Engine {
    /// Tells every dependent of a job that has just finished. Failures that this causes go to ``failures``.
    mutating func settleDependents(
        of job: JobID,
        _ record: JobRecord,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        if record.firstDependent != .none {
            let edge = EdgeKey(record.firstDependent, record.firstDependentPosition)
            try settle(edge, isCompleted: record.state == .completed, &transaction, &result)
        }
        guard record.dependents > 1 || record.firstDependent == .none else { return }
        var after = DependentKey(job, .none)
        while let (key, position) = try nextDependent(after, transaction) {
            try settle(
                EdgeKey(key.dependent, position),
                isCompleted: record.state == .completed,
                &transaction,
                &result
            )
            after = key
        }
    }

    /// The dependent's row after the given one, of the same dependency.
    private mutating func nextDependent(
        _ key: DependentKey,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> (DependentKey, UInt32)? {
        guard let entry = try transaction.entry(after: key, in: tables.dependents), let found = entry.key,
            found.dependency == key.dependency
        else { return nil }
        let value = entry.value
        let position = try decode { () throws(WireError) in
            var reader = WireReader(value)
            return try reader.u32()
        }
        return (found, position)
    }

    /// Goes through the failures that are not passed on yet, and those that they cause, until none is left.
    ///
    /// A list in place of recursion: a chain of failures may be as long as a flow is deep.
    mutating func settleFailures(_ transaction: inout WriteTransaction, _ result: inout BatchResult) throws(LMDBError) {
        while let job = failures.popLast() {
            guard let record = try record(of: job, transaction) else { continue }
            try settleDependents(of: job, record, &transaction, &result)
        }
    }

    /// Resolves one edge whose dependency has finished.
    mutating func settle(
        _ key: EdgeKey,
        isCompleted: Bool,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        // A held one was here before: an add may come to the same edge in two ways.
        guard var edge = try edge(key, transaction), edge.kind == .unprocessed, !edge.isHeld,
            var record = try record(of: key.dependent, transaction)
        else { return }
        let isDetached = key.position < record.dependencies.detachedBelow
        let counts = !isDetached && !record.state.isFinished
        if isCompleted {
            edge.kind = .processed
            record.dependencies.processed += 1
            resolve(&record, isDetached)
            try put(edge, at: key, &transaction)
        } else {
            let stays = try refuse(&edge, key, &record, isDetached, &transaction)
            if stays { return try rewrite(record, of: key.dependent, &transaction) }
        }
        guard counts, record.state == .waitingChildren else {
            return try rewrite(record, of: key.dependent, &transaction)
        }
        if edge.kind == .failed {
            record.cause = .dependency
            try forgetHeld(&record, &transaction)
            let text = failureText("Its dependency \(edge.dependency) failed.")
            return try failForGood(&record, of: key.dependent, text, &transaction, &result)
        }
        if edge.policy == .continue && !isCompleted {
            record.dependencies.detachedBelow = record.dependencies.positions
            record.dependencies.counting = 0
            try forgetHeld(&record, &transaction)
        }
        if record.dependencies.counting == 0 {
            try release(&record, of: key.dependent, &transaction, &result)
        }
        try rewrite(record, of: key.dependent, &transaction)
    }

    /// Applies the policy of an edge whose dependency failed or was cancelled, to edge and counters.
    ///
    /// - Returns: true where the edge stays unprocessed, and the dependent in its state.
    private mutating func refuse(
        _ edge: inout EdgeRecord,
        _ key: EdgeKey,
        _ record: inout JobRecord,
        _ isDetached: Bool,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> Bool {
        switch edge.policy {
        case .failParent:
            edge.kind = .failed
            record.dependencies.failed += 1
            resolve(&record, isDetached)
            if !isDetached && !record.state.isFinished {
                record.dependencies.failedDependency = edge.dependency
            }
        case .ignore, .continue:
            edge.kind = .ignored
            record.dependencies.ignored += 1
            resolve(&record, isDetached)
        case .remove:
            record.dependencies.unprocessed -= 1
            if !isDetached { record.dependencies.counting -= 1 }
            try removeEdge(edge, key, &transaction)
            return false
        case .wait:
            if isDetached || record.state.isFinished {
                // It holds nobody any more: what happened is recorded, and changes nothing.
                edge.kind = .ignored
                record.dependencies.ignored += 1
                resolve(&record, isDetached)
            } else {
                edge.isHeld = true
                try put(edge, at: key, &transaction)
                record.dependencies.held += 1
                if record.flow != .none, try open(record.flow, &transaction) { openFlow!.record.heldEdges += 1 }
                return true
            }
        }
        try put(edge, at: key, &transaction)
        return false
    }

    private mutating func resolve(_ record: inout JobRecord, _ isDetached: Bool) {
        record.dependencies.unprocessed -= 1
        if !isDetached { record.dependencies.counting -= 1 }
    }

    /// The job leaves waiting-children, though `wait` holds edges of it: they hold nobody any more.
    private mutating func forgetHeld(
        _ record: inout JobRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard record.dependencies.held > 0 else { return }
        if record.flow != .none, try open(record.flow, &transaction) {
            openFlow!.record.heldEdges -= record.dependencies.held
        }
        record.dependencies.held = 0
    }

    /// Takes an edge away, from both sides.
    private mutating func removeEdge(
        _ edge: EdgeRecord,
        _ key: EdgeKey,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        _ = try transaction.delete(key, in: tables.edges)
        guard var dependency = try record(of: edge.dependency, transaction) else { return }
        dependency.dependents -= 1
        if dependency.firstDependent == key.dependent {
            dependency.firstDependent = .none
        } else {
            _ = try transaction.delete(DependentKey(edge.dependency, key.dependent), in: tables.dependents)
        }
        try rewrite(dependency, of: edge.dependency, &transaction)
    }
}
