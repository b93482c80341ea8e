package import LMDB
package import PenstockWire

/// What a resuming session has to be told.
package struct SessionReads {
    let tables: Tables

    init(_ tables: Tables) { self.tables = tables }

    package init(_ engine: borrowing Engine) { tables = engine.tables }

    /// The last number applied; nil where the session is not known.
    package func applied<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ session: SessionID,
        _ transaction: borrowing Snapshot
    ) throws(LMDBError) -> UInt64? {
        guard let bytes = try transaction.get(SessionKey(session), in: tables.sessions) else { return nil }
        guard let record = try? SessionRecord(bytes) else { throw LMDBError(.corrupted, in: .get) }
        return max(record.applied, try lastOutcome(of: session, transaction) ?? 0)
    }

    /// The number of the last outcome that is kept.
    func lastOutcome<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of session: SessionID,
        _ transaction: borrowing Snapshot
    ) throws(LMDBError) -> UInt64? {
        var cursor = try transaction.cursor(in: tables.outcomes)
        let beyond = try cursor.seek(to: OutcomeKey(session, .max))
        if let key = beyond?.key, key.session == session { return key.sequence }
        guard let last = try (beyond == nil ? cursor.last() : cursor.previous()), let key = last.key,
            key.session == session
        else { return nil }
        return key.sequence
    }

    /// Calls `body` with every kept APPLIED body whose last number is above `sequence`, oldest first.
    package func outcomes<Snapshot: Transaction & ~Copyable & ~Escapable>(
        of session: SessionID,
        above sequence: UInt64,
        _ transaction: borrowing Snapshot,
        _ body: (RawSpan) -> Void
    ) throws(LMDBError) {
        var cursor = try transaction.cursor(in: tables.outcomes)
        guard sequence < .max else { return }
        var entry = try cursor.seek(to: OutcomeKey(session, sequence + 1))
        while let found = entry {
            guard let key = found.key, key.session == session else { return }
            body(found.value)
            entry = try cursor.next()
        }
    }

    /// Calls `body` with every lease that was written, of all sessions.
    package func leases<Snapshot: Transaction & ~Copyable & ~Escapable>(
        _ transaction: borrowing Snapshot,
        _ body: (JobID, LeaseRecord) -> Void
    ) throws(LMDBError) {
        var cursor = try transaction.cursor(in: tables.leases)
        var entry = try cursor.first()
        while let found = entry {
            guard let job = found.key, let lease = try? LeaseRecord(found.value) else {
                throw LMDBError(.corrupted, in: .get)
            }
            body(JobID(job), lease)
            entry = try cursor.next()
        }
    }
}
