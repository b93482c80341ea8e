import PenstockWire

#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// A line of a job's log.
public struct JobLogLine: Hashable, Sendable {
    /// 1 for the first line that was ever written.
    public let number: Int
    /// When it was written, by the server's clock.
    public let time: Date
    public let text: String
}

/// A place in a job's log.
public struct LogCursor: RawRepresentable, Hashable, Sendable, Codable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Before the oldest line that is kept.
    public static let start = LogCursor(rawValue: 0)
}

/// A page of a job's log, the oldest line first.
public struct JobLogPage: Hashable, Sendable {
    public let lines: [JobLogLine]
    /// Lines ever written, those that are gone included.
    public let total: Int
    /// Where the next page begins; nil where this is the last.
    public let next: LogCursor?
}

extension JobHandle {
    /// A page of the job's log.
    ///
    /// - Parameters:
    ///   - cursor: ``JobLogPage/next`` of the page before.
    ///   - count: lines of the page, 1...1,000.
    /// - Throws: ``PenstockError``; its code is `jobNotFound` where retention has taken the job.
    public func logs(
        after cursor: LogCursor = .start,
        count: Int = 1000
    ) async throws(PenstockError) -> JobLogPage {
        try Checks.page(count)
        let request = GetLogs(job: id.wire, cursor: cursor.rawValue, rows: UInt32(count))
        let page = try await client.read(LogPage.self, request, over: link)
        return JobLogPage(
            lines: page.rows.map {
                JobLogLine(number: Int($0.number), time: Date(milliseconds: $0.time), text: $0.text)
            },
            total: Int(page.lines),
            next: page.next == 0 ? nil : LogCursor(rawValue: page.next)
        )
    }

    /// All pages of the job's log, one after the other.
    ///
    /// - Parameter count: lines of a page, 1...1,000.
    public func logPages(count: Int = 1000) -> Pages<JobLogPage> {
        Pages { cursor throws(PenstockError) in
            let page = try await logs(after: LogCursor(rawValue: cursor), count: count)
            return (page, page.next?.rawValue)
        }
    }

    /// Lets the job's log go.
    ///
    /// - Parameter keep: so many of its newest lines stay, 0...4,294,967,295; none by default.
    /// - Throws: ``PenstockError``; its code is `jobNotFound` where there is no such job any more.
    public func clearLogs(keep: Int = 0) async throws(PenstockError) {
        guard let lines = UInt32(exactly: keep) else {
            throw PenstockError(.invalidOption, "\(keep) lines to keep; 0 to \(UInt32.max) are allowed.")
        }
        try await client.carryOut(ClearLogs(sequence: 0, job: id.wire, keep: lines))
    }
}
