import PenstockWire

/// Pages that are asked for one after the other, each when it is wanted.
///
/// ```swift
/// for try await page in handle.dependencyPages(.processed, count: 100) {
///     for dependency in page.dependencies { print(dependency.key) }
/// }
/// ```
///
/// Each page is exact at one moment of the server's. What one page has shown comes in
/// no later one, unless it changes its place in between: see ``Queue/jobs(in:order:count:)``.
/// The sequence ends behind the last page; it can be gone through more than once, and each
/// time begins anew.
public struct Pages<Page: Sendable>: AsyncSequence, Sendable {
    public typealias Element = Page
    public typealias Failure = PenstockError
    /// A page, and where the next one begins; nil where this was the last.
    typealias Load<Cursor> = @Sendable (_ cursor: Cursor) async throws(PenstockError) -> (page: Page, next: Cursor?)

    private let start: JobListCursor
    private let load: Load<JobListCursor>

    /// Pages of which a cursor is one number.
    init(from start: UInt64 = 0, _ load: @escaping Load<UInt64>) {
        self.start = JobListCursor(order: start, job: 0)
        self.load = { cursor throws(PenstockError) in
            let (page, next) = try await load(cursor.order)
            return (page, next.map { JobListCursor(order: $0, job: 0) })
        }
    }

    /// Pages of which a cursor is two.
    init(_ load: @escaping Load<JobListCursor>) {
        start = .start
        self.load = load
    }

    public func makeAsyncIterator() -> Iterator { Iterator(cursor: start, load: load) }

    public struct Iterator: AsyncIteratorProtocol {
        public typealias Element = Page
        public typealias Failure = PenstockError

        private var cursor: JobListCursor?
        private let load: Load<JobListCursor>

        fileprivate init(cursor: JobListCursor, load: @escaping Load<JobListCursor>) {
            self.cursor = cursor
            self.load = load
        }

        /// The next page; nil behind the last.
        public mutating func next() async throws(PenstockError) -> Page? {
            try await next(isolation: #isolation)
        }

        /// The next page; nil behind the last.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(PenstockError) -> Page? {
            guard let position = cursor else { return nil }
            let (page, next) = try await load(position)
            if next == position { throw .repeatedPage }
            cursor = next
            return page
        }
    }
}

/// Everything of a list, page by page.
///
/// - Parameter load: the rows of the page at a cursor, and where the next one begins; nil where this was the last.
func collect<Row, Cursor: Equatable>(
    from start: Cursor,
    _ load: (_ cursor: Cursor) async throws(PenstockError) -> (rows: [Row], next: Cursor?)
) async throws(PenstockError) -> [Row] {
    var all: [Row] = []
    var cursor: Cursor? = start
    while let position = cursor {
        let (rows, next) = try await load(position)
        // Else a server could keep its client asking for ever.
        if next == position { throw .repeatedPage }
        all += rows
        cursor = next
    }
    return all
}

extension PenstockError {
    static let repeatedPage = PenstockError(.malformed, "The server says that behind a page the same page comes again.")
}
