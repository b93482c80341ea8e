import CLMDB

/// A named table of an environment: an ordered map from keys to bytes.
///
/// A trivial value, good for as long as its environment; get it once from ``Environment/table(_:keyedBy:)`` and keep
/// it. The key type is a promise of the compiler only: in the file, keys are bytes.
public struct Table<Key: TableKey & ~Copyable & ~Escapable>: Sendable {
    let index: MDB_dbi

    init(index: MDB_dbi) {
        self.index = index
    }
}
