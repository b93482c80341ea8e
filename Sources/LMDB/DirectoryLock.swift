import Glibc

/// The right to use a directory, held for life: `flock(2)` on `<directory>/server.lock`.
///
/// Why: LMDB lets a second process open the environment and write, and two servers on one database would each be wrong
/// about it. The kernel frees the lock with the process, however that ends, and sees through process-id namespaces
/// (two containers on one volume), where LMDB's own lock file does not. The file stays; only its lock counts.
struct DirectoryLock: ~Copyable {
    private let file: Int32

    /// - Throws: `.inUse` when another process, or another environment of this one, holds it. It never waits.
    init(directory: String) throws(OpenError) {
        let path = directory + "/server.lock"
        let file = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw .system("open", path) }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let error = errno == EWOULDBLOCK ? OpenError.inUse(path: directory) : .system("flock", path)
            close(file)
            throw error
        }
        self.file = file
    }

    deinit {
        // Said, not only by closing: a child that another thread is just starting has the descriptor too, until its exec.
        flock(file, LOCK_UN)
        close(file)
    }
}
