import CLMDB

/// The cursors that a transaction keeps, one for each table, each opened when its table is first touched.
///
/// Why: `mdb_get`, `mdb_put` and `mdb_del` walk from the root each time. A kept cursor first looks at the page where it
/// is, and keys of one batch tend to be neighbours: as measured, get 95 ns instead of 165, put 150 instead of 220,
/// delete 145 instead of 205; a far key costs the same either way.
///
/// Two rules of LMDB's shape what goes through them. A cursor remembers that it is at the end of its table (`C_EOF`)
/// through changes made by others, and `MDB_APPEND`, `MDB_LAST` and `MDB_NEXT` trust that: so kept cursors only seek
/// by key (`MDB_SET`, `MDB_SET_RANGE`, then perhaps one step) and put by key; appends and walks use cursors of their
/// own. And every use seeks anew: nothing trusts where a cursor was left by a delete.
@unsafe
struct CursorSlots {
    @unsafe
    struct Slot {
        var cursor: OpaquePointer?
        /// The snapshot for which the cursor was last renewed (read transactions).
        var generation: UInt64
    }

    let base: UnsafeMutablePointer<Slot>
    /// LMDB's own two tables come first.
    let count: Int

    static func slotCount(tables: Int) -> Int { tables + 2 }

    /// Room for `rows` rows of slots; free it with ``deallocate()``.
    static func allocate(tables: Int, rows: Int) -> CursorSlots {
        let count = unsafe slotCount(tables: tables)
        let base = UnsafeMutablePointer<Slot>.allocate(capacity: count * rows)
        unsafe base.initialize(repeating: Slot(cursor: nil, generation: 0), count: count * rows)
        return unsafe CursorSlots(base: base, count: count)
    }

    func deallocate() {
        unsafe base.deallocate()
    }

    /// The slots of the transaction at nesting depth `row`.
    func row(_ row: Int) -> CursorSlots {
        unsafe CursorSlots(base: base + row * count, count: count)
    }

    func forgetAll() {
        unsafe base.update(repeating: Slot(cursor: nil, generation: 0), count: count)
    }

    func copy(from other: CursorSlots) {
        unsafe base.update(from: other.base, count: count)
    }

    func closeAll() {
        for index in unsafe 0..<count {
            if let cursor = unsafe base[index].cursor { unsafe mdb_cursor_close(cursor) }
        }
        unsafe forgetAll()
    }

    /// The cursor of `table`, ready for use in `transaction`.
    ///
    /// - Parameter generation: The number of a reader's snapshot; 0 in a write transaction, whose cursors end with it.
    func cursor(_ table: MDB_dbi, in transaction: OpaquePointer, generation: UInt64) throws(LMDBError) -> OpaquePointer
    {
        let index = Int(table)
        precondition(unsafe index < count, "the table belongs to another environment")
        let slot = unsafe base + index
        if let cursor = unsafe slot.pointee.cursor {
            if unsafe slot.pointee.generation != generation {
                try unsafe LMDBError.check(mdb_cursor_renew(transaction, cursor), .renewCursor)
                unsafe slot.pointee.generation = generation
            }
            return unsafe cursor
        }
        var cursor: OpaquePointer?
        try unsafe LMDBError.check(mdb_cursor_open(transaction, table, &cursor), .openCursor)
        unsafe slot.pointee = unsafe Slot(cursor: cursor, generation: generation)
        return unsafe cursor!  // mdb_cursor_open succeeded.
    }
}
