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
