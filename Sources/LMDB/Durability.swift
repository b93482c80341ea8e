/// What a commit waits for.
public enum Durability: Sendable {
    /// Each commit is on the disk when it returns: two flushes.
    case synced

    /// Nothing is flushed: a loss of power loses commits and may leave a file that cannot be read (`MDB_NOSYNC`).
    ///
    /// A killed process loses nothing. For tests and simulations on memory filesystems only.
    case lostWithPower
}
