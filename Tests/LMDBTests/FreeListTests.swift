import TestSupport
import Testing

@testable import LMDB

@Suite(.computing) struct FreeListTests {
    private func pages(_ words: [Int]) throws -> [Int] {
        try unsafe words.withUnsafeBufferPointer { unsafe Array(try FreeList.pages(of: $0)) }
    }

    @Test(arguments: [([2, 5, 7], [5, 7]), ([1, 5, 7], [5]), ([0], []), ([0, 0, 0], [])] as [([Int], [Int])])
    func `an entry has as many pages as it says, and may have none`(words: [Int], expected: [Int]) throws {
        #expect(try pages(words) == expected)
    }

    @Test(arguments: [[], [1], [3, 5, 7], [-1, 5]] as [[Int]])
    func `an entry that says what can't be is damaged`(words: [Int]) {
        let error = #expect(throws: LMDBError.self) { try pages(words) }
        #expect(error?.code == .corrupted)
    }
}
