import PenstockWire
import Testing

@testable import Penstock

/// Lists that come in pages.
struct PagesTests {
    @Test func `everything of a list is what its pages have, in their order`() async throws {
        let all = try await collect(from: 0) { cursor throws(PenstockError) in
            ([cursor, cursor + 1], cursor < 4 ? cursor + 2 : nil)
        }
        #expect(all == [0, 1, 2, 3, 4, 5])
    }

    @Test func `a server that names the same page again is not asked for it again`() async throws {
        let whole = await #expect(throws: PenstockError.self) {
            try await collect(from: UInt64(0)) { cursor throws(PenstockError) in ([1], min(cursor + 1, 3)) }
        }
        #expect(whole?.code == .malformed)
        var pages = Pages<[Int]>(from: 3) { cursor throws(PenstockError) in ([1], cursor) }.makeAsyncIterator()
        let page = await #expect(throws: PenstockError.self) { _ = try await pages.next() }
        #expect(page?.code == .malformed)
    }
}
