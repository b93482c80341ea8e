extension LMDBError {
    /// The call of liblmdb that failed; the raw value is its name.
    public enum Operation: String, Sendable {
        case createEnvironment = "mdb_env_create"
        case configureEnvironment = "mdb_env_set"
        case openEnvironment = "mdb_env_open"
        case sync = "mdb_env_sync"
        case checkReaders = "mdb_reader_check"
        case openTable = "mdb_dbi_open"
        case begin = "mdb_txn_begin"
        case renew = "mdb_txn_renew"
        case commit = "mdb_txn_commit"
        case get = "mdb_cursor_get"
        case put = "mdb_put"
        case delete = "mdb_cursor_del"
        case openCursor = "mdb_cursor_open"
        case renewCursor = "mdb_cursor_renew"
        case statistics = "mdb_stat"
    }
}
