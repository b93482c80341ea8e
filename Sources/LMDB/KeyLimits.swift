/// The limits of the store.
public enum KeyLimits {
    /// The longest key: a limit that is compiled into liblmdb, checked at every open.
    public static let keyBytesMax = 511
    /// The deepest nesting of write transactions below the outermost.
    public static let nestingMax = 4
    /// The first page number that holds data: pages 0 and 1 are LMDB's two meta pages.
    static let metaPages = 2
}
