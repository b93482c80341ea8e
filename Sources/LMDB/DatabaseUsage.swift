/// How much of its file a database uses.
public struct DatabaseUsage: Equatable, Sendable {
    /// The commit that was looked at.
    public var commitID: UInt64
    /// The bytes of a page.
    public var pageSize: Int
    /// The pages of the file, up to the last that was ever used. It never falls: the file never shrinks.
    public var pages: Int
    /// The pages that the next commits can use again before the file grows (those that a reader pins included).
    public var freePages: Int
    /// The pages of the map: where the file must end.
    public var mapPages: Int

    /// The pages that hold something: what a quota is measured by.
    public var usedPages: Int { pages - freePages }
    public var usedBytes: Int { usedPages * pageSize }
}
