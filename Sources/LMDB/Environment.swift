import CLMDB
import Glibc
import Synchronization

/// An open database: a directory, its map, and its tables.
///
/// One for each directory and process; a lock of its own (``OpenError/inUse(path:)``) sees to that. Any thread may use
/// it: one writes (``beginWrite()`` waits for its turn), each reader has a ``SnapshotReader``. Transactions and readers
/// keep it open; it closes with the last reference. It does not survive `fork`.
// @unchecked Sendable: MDB_env is safe for threads; `writeSlots` belongs to the holder of LMDB's writer mutex.
@safe
public final class Environment: @unchecked Sendable {
    @unsafe let raw: OpaquePointer
    /// The kept cursors of the write transaction, a row for each nesting depth.
    @unsafe let writeSlots: CursorSlots
    private let tables: [(name: String, index: MDB_dbi)]
    /// The thread that has the write transaction; 0 when none has.
    private let writer = Atomic<UInt>(0)
    private let lock: DirectoryLock

    init(raw: OpaquePointer, tables: [(name: String, index: MDB_dbi)], lock: consuming DirectoryLock) {
        unsafe self.raw = unsafe raw
        self.tables = tables
        unsafe writeSlots = unsafe CursorSlots.allocate(tables: tables.count, rows: KeyLimits.nestingMax + 1)
        self.lock = lock
    }

    deinit {
        unsafe writeSlots.deallocate()
        unsafe mdb_env_close(raw)
        // The lock goes last, with its field.
    }

    var tableCount: Int { tables.count }
    var tableIndexes: some Sequence<MDB_dbi> { tables.lazy.map(\.index) }

    /// The table `name`, which must be one of those that the environment was opened with.
    public func table<Key: TableKey & ~Copyable & ~Escapable>(
        _ name: String,
        keyedBy key: Key.Type = Key.self
    ) -> Table<Key> {
        guard let table = tables.first(where: { $0.name == name }) else {
            preconditionFailure("table \(name) was not named when the environment was opened")
        }
        return Table(index: table.index)
    }

    /// Begins the write transaction, after those that other threads have begun. A second one of one thread traps.
    @_lifetime(borrow self)
    public func beginWrite() throws(LMDBError) -> WriteTransaction {
        let transaction = try unsafe WriteTransaction(self, parent: nil, depth: 0)
        return unsafe _overrideLifetime(transaction, borrowing: self)
    }

    /// Frees the slots of readers whose process is gone, which would pin old pages for ever, and tells how many.
    ///
    /// Call it every half minute or so: a killed `mdb_stat` is enough.
    @discardableResult
    public func checkReaders() throws(LMDBError) -> Int {
        var dead: Int32 = 0
        try unsafe LMDBError.check(mdb_reader_check(raw, &dead), .checkReaders)
        return Int(dead)
    }
}

extension Environment {
    func beginRaw(parent: OpaquePointer?, isReadOnly: Bool) throws(LMDBError) -> OpaquePointer {
        let isOutermostWrite = unsafe !isReadOnly && parent == nil
        let thread = UInt(pthread_self())
        if isOutermostWrite {
            precondition(
                writer.load(ordering: .relaxed) != thread,
                "a thread has one write transaction at a time; nest it"
            )
        }
        var transaction: OpaquePointer?
        let flags = UInt32(isReadOnly ? MDB_RDONLY : 0)
        try unsafe LMDBError.check(mdb_txn_begin(raw, parent, flags, &transaction), .begin)
        if isOutermostWrite { writer.store(thread, ordering: .relaxed) }
        return unsafe transaction!  // mdb_txn_begin succeeded.
    }

    /// Called by the outermost write transaction just before it gives LMDB's writer mutex back.
    func writerEnds() {
        writer.store(0, ordering: .relaxed)
    }
}
