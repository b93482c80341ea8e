import PenstockWire
import Testing

@testable import PenstockEngine

/// What bounds a job, and the history of its attempts.
extension EngineHarness {
    /// The lease's attempt has taken too long.
    func timeOut(_ lease: TestLease) throws {
        stage(.timeOut, lease)
        try commit()
    }

    /// Jobs are failed that nobody has started in time.
    func expire() throws {
        stage(.expire, session)
        try commit()
    }

    func stall(_ job: JobID) throws {
        stageStall(try lease(job))
        try commit()
    }

    func giveBack(_ job: JobID) throws {
        stageReturn(try lease(job))
        try commit()
    }

    func attempts(_ job: JobID) throws -> [AttemptList.Row] {
        try open.read { try open.reads.attempts(GetAttempts(job: job), $0, lookup) }.rows
    }

    func message(_ job: JobID) throws -> String? {
        guard case .failure(let message, _) = try view(job).outcome else { return nil }
        return message
    }
}

/// Reports, logs and updates.
extension EngineHarness {
    @discardableResult
    func stageReport(
        _ lease: TestLease,
        progress: Payload? = nil,
        data: Payload? = nil,
        lines: [String] = []
    ) -> UInt64 {
        let sequence = lease.session.draw()
        var writer = WireWriter()
        Report(
            sequence: sequence,
            slot: lease.slot,
            token: lease.token,
            progress: progress,
            data: data,
            lines: lines
        ).encode(into: &writer)
        let body = batch.keep(writer.span)
        stage(.report, lease) {
            $0.sequence = sequence
            $0.body = body
        }
        return sequence
    }

    /// Commits, and throws the refusal of the command as a `WireError`.
    private func commitOutcome(of sequence: UInt64) throws {
        try commit()
        let outcome = try #require(session.outcomes[sequence])
        guard outcome.status != 0 else { return }
        throw WireError(ErrorCode(rawValue: outcome.status)!, try ErrorBody(reading: outcome.body).message)
    }

    func report(
        _ lease: TestLease,
        progress: Payload? = nil,
        data: Payload? = nil,
        lines: [String] = []
    ) throws {
        try commitOutcome(of: stageReport(lease, progress: progress, data: data, lines: lines))
    }

    func logs(_ job: JobID, cursor: UInt64 = 0, rows: UInt32 = 0) throws -> LogPage {
        try open.read { try open.reads.logs(GetLogs(job: job, cursor: cursor, rows: rows), $0) }
    }

    func clearLogs(_ job: JobID, keep: UInt32 = 0) throws {
        try commitOutcome(of: stageMessage(.clearLogs) { ClearLogs(sequence: $0, job: job, keep: keep) })
    }

    func update(_ job: JobID, data: Payload? = nil, priority: UInt32? = nil, delay: UInt64? = nil) throws {
        try commitOutcome(
            of: stageMessage(.update) {
                Update(sequence: $0, job: job, data: data, priority: priority, delay: delay)
            }
        )
    }
}
