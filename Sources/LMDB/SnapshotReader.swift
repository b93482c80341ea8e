import CLMDB

/// A reader that one thread keeps and uses again and again: each ``begin()`` is a fresh snapshot.
///
/// Why: `mdb_txn_begin` allocates and takes a slot of the reader table under a lock; a reader does both once, then
/// `mdb_txn_reset` lets the snapshot go and `mdb_txn_renew` takes a new one, without allocation or lock. It also keeps
/// one cursor for each table that it has read.
///
///     let reader = try SnapshotReader(environment)
///     do {
///         let snapshot = try reader.begin()
///         …
///     }                                         // Given back here.
///
/// It is not `Sendable`: one thread, one snapshot at a time (a second ``begin()`` traps). It keeps its environment open.
@safe
public final class SnapshotReader {
    private let environment: Environment
    @unsafe private let raw: OpaquePointer
    @unsafe private let slots: CursorSlots
    private var generation: UInt64 = 0
    private var isActive = false

    /// - Throws: `.readersFull` when the reader table is full.
    public init(_ environment: Environment) throws(LMDBError) {
        let raw = try unsafe environment.beginRaw(parent: nil, isReadOnly: true)
        unsafe mdb_txn_reset(raw)
        unsafe self.raw = unsafe raw
        unsafe slots = unsafe CursorSlots.allocate(tables: environment.tableCount, rows: 1)
        self.environment = environment
    }

    deinit {
        unsafe slots.closeAll()
        unsafe slots.deallocate()
        unsafe mdb_txn_abort(raw)
    }

    /// A snapshot of the last commit. It ends when it goes out of scope.
    @_lifetime(borrow self)
    public func begin() throws(LMDBError) -> ReadTransaction {
        precondition(!isActive, "a reader has one snapshot at a time")
        try unsafe LMDBError.check(mdb_txn_renew(raw), .renew)
        isActive = true
        generation += 1
        let core = unsafe TransactionCore(raw: raw, slots: slots, generation: generation)
        return unsafe ReadTransaction(self, core)
    }

    func end() {
        unsafe mdb_txn_reset(raw)
        isActive = false
    }
}
