import CLMDB

/// LMDB's list of free pages, one entry for each commit that freed some.
///
///     key:   the number of the commit
///     value: a count, and as many page numbers; all machine words. What is behind them has no meaning.
enum FreeList {
    /// LMDB's number of the table.
    static var table: MDB_dbi { 0 }

    /// Calls `body` with the page numbers of each entry.
    static func forEach(
        _ transaction: OpaquePointer,
        _ body: (UnsafeBufferPointer<Int>) -> Void
    ) throws(LMDBError) {
        var cursor: OpaquePointer?
        try unsafe LMDBError.check(mdb_cursor_open(transaction, table, &cursor), .openCursor)
        defer { unsafe mdb_cursor_close(cursor) }
        while true {
            var key = unsafe MDB_val()
            var value = unsafe MDB_val()
            let status = unsafe mdb_cursor_get(cursor, &key, &value, MDB_NEXT)
            if status == MDB_NOTFOUND { return }
            try LMDBError.check(status, .get)
            let words = unsafe UnsafeBufferPointer<Int>(
                start: value.mv_data.assumingMemoryBound(to: Int.self),
                count: value.mv_size / MemoryLayout<Int>.size
            )
            unsafe body(try pages(of: words))
        }
    }

    /// The page numbers of an entry. It may have none: LMDB makes room for entries before it knows what is left for
    /// them.
    @unsafe static func pages(of words: UnsafeBufferPointer<Int>) throws(LMDBError) -> UnsafeBufferPointer<Int> {
        guard let count = unsafe words.first, count >= 0, count < words.count else {
            throw LMDBError(.corrupted, in: .get)
        }
        return unsafe UnsafeBufferPointer(rebasing: words[1..<count + 1])
    }
}
