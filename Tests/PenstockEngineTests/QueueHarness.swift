import PenstockWire
import Testing

@testable import PenstockEngine

/// What is set of queues, and what is read of them, for the tests.
extension EngineHarness {
    func set(
        _ given: SetQueue.Given,
        queue: String = "q",
        _ change: (inout QueueSettings) -> Void = { _ in }
    ) throws {
        var settings = QueueSettings()
        change(&settings)
        try commit(
            stageMessage(.setQueue) { SetQueue(sequence: $0, queue: queue, given: given, settings: settings) }
        )
    }

    @discardableResult
    func promoteNow(_ target: Promote.Target) throws -> UInt32 {
        try commit(stageMessage(.promoteJobs) { Promote(sequence: $0, target: target) })
    }

    /// Gives a job back because a rate was reached; true where it has moved.
    func rest(_ lease: TestLease, for milliseconds: UInt64) throws -> Bool {
        let sequence = lease.session.draw()
        var writer = WireWriter()
        Move(sequence: sequence, slot: lease.slot, token: lease.token, to: .rateLimited, delay: milliseconds)
            .encode(into: &writer)
        let body = batch.keep(writer.span)
        stage(.move, lease) {
            $0.sequence = sequence
            $0.body = body
        }
        try commit()
        let outcome = try #require(lease.session.outcomes[sequence])
        var reader = WireReader(outcome.body.rawSpan)
        return try MoveOutcome(from: &reader).hasMoved
    }

    func page(_ request: GetJobs) throws -> JobPage {
        try open.read { try open.reads.jobs(request, $0, lookup, elapsed: elapsed) }
    }

    /// The jobs of a list, asked for in pages of so many; `between` comes before each page but the first.
    func list(
        _ state: JobState,
        queue: String = "q",
        isBackwards: Bool = false,
        rows: UInt32 = 2,
        between: () throws -> Void = {}
    ) throws -> [JobID] {
        var request = GetJobs(queue: queue, state: state, isBackwards: isBackwards, rows: rows)
        var jobs: [JobID] = []
        while true {
            let page = try page(request)
            #expect(page.rows.count <= Int(rows))
            jobs += page.rows.map(\.job)
            if page.next == .start { return jobs }
            request.cursor = page.next
            try between()
        }
    }

    func priorities(_ queue: String = "q", rows: UInt32 = 0) throws -> [[UInt32]] {
        var request = GetPriorities(queue: queue, rows: rows)
        var counts: [[UInt32]] = []
        repeat {
            let page = try open.read { try open.reads.priorities(request, $0, lookup) }
            counts += page.rows.map { [$0.priority, $0.waiting] }
            request.cursor = page.next
        } while request.cursor != 0
        return counts
    }

    func setGroup(_ group: String, queue: String = "q", _ concurrency: UInt32) throws {
        try commit(
            stageMessage(.setGroup) {
                SetGroup(sequence: $0, queue: queue, group: group, concurrency: concurrency)
            }
        )
    }

    func groups(_ queue: String = "q", group: String = "", cursor: UInt64 = 0, rows: UInt32 = 0) throws -> GroupPage {
        let request = GetGroups(queue: queue, group: group, cursor: cursor, rows: rows)
        return try open.read { try open.reads.groups(request, $0, lookup) }
    }
}
