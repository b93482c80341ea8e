import CLMDB

/// What both kinds of transaction do: look up by key, through kept cursors.
///
/// The answers are bare pointers; ``ReadTransaction`` and ``WriteTransaction`` bind them to their own lifetime.
@unsafe
struct TransactionCore {
    let raw: OpaquePointer
    let slots: CursorSlots
    let generation: UInt64

    /// The value of `key`; nil when it has none.
    func get<Key: TableKey & ~Copyable & ~Escapable>(
        _ key: borrowing Key,
        in table: MDB_dbi
    ) throws(LMDBError) -> MDB_val? {
        let cursor = try unsafe slots.cursor(table, in: raw, generation: generation)
        var value = unsafe MDB_val()
        let status = unsafe withKey(key) { key in
            unsafe mdb_cursor_get(cursor, &key, &value, MDB_SET)
        }
        if status == MDB_NOTFOUND { return nil }
        try LMDBError.check(status, .get)
        return unsafe value
    }

    /// The first entry at or above `key` (or only above it); nil when there is none.
    func entry<Key: TableKey & ~Copyable & ~Escapable>(
        atOrAfter key: borrowing Key,
        orOnlyAfter isAfter: Bool,
        in table: MDB_dbi
    ) throws(LMDBError) -> (key: MDB_val, value: MDB_val)? {
        let cursor = try unsafe slots.cursor(table, in: raw, generation: generation)
        var found = unsafe MDB_val()
        var value = unsafe MDB_val()
        let status = unsafe withKey(key) { key in
            unsafe found = key
            let status = unsafe mdb_cursor_get(cursor, &found, &value, MDB_SET_RANGE)
            guard status == MDB_SUCCESS, isAfter, unsafe found.hasBytes(of: key) else { return status }
            return unsafe mdb_cursor_get(cursor, &found, &value, MDB_NEXT)
        }
        if status == MDB_NOTFOUND { return nil }
        try LMDBError.check(status, .get)
        return unsafe (found, value)
    }

    /// The number of entries of `table`.
    func count(_ table: MDB_dbi) throws(LMDBError) -> Int {
        try Int(unsafe statistics(table).ms_entries)
    }

    func statistics(_ table: MDB_dbi) throws(LMDBError) -> MDB_stat {
        var statistics = MDB_stat()
        try unsafe LMDBError.check(mdb_stat(raw, table, &statistics), .statistics)
        return statistics
    }
}

/// Calls `body` with the bytes of `key`, on the stack; `MDB_BAD_VALSIZE` when they are too few or too many.
func withKey<Key: TableKey & ~Copyable & ~Escapable>(
    _ key: borrowing Key,
    _ body: (inout MDB_val) -> Int32
) -> Int32 {
    unsafe withUnsafeTemporaryAllocation(byteCount: KeyLimits.keyBytesMax, alignment: 8) { buffer in
        let start = buffer.baseAddress!  // Of a buffer that is not empty.
        var writer = unsafe KeyWriter(start: start)
        key.encode(into: &writer)
        guard writer.count > 0, !writer.isTooLong else { return MDB_BAD_VALSIZE }
        var bytes = unsafe MDB_val(mv_size: writer.count, mv_data: start)
        return unsafe body(&bytes)
    }
}
