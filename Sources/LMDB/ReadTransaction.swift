import CLMDB

/// A snapshot of the database: what was committed when it began, and nothing later.
///
/// It comes from a ``SnapshotReader`` and goes back to it when it ends. Values are borrowed from it, pointers into the
/// map without a copy; the compiler refuses to keep one past the end. While it lives, pages that later commits free
/// cannot be used again and the file grows: keep it for a turn of the loop, some 50 ms, and never across a wait.
@safe
public struct ReadTransaction: Transaction, ~Copyable, ~Escapable {
    @unsafe let core: TransactionCore
    private let reader: SnapshotReader

    @_lifetime(borrow reader)
    init(_ reader: borrowing SnapshotReader, _ core: TransactionCore) {
        unsafe self.core = unsafe core
        self.reader = copy reader
    }

    deinit {
        reader.end()
    }

    /// The number of the last commit that the snapshot shows.
    public var id: UInt64 { UInt64(unsafe mdb_txn_id(core.raw)) }

    @_lifetime(borrow self)
    public func get<Key: TableKey & ~Copyable & ~Escapable>(
        _ key: borrowing Key,
        in table: Table<Key>
    ) throws(LMDBError) -> RawSpan? {
        guard let value = try unsafe core.get(key, in: table.index) else { return nil }
        return unsafe _overrideLifetime(value.span, borrowing: self)
    }

    @_lifetime(borrow self)
    public func entry<Key: TableKey & ~Copyable & ~Escapable>(
        atOrAfter key: borrowing Key,
        in table: Table<Key>
    ) throws(LMDBError) -> Entry<Key>? {
        guard let found = try unsafe core.entry(atOrAfter: key, orOnlyAfter: false, in: table.index) else { return nil }
        return unsafe _overrideLifetime(Entry(keyBytes: found.key.span, value: found.value.span), borrowing: self)
    }

    @_lifetime(borrow self)
    public func entry<Key: TableKey & ~Copyable & ~Escapable>(
        after key: borrowing Key,
        in table: Table<Key>
    ) throws(LMDBError) -> Entry<Key>? {
        guard let found = try unsafe core.entry(atOrAfter: key, orOnlyAfter: true, in: table.index) else { return nil }
        return unsafe _overrideLifetime(Entry(keyBytes: found.key.span, value: found.value.span), borrowing: self)
    }

    @_lifetime(borrow self)
    public func cursor<Key: TableKey & ~Copyable & ~Escapable>(
        in table: Table<Key>
    ) throws(LMDBError) -> Cursor<Key> {
        try unsafe _overrideLifetime(Cursor(unsafe core.raw, table), borrowing: self)
    }

    public func count<Key: TableKey & ~Copyable & ~Escapable>(_ table: Table<Key>) throws(LMDBError) -> Int {
        try unsafe core.count(table.index)
    }
}
