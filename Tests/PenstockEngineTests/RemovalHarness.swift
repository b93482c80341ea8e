import PenstockWire
import Testing

@testable import PenstockEngine

/// Removing, cleaning and retention, for the tests.
extension EngineHarness {
    @discardableResult
    func stageRemove(_ target: Remove.Target, _ session: TestSession? = nil) -> UInt64 {
        stageMessage(.remove, session) { Remove(sequence: $0, target: target) }
    }

    @discardableResult
    func stageClean(_ kind: Clean.Kind, queue: String, _ session: TestSession? = nil) -> UInt64 {
        stageMessage(.clean, session) { Clean(sequence: $0, queue: queue, kind: kind) }
    }

    @discardableResult
    func stageMessage(
        _ kind: Command.Kind,
        _ session: TestSession? = nil,
        _ message: (UInt64) -> some WireMessage
    ) -> UInt64 {
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

    /// How many jobs the command came to; throws its refusal as a `WireError`.
    private func count(_ sequence: UInt64) throws -> UInt32 {
        try commit()
        let outcome = try #require(session.outcomes[sequence])
        guard outcome.status == 0 else {
            throw WireError(ErrorCode(rawValue: outcome.status)!, try ErrorBody(reading: outcome.body).message)
        }
        var reader = WireReader(outcome.body.rawSpan)
        return try CountOutcome(from: &reader).jobs
    }

    @discardableResult
    func remove(_ target: Remove.Target) throws -> UInt32 { try count(stageRemove(target)) }

    @discardableResult
    func remove(_ job: JobID, keepingDependencies: Bool = false) throws -> UInt32 {
        try remove(.job(job, keepsDependencies: keepingDependencies))
    }

    @discardableResult
    func clean(_ kind: Clean.Kind, queue: String = "q") throws -> UInt32 {
        try count(stageClean(kind, queue: queue))
    }

    /// One slice of retention.
    func retainSlice() throws {
        stage(.retain, session)
        try commit()
    }

    /// Looks at all finished jobs; in how many slices.
    @discardableResult
    func retain() throws -> Int {
        var slices = 0
        repeat {
            try retainSlice()
            slices += 1
        } while result.hasMoreToRetain
        return slices
    }

    /// True while a large effect is not carried out.
    var isCarryingOn: Bool { open.engine.isSettling }

    /// Carries on with what a large removal has left; in how many batches.
    @discardableResult
    func carryOnToTheEnd() throws -> Int {
        var batches = 0
        while isCarryingOn {
            stage(.carryOn, session)
            try commit()
            batches += 1
        }
        return batches
    }

    // MARK: Reads

    /// Which of the jobs are there for readers.
    func present(_ jobs: [JobID]) throws -> [JobID] {
        try jobs.filter { job in try refusal { _ = try self.view(job) } != .jobNotFound }
    }

    /// The ids of all jobs of which anything is stored.
    func stored() throws -> [JobID] { try dump().jobs.keys.sorted() }

    /// The dependencies of a kind, as the dependent reads them.
    func dependencies(of job: JobID, _ kind: DependencyKind = .processed) throws -> [DependencyPages.Row] {
        let request = GetDependencies(job: job, pages: [GetDependencies.Page(kind: kind, cursor: 0, rows: 0)])
        return try open.read { try open.reads.dependencies(request, $0) }.pages[0].rows
    }

    /// The bytes of all tables that a refused command must not change.
    func untouched() throws -> [String: [[UInt8]]] {
        var tables = try bytes(of: open.environment, open.reader)
        for name in ["meta", "outcomes"] { tables[name] = nil }
        return tables
    }
}
