import Glibc

@testable import LMDB

/// A new directory on the memory filesystem, or where `mkdtemp` may; removed with its files in the end.
final class TemporaryDirectory {
    let path: String

    init() {
        let base = unsafe access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        var template = Array("\(base)/lmdb-tests-XXXXXX".utf8CString)
        path = unsafe template.withUnsafeMutableBufferPointer { buffer in
            unsafe String(cString: mkdtemp(buffer.baseAddress!))
        }
    }

    deinit {
        for name in ["data.mdb", "lock.mdb", "server.lock", "new/data.mdb", "new/lock.mdb"] {
            _ = unsafe unlink("\(path)/\(name)")
        }
        _ = unsafe rmdir("\(path)/new")
        _ = unsafe rmdir(path)
    }

    /// An environment that is not flushed, or as `configuration` says.
    func open(_ tables: [String] = ["jobs"], _ change: (inout Configuration) -> Void = { _ in }) throws -> Environment {
        var configuration = Configuration()
        configuration.durability = .lostWithPower
        change(&configuration)
        return try Environment.open(directory: path, tables: tables, configuration: configuration)
    }

    /// The error of opening the directory; nil when it opens.
    func openError(_ tables: [String] = ["jobs"]) -> OpenError? {
        do { _ = try Environment.open(directory: path, tables: tables) } catch { return error }
        return nil
    }

    func write(_ bytes: [UInt8], to name: String) {
        let file = unsafe Glibc.open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        precondition(file >= 0)
        let count = unsafe Glibc.write(file, bytes, bytes.count)
        precondition(count == bytes.count)
        close(file)
    }

    func mode(_ name: String = ".") -> UInt32? {
        var status = stat()
        return unsafe lstat("\(path)/\(name)", &status) == 0 ? status.st_mode & 0o777 : nil
    }

    func size(_ name: String) -> Int? {
        var status = stat()
        return unsafe lstat("\(path)/\(name)", &status) == 0 ? Int(status.st_size) : nil
    }
}
