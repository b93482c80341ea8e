import PenstockWire

/// A queue of a list, as it was at one moment of the server's.
public struct QueueSummary: Hashable, Sendable {
    public let name: String
    public let counts: JobCounts
    public let isPaused: Bool
}

extension PenstockClient {
    /// The queues of the server in the order in which they were first named, page by page.
    ///
    /// A queue is there from the first time on that anything was added to it or set
    /// of it, or that a worker asked for its jobs.
    ///
    /// - Parameter count: queues in a page, 1...1,000.
    public func queues(count: Int = 100) -> Pages<[QueueSummary]> {
        Pages { [self] (cursor: UInt64) throws(PenstockError) in
            try Checks.page(count)
            let page = try await read(QueuePage.self, ListQueues(cursor: cursor, rows: UInt32(count)))
            let queues = page.rows.map {
                QueueSummary(name: $0.name, counts: JobCounts($0.counts), isPaused: $0.isPaused)
            }
            return (queues, page.next == 0 ? nil : page.next)
        }
    }
}
