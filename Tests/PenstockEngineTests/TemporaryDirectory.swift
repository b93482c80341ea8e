import Glibc

/// A new directory on the memory filesystem, or where `mkdtemp` may; removed with its files in the end.
final class TemporaryDirectory {
    let path: String

    init() {
        let base = unsafe access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        var template = Array("\(base)/engine-tests-XXXXXX".utf8CString)
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
}
