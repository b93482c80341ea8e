import CLMDB
import Glibc

/// The few questions and wishes that opening a database has for the filesystem.
enum Filesystem {
    /// The name of a network or user-space filesystem, by the magic number of `statfs(2)`; nil for a local one.
    static func networkKind(magic: Int) -> String? {
        switch UInt32(truncatingIfNeeded: magic) {
        case 0x6969: "NFS"
        case 0x517B, 0xFE53_4D42: "SMB"
        case 0xFF53_4D42: "CIFS"
        case 0x6573_5546: "FUSE"
        case 0x0102_1997: "9P"
        case 0x00C3_6400: "Ceph"
        case 0x5346_414F: "AFS"
        default: nil
        }
    }

    /// The kind of network filesystem that holds `path`; nil for a local one.
    static func networkKind(of path: String) throws(OpenError) -> String? {
        var status = statfs()
        guard unsafe statfs(path, &status) == 0 else { throw .system("statfs", path) }
        return networkKind(magic: Int(status.f_type))
    }

    /// What is at `path` itself, links not followed; nil when nothing is.
    static func status(_ path: String) throws(OpenError) -> stat? {
        var status = stat()
        if unsafe lstat(path, &status) == 0 { return status }
        if errno == ENOENT { return nil }
        throw .system("lstat", path)
    }

    /// Makes the directory `path`, for its owner only; false when there is one.
    static func makeDirectory(_ path: String) throws(OpenError) -> Bool {
        if unsafe mkdir(path, 0o700) == 0 { return true }
        if errno == EEXIST { return false }
        throw .system("mkdir", path)
    }

    /// Waits until the file or directory at `path` is on the disk: its bytes, or its names. It follows no link in the
    /// last part of `path`: ask for `directory/.`.
    static func sync(_ path: String) throws(OpenError) {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else { throw .system("open", path) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw .system("fsync", path) }
    }

    /// Removes the file `path`, if it is there.
    static func removeFile(_ path: String) throws(OpenError) {
        if unsafe unlink(path) != 0 && errno != ENOENT { throw .system("unlink", path) }
    }

    /// Removes the empty directory `path`, if it is there.
    static func removeDirectory(_ path: String) throws(OpenError) {
        if unsafe rmdir(path) != 0 && errno != ENOENT { throw .system("rmdir", path) }
    }

    static func rename(_ source: String, to target: String) throws(OpenError) {
        guard unsafe Glibc.rename(source, target) == 0 else { throw .system("rename", target) }
    }
}
