import PenstockWire
import Testing

@testable import PenstockEngine

/// Commands about jobs and flows that exist, and what they leave to later batches.
extension EngineHarness {
    @discardableResult
    private func stage(_ kind: Command.Kind, _ session: TestSession?, _ message: (UInt64) -> some WireMessage) -> UInt64
    {
        let session = session ?? self.session
        let sequence = session.draw()
        var writer = WireWriter()
        message(sequence).encode(into: &writer)
        let body = batch.keep(writer.span)
        stage(kind, session) {
            $0.sequence = sequence
            $0.body = body
        }
        return sequence
    }

    @discardableResult
    func stageCancel(_ target: Cancel.Target, reason: String = "", _ session: TestSession? = nil) -> UInt64 {
        stage(.cancel, session) { Cancel(sequence: $0, target: target, reason: reason) }
    }

    @discardableResult
    func stageRetry(
        _ target: Retry.Target,
        keepsCounters: Bool = false,
        reruns: Bool = false,
        data: Payload? = nil,
        _ session: TestSession? = nil
    ) -> UInt64 {
        hasSecondThoughts = true
        return stage(.retry, session) {
            Retry(sequence: $0, target: target, keepsCounters: keepsCounters, reruns: reruns, data: data)
        }
    }

    @discardableResult
    func stageFinish(_ job: JobID, _ ending: Finish.Ending, _ session: TestSession? = nil) -> UInt64 {
        stage(.finish, session) { Finish(sequence: $0, job: job, ending: ending) }
    }

    @discardableResult
    func stageResolve(
        _ dependent: JobID,
        _ dependency: JobID,
        to resolution: Resolve.Resolution,
        _ session: TestSession? = nil
    ) -> UInt64 {
        hasSecondThoughts = true
        return stage(.resolve, session) {
            Resolve(sequence: $0, dependent: dependent, dependency: dependency, to: resolution)
        }
    }

    /// Commits, and throws the refusal of the command as a `WireError`; how many jobs it came to, where it tells.
    @discardableResult
    func commit(_ sequence: UInt64) throws -> UInt32 {
        try commit()
        let outcome = try #require(session.outcomes[sequence])
        if outcome.status != 0 {
            throw WireError(ErrorCode(rawValue: outcome.status)!, try ErrorBody(reading: outcome.body).message)
        }
        guard !outcome.body.isEmpty else { return 0 }
        var reader = WireReader(outcome.body.rawSpan)
        return try reader.u32()
    }

    @discardableResult
    func cancel(_ target: Cancel.Target, reason: String = "") throws -> UInt32 {
        try commit(stageCancel(target, reason: reason))
    }

    @discardableResult
    func cancel(_ job: JobID) throws -> UInt32 { try cancel(.job(job)) }

    @discardableResult
    func retry(
        _ target: Retry.Target,
        keepsCounters: Bool = false,
        reruns: Bool = false,
        data: Payload? = nil
    ) throws -> UInt32 {
        try commit(stageRetry(target, keepsCounters: keepsCounters, reruns: reruns, data: data))
    }

    @discardableResult
    func retry(_ job: JobID) throws -> UInt32 { try retry(.job(job)) }

    func finish(_ job: JobID, _ ending: Finish.Ending) throws { try commit(stageFinish(job, ending)) }

    func resolve(_ dependent: JobID, _ dependency: JobID, to resolution: Resolve.Resolution) throws {
        try commit(stageResolve(dependent, dependency, to: resolution))
    }

    var isSettling: Bool { open.engine.isSettling }

    /// One slice of what large effects have left.
    func carryOn() throws {
        stage(.carryOn, session)
        try commit()
    }

    /// Carries on until everything has settled; in how many batches.
    @discardableResult
    func settle() throws -> Int {
        var batches = 0
        while open.engine.isSettling {
            try carryOn()
            batches += 1
        }
        return batches
    }
}
