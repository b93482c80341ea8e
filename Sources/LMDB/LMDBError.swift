import CLMDB
import Glibc

/// A refusal by liblmdb: which call failed, and its code.
///
/// The words are LMDB's own (`MDB_MAP_FULL` is `.mapFull`), the text is `mdb_strerror`'s, so that the manual of LMDB
/// (`lmdb.h`) and its mailing list can be searched for what the log says. The value is 8 bytes and holds no reference:
/// throwing it allocates nothing.
///
///     do { try transaction.put(value, for: key, in: jobs) } catch {
///         if error.code == .mapFull { … }
///     }
///     print(error)   // mdb_put: MDB_MAP_FULL: Environment mapsize limit reached
public struct LMDBError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The return code of the call.
    public let code: Code
    /// The call.
    public let operation: Operation

    public init(_ code: Code, in operation: Operation) {
        self.code = code
        self.operation = operation
    }

    public var description: String { "\(operation.rawValue): \(code)" }
}

extension LMDBError {
    /// Throws when the return code `status` is not success.
    static func check(_ status: Int32, _ operation: Operation) throws(LMDBError) {
        if status != MDB_SUCCESS { throw LMDBError(Code(rawValue: status), in: operation) }
    }
}
