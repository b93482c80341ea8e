/// Pages that are asked for one after the other, each when it is wanted.
///
/// ```swift
/// for try await page in handle.dependencyPages(.processed, count: 100) {
///     for dependency in page.dependencies { print(dependency.key) }
/// }
/// ```
///
/// Each page is exact at one moment of the server's, and what one page has shown
/// comes in no later one. The sequence ends behind the last page; it can be gone
/// through more than once, and each time begins anew.
public struct Pages<Page: Sendable>: AsyncSequence, Sendable {
    public typealias Element = Page
    public typealias Failure = PenstockError
    /// A page, and where the next one begins; nil where this was the last.
    typealias Load = @Sendable (_ cursor: UInt64) async throws(PenstockError) -> (page: Page, next: UInt64?)

    private let start: UInt64
    private let load: Load

    init(from start: UInt64 = 0, _ load: @escaping Load) {
        self.start = start
        self.load = load
    }

    public func makeAsyncIterator() -> Iterator { Iterator(cursor: start, load: load) }

    public struct Iterator: AsyncIteratorProtocol {
        public typealias Element = Page
        public typealias Failure = PenstockError

        private var cursor: UInt64?
        private let load: Load

        fileprivate init(cursor: UInt64, load: @escaping Load) {
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
            cursor = next
            return page
        }
    }
}
