/// What a read transaction and a write transaction have in common: looking things up.
///
/// What they return is borrowed from the transaction. A put or a delete needs the write transaction exclusively, so the
/// compiler refuses to use a value, an entry or a cursor after one: LMDB may have moved the page.
public protocol Transaction: ~Copyable, ~Escapable {
    /// The number of the snapshot; in a write transaction, of the commit to be.
    var id: UInt64 { get }

    /// The value of `key`; nil when it has none.
    ///
    /// It goes through a cursor that the transaction keeps for the table: keys near the last one are found fastest.
    @_lifetime(borrow self)
    func get<Key: TableKey & ~Copyable & ~Escapable>(
        _ key: borrowing Key,
        in table: Table<Key>
    ) throws(LMDBError) -> RawSpan?

    /// The first entry at or above `key`; nil when there is none. For one entry it is cheaper than a ``Cursor``.
    @_lifetime(borrow self)
    func entry<Key: TableKey & ~Copyable & ~Escapable>(
        atOrAfter key: borrowing Key,
        in table: Table<Key>
    ) throws(LMDBError) -> Entry<Key>?

    /// The first entry above `key`; nil when there is none.
    @_lifetime(borrow self)
    func entry<Key: TableKey & ~Copyable & ~Escapable>(
        after key: borrowing Key,
        in table: Table<Key>
    ) throws(LMDBError) -> Entry<Key>?

    /// A new cursor, at no entry yet. It costs one allocation.
    @_lifetime(borrow self)
    func cursor<Key: TableKey & ~Copyable & ~Escapable>(in table: Table<Key>) throws(LMDBError) -> Cursor<Key>

    /// The number of entries of `table`. LMDB keeps it: no walk.
    func count<Key: TableKey & ~Copyable & ~Escapable>(_ table: Table<Key>) throws(LMDBError) -> Int
}
