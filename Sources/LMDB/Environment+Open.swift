import CLMDB
import Glibc

extension Environment {
    /// Opens the database in `directory`, makes it when there is none, and opens its tables, making those that it lacks.
    ///
    ///     let environment = try Environment.open(directory: "/var/lib/app", tables: ["jobs", "ready"])
    ///     let jobs = environment.table("jobs", keyedBy: UInt64.self)
    ///
    /// Before anything else is done, the file is synced (the open barrier): a predecessor that was killed, or whose last
    /// commit failed half-way, may have left pages that are in memory only, and neither answering from them nor writing
    /// on top of them is safe before they are on the disk.
    ///
    /// - Throws: ``OpenError``; nothing has been changed then, except that the directory may have been made.
    public static func open(
        directory: String,
        tables: [String],
        configuration: Configuration = Configuration()
    ) throws(OpenError) -> Environment {
        let files = DataDirectory(path: directory)
        try files.prepare(configuration)
        let lock = try DirectoryLock(directory: directory)
        try files.createIfAbsent { new throws(OpenError) in
            let raw = try unsafe openRaw(new, tables: tables.count, configuration)
            defer { unsafe mdb_env_close(raw) }
            do throws(LMDBError) {
                _ = try unsafe openTables(tables, raw)
                try unsafe LMDBError.check(mdb_env_sync(raw, 1), .sync)
            } catch { throw .lmdb(error) }
        }
        try files.checkDataFile()
        let raw = try unsafe openWhole(files, tables: tables.count, configuration)
        do throws(LMDBError) {
            try unsafe LMDBError.check(mdb_env_sync(raw, 1), .sync)
            try unsafe LMDBError.check(mdb_reader_check(raw, nil), .checkReaders)
            let indexes = try unsafe openTables(tables, raw)
            return unsafe Environment(raw: raw, tables: indexes, lock: lock)
        } catch {
            unsafe mdb_env_close(raw)
            throw .lmdb(error)
        }
    }

    /// The environment of `files`, after a check that its file has every page that is in use.
    private static func openWhole(
        _ files: DataDirectory,
        tables: Int,
        _ configuration: Configuration
    ) throws(OpenError) -> OpaquePointer {
        let raw = try unsafe openRaw(files.path, tables: tables, configuration)
        var info = unsafe MDB_envinfo()
        var statistics = MDB_stat()
        unsafe mdb_env_info(raw, &info)
        unsafe mdb_env_stat(raw, &statistics)
        do throws(OpenError) {
            let file = try FileBytes(files.data)
            let size = file.size
            let pages = unsafe info.me_last_pgno + 1
            let tail = unsafe FileTail(
                file,
                pageSize: Int(statistics.ms_psize),
                pages: pages,
                commitID: info.me_last_txnid
            )
            guard tail.isWhole else {
                throw .damaged(path: files.data, reason: "it was cut short: \(size) bytes for \(pages) pages")
            }
        } catch {
            unsafe mdb_env_close(raw)
            throw error
        }
        return unsafe raw
    }

    /// The environment of `directory`, which must exist.
    private static func openRaw(
        _ directory: String,
        tables: Int,
        _ configuration: Configuration
    ) throws(OpenError) -> OpaquePointer {
        var flags = UInt32(MDB_NOTLS)
        if configuration.durability == .lostWithPower { flags |= UInt32(MDB_NOSYNC) }
        var created: OpaquePointer?
        do throws(LMDBError) {
            try unsafe LMDBError.check(mdb_env_create(&created), .createEnvironment)
        } catch { throw .lmdb(error) }
        let raw = unsafe created!  // mdb_env_create succeeded.
        do throws(LMDBError) {
            try unsafe LMDBError.check(mdb_env_set_mapsize(raw, configuration.mapSize), .configureEnvironment)
            try unsafe LMDBError.check(mdb_env_set_maxdbs(raw, UInt32(tables)), .configureEnvironment)
            try unsafe LMDBError.check(
                mdb_env_set_maxreaders(raw, UInt32(configuration.readersMax)),
                .configureEnvironment
            )
            try unsafe LMDBError.check(mdb_env_open(raw, directory, flags, 0o600), .openEnvironment)
        } catch {
            unsafe mdb_env_close(raw)
            throw describe(error, directory)
        }
        // No flag but ours: any other would trade away durability or safety.
        var actual: UInt32 = 0
        unsafe mdb_env_get_flags(raw, &actual)
        precondition(actual == flags, "LMDB has flags that were not asked for")
        precondition(
            unsafe mdb_env_get_maxkeysize(raw) == KeyLimits.keyBytesMax,
            "liblmdb was built with another key size"
        )
        // LMDB opens this descriptor without O_CLOEXEC.
        var file: Int32 = -1
        unsafe mdb_env_get_fd(raw, &file)
        _ = fcntl(file, F_SETFD, FD_CLOEXEC)
        return unsafe raw
    }

    /// Opens all tables in one transaction, and makes those that are not there. It writes nothing when all are.
    private static func openTables(
        _ names: [String],
        _ raw: OpaquePointer
    ) throws(LMDBError) -> [(name: String, index: MDB_dbi)] {
        var transaction: OpaquePointer?
        try unsafe LMDBError.check(mdb_txn_begin(raw, nil, 0, &transaction), .begin)
        var tables: [(name: String, index: MDB_dbi)] = []
        for name in names {
            var index: MDB_dbi = 0
            let status = unsafe mdb_dbi_open(transaction, name, UInt32(MDB_CREATE), &index)
            if status != MDB_SUCCESS {
                unsafe mdb_txn_abort(transaction)
                throw LMDBError(LMDBError.Code(rawValue: status), in: .openTable)
            }
            tables.append((name, index))
        }
        try unsafe LMDBError.check(mdb_txn_commit(transaction), .commit)
        return tables
    }

    private static func describe(_ error: LMDBError, _ directory: String) -> OpenError {
        let data = DataDirectory(path: directory).data
        return switch error.code {
        case .invalid: .damaged(path: data, reason: "it is not an LMDB file, or its first pages are lost")
        case .versionMismatch: .damaged(path: data, reason: "it was written by another version of LMDB's format")
        case .corrupted: .damaged(path: data, reason: "its pages contradict each other")
        case _ where error.code.isAccessDenied: .notWritable(path: data)
        default: .lmdb(error)
        }
    }
}
