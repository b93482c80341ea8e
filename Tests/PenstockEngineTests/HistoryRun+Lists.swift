import PenstockWire
import Testing

@testable import PenstockEngine

/// What is told of queues: their jobs in order, page by page, how many of each priority wait, and since when.
extension HistoryRun {
    /// - Parameter all: every list of every queue, and not only one.
    func compareLists(_ model: Model, all: Bool, _ problems: inout Problems) throws {
        let names = model.queues.sorted()
        let queues = all ? names : names.randomElement(using: &checks).map { [$0] } ?? []
        for queue in queues {
            let states = all ? JobState.allCases : [JobState.allCases.randomElement(using: &checks)!]
            for state in states { try compareList(queue, state, model, &problems) }
            let ready = try engine.ready(queue).compactMap { model.jobs[$0.job] }
            let view = try engine.queueView(queue)
            let settings = model.settings[queue] ?? .standard
            problems.expect(view.settings == settings, "queue \(queue): \(view.settings) is set, not \(settings)")
            let oldest = model.oldestReady(ready)
            problems.expect(
                view.oldestReady == oldest,
                "queue \(queue): the oldest is ready for \(view.oldestReady, default: "-"), not \(oldest, default: "-")"
            )
            let free = ready.filter { engine.leases[$0.id] == nil }
            let counts = Dictionary(grouping: free, by: \.options.priority)
            let expected = counts.sorted { $0.key < $1.key }.map { [$0.key, UInt32($0.value.count)] }
            let found = try engine.priorities(queue, rows: UInt32(1 + checks.below(3)))
            problems.expect(found == expected, "queue \(queue): \(found) wait by priority, not \(expected)")
        }
    }

    private func compareList(
        _ queue: String,
        _ state: JobState,
        _ model: Model,
        _ problems: inout Problems
    ) throws {
        let isBackwards = checks.below(2) == 0
        var request = GetJobs(queue: queue, state: state, isBackwards: isBackwards, rows: UInt32(1 + checks.below(5)))
        var rows: [JobPage.Row] = []
        repeat {
            let page = try engine.page(request)
            try #require(page.rows.count <= request.rows)
            rows += page.rows
            request.cursor = page.next
        } while request.cursor != .start
        if isBackwards { rows.reverse() }
        let jobs = try listed(queue, state, model)
        problems.expect(
            rows.map(\.job) == jobs.map(\.id),
            "queue \(queue): \(rows.map(\.job)) are listed as \(state), not \(jobs.map(\.id))"
        )
        for (row, job) in zip(rows, jobs) {
            let dueIn = state == .delayed && job.due > engine.elapsed ? job.due - engine.elapsed : 0
            let isRunningUnwritten = state == .active && !job.isLeaseWritten
            let isSame =
                row.flow == job.flow && row.cause == job.cause && row.priority == job.options.priority
                && row.attempts == job.options.attempts && Int(row.attemptsMade) == job.made
                && Int(row.attemptsStarted) == job.started + (isRunningUnwritten ? 1 : 0)
                && row.createdAt == job.createdAt && row.dueIn == dueIn
                && row.finishedAt == (state.isFinished ? job.finishedAt : 0)
            problems.expect(isSame, "queue \(queue): job \(job.id) is listed as \(row)")
        }
    }

    /// Those that wait stand as they are served, which is compared beside; the active ones as their leases began.
    private func listed(_ queue: String, _ state: JobState, _ model: Model) throws -> [Model.Job] {
        if state == .waiting {
            return try engine.ready(queue).map(\.job).filter { engine.leases[$0] == nil }.compactMap { model.jobs[$0] }
        }
        let jobs = model.jobs.values.filter { $0.queue == queue && stateForReaders($0) == state }
        guard state == .active else { return model.inOrder(jobs, [state]) }
        return jobs.sorted { a, b in
            (engine.leases[a.id]!.startedAt, a.id) < (engine.leases[b.id]!.startedAt, b.id)
        }
    }
}
