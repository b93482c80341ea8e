import CLMDB

extension Environment {
    /// The number of the last commit.
    public var lastCommittedID: UInt64 { UInt64(unsafe info.me_last_txnid) }

    /// The slots of the reader table that are or were in use.
    public var readerSlots: Int { Int(unsafe info.me_numreaders) }

    /// The use of the file as of the last commit.
    ///
    /// It walks the list of free pages, one entry for each commit whose pages were not yet used again: microseconds as a
    /// rule, more under a pinned reader. It allocates a transaction: for once a batch, not once a command.
    public func usage() throws(LMDBError) -> DatabaseUsage {
        try accountPages(ofTables: false).usage
    }

    /// The account of all pages as of the last commit; as cheap as ``usage()``, since LMDB counts each tree's pages.
    public func accountPages() throws(LMDBError) -> PageAccount {
        try accountPages(ofTables: true)
    }

    private var info: MDB_envinfo {
        var info = unsafe MDB_envinfo()
        unsafe mdb_env_info(raw, &info)
        return unsafe info
    }

    private func accountPages(ofTables: Bool) throws(LMDBError) -> PageAccount {
        while true {
            let transaction = try unsafe beginRaw(parent: nil, isReadOnly: true)
            defer { unsafe mdb_txn_abort(transaction) }
            let info = unsafe info
            // The last page is told of the last commit only: look again if that is not the one of the snapshot.
            guard unsafe info.me_last_txnid == mdb_txn_id(transaction) else { continue }

            let core = unsafe TransactionCore(raw: transaction, slots: writeSlots, generation: 0)
            let free = try unsafe core.statistics(FreeList.table)
            let pageSize = Int(free.ms_psize)
            var account = PageAccount(
                usage: DatabaseUsage(
                    commitID: UInt64(unsafe info.me_last_txnid),
                    pageSize: pageSize,
                    pages: unsafe info.me_last_pgno + 1,
                    freePages: try unsafe countFreePages(transaction),
                    mapPages: unsafe info.me_mapsize / pageSize
                )
            )
            guard ofTables else { return account }
            account.add(free)
            account.add(try unsafe core.statistics(Self.mainTable))
            for index in tableIndexes {
                account.add(try unsafe core.statistics(index))
            }
            return account
        }
    }

    /// LMDB's own list of the named tables.
    private static var mainTable: MDB_dbi { 1 }

    private func countFreePages(_ transaction: OpaquePointer) throws(LMDBError) -> Int {
        var count = 0
        try unsafe FreeList.forEach(transaction) { pages in count += pages.count }
        return count
    }
}
