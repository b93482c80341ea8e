import CLMDB

/// A walk through a table in the order of its keys, either way.
///
/// It borrows its transaction, and so do the entries that it returns: they stay good when the cursor moves on, and the
/// compiler refuses a put or a delete before the cursor's scope has ended: give it one of its own (`do { … }`), or use
/// ``Transaction/entry(after:in:)`` to change what is walked. Each step is a few tens of nanoseconds.
///
///     var cursor = try transaction.cursor(in: ready)
///     var entry = try cursor.seek(to: ReadyKey(queue: 7, priority: 0, place: 0))
///     while let found = entry { … ; entry = try cursor.next() }
@safe
public struct Cursor<Key: TableKey & ~Copyable & ~Escapable>: ~Copyable, ~Escapable {
    @unsafe private let raw: OpaquePointer

    @_lifetime(immortal)
    @unsafe init(_ transaction: OpaquePointer, _ table: Table<Key>) throws(LMDBError) {
        var raw: OpaquePointer?
        try unsafe LMDBError.check(mdb_cursor_open(transaction, table.index, &raw), .openCursor)
        unsafe self.raw = unsafe raw!  // mdb_cursor_open succeeded.
    }

    deinit {
        unsafe mdb_cursor_close(raw)
    }

    /// Goes to the first entry; nil when the table is empty.
    @_lifetime(copy self)
    public mutating func first() throws(LMDBError) -> Entry<Key>? { try move(MDB_FIRST) }

    /// Goes to the last entry; nil when the table is empty.
    @_lifetime(copy self)
    public mutating func last() throws(LMDBError) -> Entry<Key>? { try move(MDB_LAST) }

    /// Goes to the next entry, or to the first when the cursor is nowhere yet; nil at the end.
    @_lifetime(copy self)
    public mutating func next() throws(LMDBError) -> Entry<Key>? { try move(MDB_NEXT) }

    /// Goes to the entry before, or to the last when the cursor is nowhere yet; nil at the beginning.
    @_lifetime(copy self)
    public mutating func previous() throws(LMDBError) -> Entry<Key>? { try move(MDB_PREV) }

    /// The entry where the cursor is; nil when it is nowhere.
    @_lifetime(copy self)
    public mutating func current() throws(LMDBError) -> Entry<Key>? { try move(MDB_GET_CURRENT) }

    /// Goes to the first entry at or above `key`; nil when there is none.
    @_lifetime(copy self)
    public mutating func seek(to key: borrowing Key) throws(LMDBError) -> Entry<Key>? { try seek(key, MDB_SET_RANGE) }

    /// Goes to the entry of `key`; nil when there is none, and the cursor may then be anywhere.
    @_lifetime(copy self)
    public mutating func seekExact(to key: borrowing Key) throws(LMDBError) -> Entry<Key>? {
        try seek(key, MDB_SET_KEY)
    }

    @_lifetime(copy self)
    private mutating func move(_ operation: MDB_cursor_op) throws(LMDBError) -> Entry<Key>? {
        var key = unsafe MDB_val()
        var value = unsafe MDB_val()
        let status = unsafe mdb_cursor_get(raw, &key, &value, operation)
        return try unsafe entry(status, key, value)
    }

    @_lifetime(copy self)
    private mutating func seek(
        _ key: borrowing Key,
        _ operation: MDB_cursor_op
    ) throws(LMDBError) -> Entry<Key>? {
        let raw = unsafe raw
        var found = unsafe MDB_val()
        var value = unsafe MDB_val()
        let status = unsafe withKey(key) { key in
            unsafe found = key
            return unsafe mdb_cursor_get(raw, &found, &value, operation)
        }
        return try unsafe entry(status, found, value)
    }

    @_lifetime(copy self)
    private func entry(_ status: Int32, _ key: MDB_val, _ value: MDB_val) throws(LMDBError) -> Entry<Key>? {
        // MDB_GET_CURRENT of a cursor that is nowhere answers EINVAL.
        if status == MDB_NOTFOUND || status == LMDBError.Code.invalidArgument.rawValue { return nil }
        try LMDBError.check(status, .get)
        return unsafe _overrideLifetime(Entry(keyBytes: key.span, value: value.span), copying: self)
    }
}
