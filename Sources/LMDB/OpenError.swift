import Glibc

/// Why an environment could not be opened. The description says what was wrong and what to do.
public enum OpenError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The process may not write at this path.
    case notWritable(path: String)
    /// Another environment, of this process or another, holds the directory's lock.
    case inUse(path: String)
    /// The directory is on a filesystem whose maps and locks LMDB cannot trust; `kind` is its name.
    case networkFilesystem(path: String, kind: String)
    /// Everybody may write in the directory.
    case worldWritable(path: String)
    /// The data file is not whole, or not one of LMDB's. It was not touched.
    case damaged(path: String, reason: String)
    /// liblmdb refused.
    case lmdb(LMDBError)
    /// A system call failed.
    case system(operation: String, path: String, errno: Int32)

    public var description: String {
        switch self {
        case .notWritable(let path):
            "cannot write at \(path): give it to the user that runs this process, on a filesystem that is not read-only"
        case .inUse(let path):
            "\(path) is in use by another process (or twice by this one): stop that one, or choose another directory"
        case .networkFilesystem(let path, let kind):
            "\(path) is on \(kind), where memory maps and locks cannot be trusted: use a local disk"
        case .worldWritable(let path):
            "\(path) can be written by everybody: take that away (chmod o-w)"
        case .damaged(let path, let reason):
            "\(path) is damaged: \(reason). Nothing was changed: keep the file, and restore a backup"
        case .lmdb(let error):
            "the database could not be opened: \(error)"
        case .system(let operation, let path, let code):
            "\(operation) \(path): \(LMDBError.Code(rawValue: code))"
        }
    }

    /// The error of a failed system call: forbidden access is ``notWritable(path:)``.
    static func system(_ operation: String, _ path: String) -> OpenError {
        let code = errno
        if LMDBError.Code(rawValue: code).isAccessDenied { return .notWritable(path: path) }
        return .system(operation: operation, path: path, errno: code)
    }
}
