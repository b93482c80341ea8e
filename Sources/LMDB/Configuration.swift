/// How an environment is opened.
public struct Configuration: Sendable {
    /// The size of the memory map, the end of all growth. Address space only: the file grows as it is filled.
    ///
    /// The default is 1 TiB, so large that it never has to be changed while open, which LMDB cannot do safely under
    /// readers. A map that is full refuses even deletes: the quota belongs above, see ``Environment/usage()``.
    public var mapSize = 1 << 40

    /// The slots of the reader table: one for each ``SnapshotReader``, and for each process that reads from outside.
    public var readersMax = 126

    /// What a commit waits for. The default is ``Durability/synced``.
    public var durability = Durability.synced

    /// Opens a directory on NFS, SMB, FUSE and their like, whose maps and locks LMDB cannot trust. The default is false.
    public var allowsNetworkFilesystem = false

    public init() {}
}
