import CLMDB
import Glibc

/// What the filesystem still has room for.
public enum DiskSpace {
    /// The bytes that this user can still write on the filesystem that holds `path`; nil where it does not say.
    public static func free(at path: String) -> Int? {
        var status = statfs()
        guard unsafe statfs(path, &status) == 0 else { return nil }
        return Int(status.f_bavail) * Int(status.f_bsize)
    }
}
