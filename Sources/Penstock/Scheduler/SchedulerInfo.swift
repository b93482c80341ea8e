import PenstockWire

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A scheduler, as it was at one moment of the server's.
public struct SchedulerInfo: Hashable, Sendable {
    public let id: String
    public let schedule: Schedule
    /// Runs over its life; nil: any number.
    public let limit: Int?
    /// There is no occurrence before; nil where none was given.
    public let start: Date?
    /// There is no occurrence after; nil where none was given.
    public let end: Date?
    /// True: the first run was to be made at once, or at `start`.
    public let immediately: Bool
    /// What is done about runs that could not be made in time.
    public let missedRuns: MissedRuns
    /// When it runs next; nil: its limit or its end is reached.
    public let next: Date?
    /// Runs so far.
    public let runs: Int
    /// The flow that the last run added; nil before the first run, and for a job alone.
    public let lastFlow: FlowID?
    /// The first job that the last run added; nil before the first run.
    public let lastJob: JobID?

    init(_ row: SchedulerPage.Row) {
        id = row.id
        schedule = Schedule(row.rule.schedule)
        limit = row.rule.limit.map { Int(clamping: $0) }
        start = row.rule.start.map { Date(milliseconds: $0) }
        end = row.rule.end.map { Date(milliseconds: $0) }
        immediately = row.rule.immediately
        missedRuns = MissedRuns(row.rule.missedRuns)
        next = Date(optionalMilliseconds: row.next)
        runs = Int(clamping: row.runs)
        lastFlow = row.lastFlow == .none ? nil : FlowID(rawValue: row.lastFlow.rawValue)
        lastJob = row.lastJob == .none ? nil : JobID(row.lastJob)
    }
}

/// The schedulers of a server in the order of their ids, asked for page by page as they are wanted.
///
/// It can be gone through more than once, and each time begins anew.
public struct SchedulerList: AsyncSequence, Sendable {
    public typealias Element = SchedulerInfo
    public typealias Failure = PenstockError

    let client: PenstockClient
    let pageCount: Int

    public func makeAsyncIterator() -> Iterator { Iterator(client: client, pageCount: pageCount) }

    public struct Iterator: AsyncIteratorProtocol {
        public typealias Element = SchedulerInfo
        public typealias Failure = PenstockError

        let client: PenstockClient
        let pageCount: Int
        private var rows: [SchedulerPage.Row] = []
        /// The next of `rows`.
        private var index = 0
        private var hasMore = true

        init(client: PenstockClient, pageCount: Int) {
            self.client = client
            self.pageCount = pageCount
        }

        /// The next scheduler; nil behind the last.
        public mutating func next() async throws(PenstockError) -> SchedulerInfo? {
            try await next(isolation: #isolation)
        }

        /// The next scheduler; nil behind the last.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(PenstockError) -> SchedulerInfo? {
            if index == rows.count && hasMore {
                try Checks.page(pageCount)
                let request = GetSchedulers(after: rows.last?.id ?? "", rows: UInt32(pageCount))
                let page = try await client.read(SchedulerPage.self, request)
                if let last = page.rows.last?.id, last == rows.last?.id { throw .repeatedPage }
                (rows, index, hasMore) = (page.rows, 0, page.hasMore)
            }
            guard index < rows.count else { return nil }
            index += 1
            return SchedulerInfo(rows[index - 1])
        }
    }
}
