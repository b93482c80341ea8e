import Glibc

/// A path for a socket that no other test uses.
func temporaryPath(_ name: String) -> String {
    let path = "/tmp/uv-tests-\(getpid())-\(name).sock"
    unsafe unlink(path)
    return path
}

/// The permission bits of a file; nil if it isn't there.
func mode(of path: String) -> UInt32? {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return nil }
    return status.st_mode & 0o777
}

/// The open file descriptors of the process.
func openFileCount() -> Int {
    (0..<4096).count { fcntl($0, F_GETFD) != -1 }
}
