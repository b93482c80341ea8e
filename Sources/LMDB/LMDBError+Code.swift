import CLMDB
import Glibc

extension LMDBError {
    /// A return code of liblmdb: one of its own (negative), or an `errno` that it passes on (positive).
    public struct Code: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
        public let rawValue: Int32

        public init(rawValue: Int32) {
            self.rawValue = rawValue
        }

        /// `mdb_strerror`'s text: `MDB_MAP_FULL: Environment mapsize limit reached`, `No space left on device`.
        public var description: String { unsafe String(cString: mdb_strerror(rawValue)) }

        // Codes of LMDB.
        public static let keyExists = Code(rawValue: MDB_KEYEXIST)
        public static let notFound = Code(rawValue: MDB_NOTFOUND)
        public static let pageNotFound = Code(rawValue: MDB_PAGE_NOTFOUND)
        public static let corrupted = Code(rawValue: MDB_CORRUPTED)
        /// The environment is of no use any more: a meta page could not be written. Close it, open it again.
        public static let panic = Code(rawValue: MDB_PANIC)
        public static let versionMismatch = Code(rawValue: MDB_VERSION_MISMATCH)
        /// The file is not one of LMDB's.
        public static let invalid = Code(rawValue: MDB_INVALID)
        public static let mapFull = Code(rawValue: MDB_MAP_FULL)
        public static let tablesFull = Code(rawValue: MDB_DBS_FULL)
        public static let readersFull = Code(rawValue: MDB_READERS_FULL)
        public static let transactionFull = Code(rawValue: MDB_TXN_FULL)
        public static let cursorFull = Code(rawValue: MDB_CURSOR_FULL)
        public static let pageFull = Code(rawValue: MDB_PAGE_FULL)
        public static let mapResized = Code(rawValue: MDB_MAP_RESIZED)
        public static let incompatible = Code(rawValue: MDB_INCOMPATIBLE)
        public static let badReaderSlot = Code(rawValue: MDB_BAD_RSLOT)
        /// An earlier error in this transaction has poisoned it: it can only be aborted.
        public static let badTransaction = Code(rawValue: MDB_BAD_TXN)
        /// A key of 0 or more than ``KeyLimits/keyBytesMax`` bytes, or a value over 4 GiB. Does not poison the transaction.
        public static let badValueSize = Code(rawValue: MDB_BAD_VALSIZE)
        public static let badTable = Code(rawValue: MDB_BAD_DBI)

        // Codes of the system.
        public static let noSpace = Code(rawValue: ENOSPC)
        public static let inputOutput = Code(rawValue: EIO)
        public static let accessDenied = Code(rawValue: EACCES)
        public static let notPermitted = Code(rawValue: EPERM)
        public static let readOnlyFilesystem = Code(rawValue: EROFS)
        public static let noMemory = Code(rawValue: ENOMEM)
        public static let invalidArgument = Code(rawValue: EINVAL)

        /// True when the system forbids the access, in any of its three ways to say so.
        public var isAccessDenied: Bool {
            self == .accessDenied || self == .notPermitted || self == .readOnlyFilesystem
        }

        /// True when the map or the disk has no room.
        public var isFull: Bool { self == .mapFull || self == .noSpace }
    }
}
