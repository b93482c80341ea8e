import CLMDB

extension WriteTransaction {
    /// Stores a copy of `value` under `key`, in place of the value that it may have.
    ///
    /// - Throws: `.badValueSize`; `.keyExists` (see ``PutOptions``); `.mapFull`, `.noSpace`; others of the disk's.
    public mutating func put<Key: TableKey & ~Copyable & ~Escapable>(
        _ value: RawSpan,
        for key: borrowing Key,
        in table: Table<Key>,
        options: PutOptions = []
    ) throws(LMDBError) {
        let status = try unsafe value.withUnsafeBytes { bytes throws(LMDBError) in
            var value = unsafe MDB_val(
                mv_size: bytes.count,
                mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress)
            )
            return try unsafe store(&value, for: key, in: table.index, flags: options.rawValue)
        }
        try LMDBError.check(status, .put)
    }

    /// Makes room for `byteCount` bytes under `key`, and lets `fill` write them in their place in the page.
    ///
    /// It saves the copy of a value that is not bytes yet. `fill` must append exactly `byteCount` bytes (less traps:
    /// the rest would be whatever the page held before).
    public mutating func reserve<Key: TableKey & ~Copyable & ~Escapable>(
        _ byteCount: Int,
        for key: borrowing Key,
        in table: Table<Key>,
        options: PutOptions = [],
        _ fill: (inout OutputRawSpan) -> Void
    ) throws(LMDBError) {
        var value = unsafe MDB_val(mv_size: byteCount, mv_data: nil)
        let flags = options.rawValue | UInt32(MDB_RESERVE)
        try unsafe LMDBError.check(store(&value, for: key, in: table.index, flags: flags), .put)
        let place = unsafe UnsafeMutableRawBufferPointer(start: value.mv_data, count: byteCount)
        var output = unsafe OutputRawSpan(buffer: place, initializedCount: 0)
        fill(&output)
        let filled = unsafe output.finalize(for: place)
        precondition(filled == byteCount, "a reserved value must be filled to its end")
    }

    /// Changes the value of `key` without changing its size; false when it has none.
    ///
    /// The value is copied, changed and put: pages of older commits are not ours to write. Up to 1 KiB or so the copy is
    /// on the stack.
    public mutating func modify<Key: TableKey & ~Copyable & ~Escapable>(
        _ key: borrowing Key,
        in table: Table<Key>,
        _ change: (inout MutableRawSpan) -> Void
    ) throws(LMDBError) -> Bool {
        guard let old = try unsafe core.get(key, in: table.index) else { return false }
        let size = unsafe old.mv_size
        let status = try unsafe withUnsafeTemporaryAllocation(
            byteCount: size,
            alignment: 8
        ) { buffer throws(LMDBError) -> Int32 in
            unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(start: old.mv_data, count: size))
            var bytes = unsafe MutableRawSpan(_unsafeBytes: buffer)
            change(&bytes)
            var value = unsafe MDB_val(mv_size: size, mv_data: buffer.baseAddress)
            return try unsafe store(&value, for: key, in: table.index, flags: 0)
        }
        try LMDBError.check(status, .put)
        return true
    }

    /// Removes `key` and its value; false when it was not there.
    public mutating func delete<Key: TableKey & ~Copyable & ~Escapable>(
        _ key: borrowing Key,
        in table: Table<Key>
    ) throws(LMDBError) -> Bool {
        guard try unsafe core.get(key, in: table.index) != nil else { return false }
        // The lookup has left the kept cursor on the entry.
        let cursor = try unsafe core.slots.cursor(table.index, in: core.raw, generation: 0)
        try unsafe LMDBError.check(mdb_cursor_del(cursor, 0), .delete)
        return true
    }

    /// Puts through the kept cursor; an append, through one of its own (see ``CursorSlots``).
    private func store<Key: TableKey & ~Copyable & ~Escapable>(
        _ value: inout MDB_val,
        for key: borrowing Key,
        in table: MDB_dbi,
        flags: UInt32
    ) throws(LMDBError) -> Int32 {
        if flags & UInt32(MDB_APPEND) != 0 {
            let raw = unsafe core.raw
            return unsafe withKey(key) { key in unsafe mdb_put(raw, table, &key, &value, flags) }
        }
        let cursor = try unsafe core.slots.cursor(table, in: core.raw, generation: 0)
        return unsafe withKey(key) { key in unsafe mdb_cursor_put(cursor, &key, &value, flags) }
    }
}
