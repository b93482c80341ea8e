import CLMDB

extension WriteTransaction {
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
