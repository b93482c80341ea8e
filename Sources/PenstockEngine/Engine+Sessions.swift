import LMDB
import PenstockWire

/// Sessions: how far each one's commands were applied, and the outcomes that it has not confirmed.
extension Engine {
    /// Elapsed time after its last sign of life at which a session is forgotten: a day.
    static let sessionMilliseconds: UInt64 = 86_400_000
    /// Sessions looked at by one command.
    static let sessionsPerCommandMax = 1000

    mutating func openSession(
        _ command: Command,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        var record = SessionRecord()
        record.lastSeen = meta.elapsed
        try put(record, of: command.session, &transaction)
        result.openedSessions.append(command.sessionSlot)
    }

    mutating func endSession(
        _ command: Command,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        try forget(command.session, &transaction)
        outcomes.drop(command.sessionSlot)
        result.endedSessions.append(command.sessionSlot)
    }

    /// Forgets the outcomes that the client has.
    mutating func confirm(_ command: Command, _ transaction: inout WriteTransaction) throws(LMDBError) {
        guard var record = try session(command.session, transaction) else { return }
        record.applied = max(record.applied, try lastOutcome(of: command.session, transaction) ?? 0)
        record.confirmed = max(record.confirmed, min(command.sequence, record.applied))
        record.lastSeen = meta.elapsed
        try deleteOutcomes(of: command.session, upTo: record.confirmed, &transaction)
        try put(record, of: command.session, &transaction)
    }

    /// Looks at the sessions after those that the last command looked at; at the end it begins anew.
    mutating func expireSessions(_ transaction: inout WriteTransaction, _ result: inout BatchResult) throws(LMDBError) {
        for _ in 0..<Engine.sessionsPerCommandMax {
            guard let (key, record) = try nextSession(SessionKey(expiryCursor), transaction) else {
                expiryCursor = SessionID(high: 0, low: 0)
                return
            }
            if record.lastSeen + Engine.sessionMilliseconds < meta.elapsed { try forget(key.session, &transaction) }
            expiryCursor = key.session
        }
        result.hasMoreSessions = true
    }

    /// Writes what the batch's commands came to: one row for each session, and the same bytes for its connection.
    mutating func writeOutcomes(_ transaction: inout WriteTransaction, into result: inout BatchResult) throws(LMDBError)
    {
        for index in 0..<outcomes.count {
            outcomes.finish(index, commit: result.commit)
            let session = outcomes.sessions[index]
            if session.isDropped { continue }
            let key = OutcomeKey(session.session, session.sequence)
            try transaction.put(session.writer.span, for: key, in: tables.outcomes)
            let start = result.bytes.count
            result.bytes.raw(session.writer.span)
            result.outcomes.append(
                BatchResult.SessionOutcomes(
                    sessionSlot: session.slot,
                    session: session.session,
                    sequence: session.sequence,
                    runs: ByteRange(offset: start, count: result.bytes.count - start),
                    malformed: session.isMalformed
                )
            )
        }
    }

    private mutating func forget(_ session: SessionID, _ transaction: inout WriteTransaction) throws(LMDBError) {
        try dropStaged(of: session, &transaction)
        try deleteOutcomes(of: session, upTo: .max, &transaction)
        _ = try transaction.delete(SessionKey(session), in: tables.sessions)
    }

    private mutating func deleteOutcomes(
        of session: SessionID,
        upTo sequence: UInt64,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        while true {
            let first = try transaction.entry(atOrAfter: OutcomeKey(session, 0), in: tables.outcomes)?.key
            guard let first, first.session == session, first.sequence <= sequence else { return }
            _ = try transaction.delete(first, in: tables.outcomes)
        }
    }

    private mutating func lastOutcome(
        of session: SessionID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> UInt64? {
        try SessionReads(tables).lastOutcome(of: session, transaction)
    }

    private mutating func session(
        _ session: SessionID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> SessionRecord? {
        guard let bytes = try transaction.get(SessionKey(session), in: tables.sessions) else { return nil }
        return try decode { () throws(WireError) in try SessionRecord(bytes) }
    }

    private mutating func nextSession(
        _ key: SessionKey,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> (SessionKey, SessionRecord)? {
        guard let entry = try transaction.entry(after: key, in: tables.sessions), let found = entry.key else {
            return nil
        }
        let value = entry.value
        return (found, try decode { () throws(WireError) in try SessionRecord(value) })
    }

    private mutating func put(
        _ record: SessionRecord,
        of session: SessionID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        scratch.removeAll()
        record.encode(into: &scratch)
        try transaction.put(scratch.span, for: SessionKey(session), in: tables.sessions)
    }
}
