import CLMDB

/// The count of every page of a database by what it is used for: each page is accounted for once, or there is damage.
///
///     meta (2) + branch + leaf + overflow + free == last page + 1
///
/// The trees counted are those of the opened tables, of the list of tables, and of the list of free pages. It holds only
/// when every table in the file is open.
public struct PageAccount: Equatable, Sendable {
    public var usage: DatabaseUsage
    public var branchPages = 0
    public var leafPages = 0
    public var overflowPages = 0

    /// The pages that are accounted for more (negative: less) than they exist; 0 in a sound database.
    public var discrepancy: Int {
        KeyLimits.metaPages + branchPages + leafPages + overflowPages + usage.freePages - usage.pages
    }
    public var isBalanced: Bool { discrepancy == 0 }

    init(usage: DatabaseUsage) {
        self.usage = usage
    }

    mutating func add(_ statistics: MDB_stat) {
        branchPages += statistics.ms_branch_pages
        leafPages += statistics.ms_leaf_pages
        overflowPages += statistics.ms_overflow_pages
    }
}
