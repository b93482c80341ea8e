import CLMDB

/// The one write transaction of a database: its changes are all there after ``commit()``, or none of them.
///
/// LMDB lets one exist at a time; ``Environment/beginWrite()`` waits for its turn. It belongs to the thread that began
/// it. Going out of scope aborts it. A key is 1 to ``KeyLimits/keyBytesMax`` bytes, or the call throws `.badValueSize` and
/// nothing else has happened; after any other error of a change, only abort: LMDB answers `.badTransaction`.
///
/// What lookups return is borrowed, and changes are `mutating`. Each of these was tried, and the compiler refuses it: a
/// value or an entry used after a later put or delete, after the commit, or out of the transaction's scope; a change
/// while a cursor is in scope; the outer transaction put to or committed while a nested one lives; a second commit; a
/// transaction kept in a class or sent to another task; a key of another table's type.
@safe
public struct WriteTransaction: Transaction, ~Copyable, ~Escapable {
    @unsafe let core: TransactionCore
    private let environment: Environment
    /// 0 in the outermost transaction.
    private let depth: Int
    /// False once it was committed, or the attempt failed: LMDB has freed it.
    private var isOpen = true

    /// The caller binds the lifetime: to the environment, or to the outer transaction.
    @_lifetime(immortal)
    init(_ environment: Environment, parent: OpaquePointer?, depth: Int) throws(LMDBError) {
        let slots = unsafe environment.writeSlots.row(depth)
        let raw = try unsafe environment.beginRaw(parent: parent, isReadOnly: false)
        if depth == 0 {
            unsafe slots.forgetAll()
        } else {
            unsafe slots.copy(from: environment.writeSlots.row(depth - 1))
        }
        unsafe core = unsafe TransactionCore(raw: raw, slots: slots, generation: 0)
        self.environment = environment
        self.depth = depth
    }

    deinit {
        if isOpen {
            if depth == 0 { environment.writerEnds() }
            unsafe mdb_txn_abort(core.raw)
        }
    }

    /// Makes the changes durable, or, in a nested transaction, part of the outer one.
    ///
    /// - Throws: Whatever the disk answers. The transaction has then ended, but is not always undone: see
    ///   ``Environment/classify(_:)``.
    public consuming func commit() throws(LMDBError) {
        isOpen = false
        if depth == 0 { environment.writerEnds() }
        try unsafe LMDBError.check(mdb_txn_commit(core.raw), .commit)
    }

    /// Undoes the changes. The same happens when the transaction goes out of scope.
    public consuming func abort() {}

    /// A transaction inside this one: its abort undoes only its own changes, its commit makes them part of this one.
    ///
    /// It costs some 400 ns, and the first change of each page copies the page again: for the few commands that can
    /// fail half-way, not for all. At most ``KeyLimits/nestingMax`` deep.
    @_lifetime(&self)
    public mutating func beginNested() throws(LMDBError) -> WriteTransaction {
        precondition(depth < KeyLimits.nestingMax, "write transactions are nested too deeply")
        let nested = try unsafe WriteTransaction(environment, parent: core.raw, depth: depth + 1)
        return unsafe _overrideLifetime(nested, mutating: &self)
    }
}
