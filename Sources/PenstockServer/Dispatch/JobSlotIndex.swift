import PenstockWire

/// The lease slot of a job: a hash table of numbers, for one look-up each time a job is announced, granted or freed.
///
/// Open addressing with linear probing; a removal shifts back what follows, so
/// that there are no tombstones and a look-up ends at the first empty cell. At
/// most half of the cells are used. The home of a job is the upper bits of its
/// number times an odd constant near 2^64 / phi, which spreads numbers that were
/// given in order evenly.
///
///     cells   | job, slot | none | job, slot | job, slot | ...   a power of two of them, 16 bytes each
///
/// Invariant: between a job's home and its cell no cell is empty.
///
/// - Complexity: O(1) and no allocation, but for the doublings and the halvings,
///   which are O(1) for each operation on the average.
struct JobSlotIndex: ~Copyable {
    private struct Cell {
        var job: UInt64
        var slot: UInt32
        static let empty = Cell(job: 0, slot: 0)
    }

    /// Cells that are kept even when the table is empty.
    static let cellCountMin = 64

    private var cells = [Cell](repeating: .empty, count: cellCountMin)
    /// 64 less the bits of a cell's number.
    private var shift = UInt64(64 - cellCountMin.trailingZeroBitCount)
    private(set) var count = 0

    init() {}

    /// Cells, used or not.
    var cellCount: Int { cells.count }

    @inline(__always)
    private func home(_ job: UInt64) -> Int {
        Int(truncatingIfNeeded: (job &* 0x9E37_79B9_7F4A_7C15) &>> shift)
    }

    /// The slot of the job, or nil.
    @inline(__always)
    borrowing func slot(of job: JobID) -> UInt32? {
        let mask = cells.count &- 1
        var at = home(job.rawValue)
        while true {
            let cell = cells[at]
            if cell.job == job.rawValue { return cell.job == 0 ? nil : cell.slot }
            if cell.job == 0 { return nil }
            at = (at &+ 1) & mask
        }
    }

    /// Enters the job. Returns false, and changes nothing, where it is entered already.
    @inline(__always)
    mutating func insert(_ job: JobID, slot: UInt32) -> Bool {
        precondition(job != .none, "0 is no job")
        if (count &+ 1) &* 2 > cells.count { resize(to: cells.count * 2) }
        let mask = cells.count &- 1
        var at = home(job.rawValue)
        while cells[at].job != 0 {
            if cells[at].job == job.rawValue { return false }
            at = (at &+ 1) & mask
        }
        cells[at] = Cell(job: job.rawValue, slot: slot)
        count &+= 1
        return true
    }

    /// Takes the job out, and returns the slot that it had, or nil.
    @discardableResult
    mutating func remove(_ job: JobID) -> UInt32? {
        precondition(job != .none, "0 is no job")
        let mask = cells.count &- 1
        var hole = home(job.rawValue)
        while cells[hole].job != job.rawValue {
            if cells[hole].job == 0 { return nil }
            hole = (hole &+ 1) & mask
        }
        let slot = cells[hole].slot
        // What stands behind the hole moves into it, unless its home is behind the hole.
        var next = (hole &+ 1) & mask
        while cells[next].job != 0 {
            let distance = (next &- home(cells[next].job)) & mask
            if distance >= (next &- hole) & mask {
                cells[hole] = cells[next]
                hole = next
            }
            next = (next &+ 1) & mask
        }
        cells[hole] = .empty
        count &-= 1
        if count &* 16 < cells.count && cells.count > Self.cellCountMin {
            resize(to: max(Self.cellCountMin, cells.count / 4))
        }
        return slot
    }

    /// - Complexity: O(cells).
    private mutating func resize(to cellCount: Int) {
        precondition(cellCount & (cellCount - 1) == 0 && cellCount >= count * 2)
        let old = cells
        cells = [Cell](repeating: .empty, count: cellCount)
        shift = UInt64(64 - cellCount.trailingZeroBitCount)
        let mask = cellCount - 1
        for cell in old where cell.job != 0 {
            var at = home(cell.job)
            while cells[at].job != 0 { at = (at + 1) & mask }
            cells[at] = cell
        }
    }

    /// Traps where the table has lost its shape. For tests.
    borrowing func checkInvariants() {
        let mask = cells.count - 1
        precondition(cells.count & mask == 0 && cells.count >= Self.cellCountMin)
        precondition(count * 2 <= cells.count)
        var used = 0
        for (place, cell) in cells.enumerated() where cell.job != 0 {
            used += 1
            var at = home(cell.job)
            while at != place {
                precondition(cells[at].job != 0, "an empty cell between a job's home and its cell")
                at = (at + 1) & mask
            }
        }
        precondition(used == count)
    }
}
