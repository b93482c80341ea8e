import PenstockWire

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A job of a list, in short.
public struct JobSummary: Hashable, Sendable {
    public let id: JobID
    public let queue: String
    public let name: String
    /// The id that its producer gave it; nil where it gave none.
    public let customID: String?
    /// The flow that the job was added with; nil for a job added alone.
    public let flow: FlowID?
    public let state: JobState
    /// Why the job failed; nil for one that has not.
    public let cause: FailureCause?
    /// 0 is the most urgent.
    public let priority: Int
    /// Attempts that it has in all.
    public let attempts: Int
    /// Attempts that were finished: with a result, or with a failure.
    public let attemptsMade: Int
    /// Times that a worker began the job, those included of which the lease was lost or given back.
    public let attemptsStarted: Int
    /// When the job was added, by the server's clock, as all times here.
    public let createdAt: Date
    /// The beginning of the last attempt; nil where there was none.
    public let startedAt: Date?
    /// When the job completed, failed or was cancelled; nil for one that has not finished.
    public let finishedAt: Date?
    /// The time until a delayed job is due; nil for any other.
    public let dueIn: Duration?
}

/// How many jobs of a priority wait in a queue.
public struct PriorityCount: Hashable, Sendable {
    /// 0 is the most urgent.
    public let priority: Int
    /// How many jobs of it wait.
    public let waiting: Int
}

/// The order of a list.
public enum ListOrder: Hashable, Sendable, CaseIterable {
    /// What runs, is due, was added or finished first comes first: see ``Queue/jobs(in:order:count:)``.
    case ascending
    /// The other way round.
    case descending
}

extension Queue {
    /// The jobs of the queue that are in a state, page by page.
    ///
    /// ```swift
    /// for try await page in queue.jobs(in: .failed, order: .descending) {
    ///     for job in page { print(job.id, job.name) }
    /// }
    /// ```
    ///
    /// In ascending order waiting jobs come as they would run (in a queue with groups,
    /// one group after the other: first the jobs without one, then those of the newest
    /// group), delayed ones as they are due, active ones as they began, those that wait for children as they were
    /// added, and finished ones as they finished. A job that changes its state or its
    /// place between two pages may come twice, or not at all; every other one comes
    /// exactly once.
    ///
    /// - Parameters:
    ///   - order: ascending, by default.
    ///   - count: jobs in a page, 1...1,000.
    /// - Throws: ``PenstockError`` when a page is asked for; its code is `queueNotFound` where there is no such queue.
    public func jobs(
        in state: JobState,
        order: ListOrder = .ascending,
        count: Int = 100
    ) -> Pages<[JobSummary]> {
        Pages { [client, name] (cursor: JobListCursor) throws(PenstockError) in
            try Checks.queue(name)
            try Checks.page(count)
            let request = GetJobs(
                queue: name,
                state: state.wire,
                isBackwards: order == .descending,
                cursor: cursor,
                rows: UInt32(count)
            )
            let page = try await client.read(JobPage.self, request)
            let jobs = page.rows.map { JobSummary($0, queue: name, state: state) }
            return (jobs, page.next == .start ? nil : page.next)
        }
    }

    /// How many jobs wait of each priority that a waiting job has, the most urgent first, page by page.
    ///
    /// - Parameter count: priorities in a page, 1...1,000.
    /// - Throws: ``PenstockError`` when a page is asked for; its code is `queueNotFound` where there is no such queue.
    public func priorities(count: Int = 100) -> Pages<[PriorityCount]> {
        Pages { [client, name] (cursor: UInt64) throws(PenstockError) in
            try Checks.queue(name)
            try Checks.page(count)
            let request = GetPriorities(queue: name, cursor: cursor, rows: UInt32(count))
            let page = try await client.read(PriorityPage.self, request)
            let counts = page.rows.map { PriorityCount(priority: Int($0.priority), waiting: Int($0.waiting)) }
            return (counts, page.next == 0 ? nil : page.next)
        }
    }
}

extension JobSummary {
    fileprivate init(_ row: JobPage.Row, queue: String, state: JobState) {
        id = JobID(row.job)
        self.queue = queue
        name = row.name
        customID = row.customID.isEmpty ? nil : row.customID
        flow = FlowID(optional: row.flow)
        self.state = state
        cause = FailureCause(row.cause)
        priority = Int(row.priority)
        attempts = Int(row.attempts)
        attemptsMade = Int(row.attemptsMade)
        attemptsStarted = Int(row.attemptsStarted)
        createdAt = Date(milliseconds: row.createdAt)
        startedAt = Date(optionalMilliseconds: row.startedAt)
        finishedAt = Date(optionalMilliseconds: row.finishedAt)
        dueIn = state == .delayed ? .milliseconds(row.dueIn) : nil
    }
}
