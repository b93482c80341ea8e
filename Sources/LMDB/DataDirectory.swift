import CLMDB
import Glibc

/// The files of a database, and the order in which they come to be.
///
///     <directory>/             0700 when made here
///         server.lock          see DirectoryLock
///         data.mdb             0600: LMDB's data
///         lock.mdb             0600: LMDB's reader table
///         new/                 only while a database is made
///
/// LMDB creates a file in steps, and a loss of power between them leaves one that cannot be opened. So a new database is
/// made in `new`, committed and synced, and then renamed into its place: `data.mdb` is whole from the moment that it
/// exists. What a crash left in `new` is removed and made again; what is at `data.mdb` is never replaced.
struct DataDirectory {
    let path: String

    var data: String { path + "/data.mdb" }
    var new: String { path + "/new" }

    /// Makes or checks the directory itself.
    func prepare(_ configuration: Configuration) throws(OpenError) {
        if try Filesystem.makeDirectory(path) { try Filesystem.sync(path + "/..") }
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw .system("stat", path) }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw .system(operation: "opendir", path: path, errno: ENOTDIR)
        }
        if status.st_mode & S_IWOTH != 0 { throw .worldWritable(path: path) }
        guard unsafe access(path, W_OK | X_OK) == 0 else { throw .system("access", path) }
        if !configuration.allowsNetworkFilesystem, let kind = try Filesystem.networkKind(of: path) {
            throw .networkFilesystem(path: path, kind: kind)
        }
    }

    /// Makes the data file, with `create` for what LMDB has to do in `new`, unless there is one.
    func createIfAbsent(_ create: (_ directory: String) throws(OpenError) -> Void) throws(OpenError) {
        try removeNew()
        guard try Filesystem.status(data) == nil else { return }
        _ = try Filesystem.makeDirectory(new)
        try create(new)
        try Filesystem.sync(new + "/data.mdb")
        try Filesystem.rename(new + "/data.mdb", to: data)
        try Filesystem.sync(path + "/.")
        try removeNew()
    }

    /// Refuses a data file that LMDB would take for a new one, or that is none.
    func checkDataFile() throws(OpenError) {
        guard let status = try Filesystem.status(data) else { throw .system("open", data) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .damaged(path: data, reason: "it is not a file") }
        if status.st_size == 0 { throw .damaged(path: data, reason: "it is empty") }
    }

    private func removeNew() throws(OpenError) {
        guard try Filesystem.status(new) != nil else { return }
        try Filesystem.removeFile(new + "/data.mdb")
        try Filesystem.removeFile(new + "/lock.mdb")
        try Filesystem.removeDirectory(new)
    }
}
