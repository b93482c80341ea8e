package import LMDB
package import PenstockWire

/// Deduplication ids, for people.
extension Reads {
    /// Which job holds an id of a queue.
    package func deduplication<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ request: GetDeduplication,
        _ snapshot: borrowing Snapshot,
        elapsed: UInt64
    ) throws(Failure) -> DeduplicationView {
        guard let queue = queueIDs[request.queue] else {
            throw .refused(WireError(.queueNotFound, "There is no queue \(Names.quoted(request.queue))."))
        }
        let key = DeduplicationKey(queue, Array(request.id.utf8))
        return try wrap { () throws(LMDBError) in
            guard let row = try snapshot.get(key, in: tables.deduplications) else {
                return DeduplicationView(commit: snapshot.id)
            }
            let record = try decode { () throws(WireError) in try DeduplicationRecord(row) }
            guard record.isHeld(elapsed: elapsed) else { return DeduplicationView(commit: snapshot.id) }
            return DeduplicationView(
                commit: snapshot.id,
                job: record.job,
                hasKept: record.hasKept,
                endsIn: record.due == 0 ? 0 : record.due - elapsed
            )
        }
    }
}
