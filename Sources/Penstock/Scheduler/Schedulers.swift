import PenstockWire

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Work that the server adds by itself, again and again.
///
/// ```swift
/// try await client.schedulers.upsert(
///     "nightly",
///     .cron("0 3 * * *", timeZone: "Europe/Berlin"),
///     adds: .job("report", queue: "reports", data: Report(days: 1))
/// )
/// ```
///
/// At most one run is pending: while what the last one added has not finished, an
/// occurrence is skipped, and the schedule goes on.
public struct Schedulers: Sendable {
    let client: PenstockClient

    public init(_ client: PenstockClient) { self.client = client }

    /// What became of an ``upsert(_:_:adds:limit:start:end:immediately:missedRuns:)``.
    public struct Upserted: Hashable, Sendable {
        /// False: there was a scheduler of the id, which was replaced.
        public let isNew: Bool
        /// When it runs next; nil where its limit or its end is reached.
        public let next: Date?
    }

    /// Makes a scheduler, or replaces the one of the same id, so that a program can call this whenever it starts.
    ///
    /// A replaced one keeps its count of runs, and its next occurrence where schedule and `start` are as before.
    /// One whose limit or end is reached is kept, without a next run, until it is removed or set anew.
    ///
    /// - Parameters:
    ///   - id: 1...255 bytes of UTF-8.
    ///   - work: what each run adds: at most 10,000 jobs, and 2 MiB on the wire.
    ///   - limit: runs over the scheduler's life, at least 1; nil: any number.
    ///   - start: there is no occurrence before; the intervals of ``Schedule/every(_:)`` are counted from it.
    ///   - end: there is no occurrence after.
    ///   - immediately: true: the first run is made at once, or at `start`. False, the default: when the schedule says.
    ///   - missedRuns: what is done about runs that could not be made in time.
    /// - Throws: ``PenstockError``; its code is `invalidSchedule` where the schedule can't be.
    @discardableResult
    public func upsert(
        _ id: String,
        _ schedule: Schedule,
        adds work: ScheduledWork,
        limit: Int? = nil,
        start: Date? = nil,
        end: Date? = nil,
        immediately: Bool = false,
        missedRuns: MissedRuns = .latest
    ) async throws(PenstockError) -> Upserted {
        try Schedulers.check(id)
        guard limit ?? 1 > 0 else {
            throw PenstockError(.invalidSchedule, "A limit of \(limit ?? 0) runs; at least 1 is allowed.")
        }
        let rule = SchedulerRule(
            schedule: try schedule.wire(),
            limit: limit.map { UInt64($0) },
            start: try start?.wireMilliseconds("start of a scheduler", orElse: .invalidSchedule),
            end: try end?.wireMilliseconds("end of a scheduler", orElse: .invalidSchedule),
            immediately: immediately,
            missedRuns: missedRuns.wire
        )
        let frame = try work.frame(id, rule)
        let outcome = try await client.command(frame) { (reader) throws(WireError) in
            try SchedulerOutcome(from: &reader)
        }
        return Upserted(isNew: outcome.isNew, next: Date(optionalMilliseconds: outcome.next))
    }

    /// Ends a scheduler. What it has added stays, and runs.
    ///
    /// - Throws: ``PenstockError``; its code is `schedulerNotFound` where there is none of the id.
    public func remove(_ id: String) async throws(PenstockError) {
        try Schedulers.check(id)
        try await client.carryOut(RemoveScheduler(sequence: 0, id: id))
    }

    /// The schedulers of the server, in the order of the bytes of their ids.
    ///
    /// A job with ``JobOptions/repeatEvery`` that goes on has one, too: its id is `repeat:` and the job's number.
    ///
    /// - Parameter pageCount: how many are asked for at a time, 1...1,000.
    public func list(pageCount: Int = 100) -> SchedulerList { SchedulerList(client: client, pageCount: pageCount) }

    /// When a scheduler will run next: its next occurrences, as the server's calendar has them now.
    ///
    /// ```swift
    /// let mondays = try await client.schedulers.nextRuns(of: "weekly", count: 4)
    /// ```
    ///
    /// The server knows the rules of the time zone, so ask it. An occurrence that comes while what the last run added has
    /// not finished is skipped when it comes; here it is listed.
    ///
    /// - Parameter count: 1...100.
    /// - Returns: fewer than `count` where the scheduler's limit or its end come before.
    /// - Throws: ``PenstockError``; its code is `schedulerNotFound` where there is none of the id.
    public func nextRuns(of id: String, count: Int = 10) async throws(PenstockError) -> [Date] {
        try Schedulers.check(id)
        guard (1...Limits.nextRunsMax).contains(count) else {
            throw PenstockError(
                .invalidRequest,
                "\(count) runs of a scheduler; 1 to \(Limits.nextRunsMax) are allowed."
            )
        }
        let reply = try await client.read(NextRunTimes.self, GetNextRuns(id: id, count: UInt32(count)))
        return reply.times.map { Date(milliseconds: $0) }
    }

    private static func check(_ id: String) throws(PenstockError) {
        guard (1...Limits.schedulerIDBytesMax).contains(id.utf8.count) else {
            throw PenstockError(
                .invalidName,
                "A scheduler's id of \(id.utf8.count) bytes; 1 to \(Limits.schedulerIDBytesMax) are allowed."
            )
        }
    }
}

extension PenstockClient {
    /// Work that the server adds by itself, again and again.
    public var schedulers: Schedulers { Schedulers(self) }
}
