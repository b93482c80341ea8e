import CLMDB

/// What a put may do.
public struct PutOptions: OptionSet, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// An existing key is left alone, and the put throws `.keyExists`.
    public static let noOverwrite = PutOptions(rawValue: UInt32(MDB_NOOVERWRITE))

    /// The key is above every key of the table, or the put throws `.keyExists`.
    ///
    /// Pages are filled to the end instead of half, and the search is short: half the file for keys that come in order.
    public static let append = PutOptions(rawValue: UInt32(MDB_APPEND))
}
