import PenstockEngine
import PenstockWire

/// The head of one queue's ready index, kept in memory: what is granted next, in order.
///
/// The window covers every ready job of its queue whose turn is below `bound`;
/// all the others are left to the index, from where a refill reads them once
/// the window is empty. So its first job is the queue's first, exactly, whatever
/// its size.
///
///     index    | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | ...
///     window   | 1 | 2 | 3 | 4 |
///                                ^ bound: at or above it, the index knows
///
/// A new window covers nothing: everything is at or above its bound.
///
/// Invariants: the turns rise strictly; the last is below the bound.
struct ReadyWindow {
    struct Item {
        var turn: Turn
        var job: JobID
    }

    /// Jobs for which an empty window keeps its memory; a larger one is freed.
    static let keptCountMax = 512

    private var items = Ring<Item>()
    /// The first turn that is not covered; nil where every one is.
    private(set) var bound: Turn? = .first

    init() {}

    @inline(__always)
    var count: Int { items.count }

    @inline(__always)
    var isEmpty: Bool { items.isEmpty }

    /// The job whose turn it is.
    @inline(__always)
    var first: Item? { items.first }

    /// Nothing is left here, but the index may have more.
    @inline(__always)
    var needsRefill: Bool { items.isEmpty && bound != nil }

    /// There is a job, or there may be one.
    @inline(__always)
    var mayHaveJobs: Bool { !items.isEmpty || bound != nil }

    /// Jobs for which memory is held.
    var capacityHeld: Int { items.capacity }

    subscript(index: Int) -> Item { items[index] }

    // MARK: What is announced and withdrawn

    /// Takes a ready job in at its turn; where the window holds `capacity` jobs, the last one is left to the index.
    ///
    /// - Returns: false where it was left to the index, or is here already.
    /// - Complexity: O(1) at either end, else O(log count + distance to the nearer end).
    @inline(__always)
    mutating func insert(_ turn: Turn, _ job: JobID, capacity: Int) -> Bool {
        if let bound, !(turn < bound) { return false }
        if let last = items.last, !(last.turn < turn) {
            return insertInside(Item(turn: turn, job: job), capacity: capacity)
        }
        if items.count >= capacity {
            bound = turn
            return false
        }
        items.append(Item(turn: turn, job: job))
        return true
    }

    private mutating func insertInside(_ item: Item, capacity: Int) -> Bool {
        let place = place(of: item.turn)
        if items[place].turn == item.turn {
            assert(items[place].job == item.job, "two jobs of a queue have one turn")
            return false
        }
        trim(to: max(0, capacity - 1))
        if place > items.count {
            // Only where there is no room for a single job.
            leaveToIndex(from: item.turn)
            return false
        }
        items.insert(item, at: place)
        return true
    }

    /// Takes a job out that is not ready any more. Returns false where it isn't here.
    ///
    /// - Complexity: O(log count + distance to the nearer end).
    @discardableResult
    mutating func remove(_ turn: Turn, _ job: JobID) -> Bool {
        let place = place(of: turn)
        guard place < items.count, items[place].turn == turn, items[place].job == job else { return false }
        items.remove(at: place)
        freeIfLarge()
        return true
    }

    /// Takes the first job out.
    @inline(__always)
    mutating func removeFirst() {
        items.removeFirst()
        if items.isEmpty && items.capacity > Self.keptCountMax { items.removeAll() }
    }

    // MARK: What is read from the index

    /// Takes a job that was read from the index, from the bound on and in order.
    @inline(__always)
    mutating func extend(_ turn: Turn, _ job: JobID) {
        precondition(bound.map { !(turn < $0) } ?? false, "a refill reads from the bound on")
        precondition(items.last.map { $0.turn < turn } ?? true, "a refill reads in order")
        items.append(Item(turn: turn, job: job))
    }

    /// The index was read through `turn`, this one included.
    mutating func cover(through turn: Turn) {
        precondition(items.last.map { !(turn < $0.turn) } ?? true)
        bound = turn.successor
    }

    /// The index was read to its end.
    mutating func coverAll() { bound = nil }

    // MARK: What is left to the index

    /// Forgets every job from `turn` on: the index knows better.
    mutating func leaveToIndex(from turn: Turn) {
        while let last = items.last, !(last.turn < turn) { items.removeLast() }
        if let bound, bound < turn { return }
        bound = turn
    }

    /// Keeps at most the first `capacity` jobs.
    mutating func trim(to capacity: Int) {
        while items.count > capacity, let last = items.last {
            bound = last.turn
            items.removeLast()
        }
    }

    /// Covers nothing, and holds no memory.
    mutating func release() {
        items.removeAll()
        bound = .first
    }

    private mutating func freeIfLarge() {
        if items.isEmpty && items.capacity > Self.keptCountMax { items.removeAll() }
    }

    /// The first place whose turn is not below `turn`.
    private func place(of turn: Turn) -> Int {
        var low = 0
        var high = items.count
        while low < high {
            let middle = (low &+ high) / 2
            if items[middle].turn < turn { low = middle &+ 1 } else { high = middle }
        }
        return low
    }

    /// Traps where the jobs are not in order. For tests.
    func checkInvariants() {
        for i in 0..<items.count where i > 0 { precondition(items[i - 1].turn < items[i].turn) }
        if let bound, let last = items.last { precondition(last.turn < bound) }
    }
}

extension Turn {
    /// The turn that follows; nil after the last.
    var successor: Turn? {
        if place < .max { return Turn(priority: priority, place: place + 1) }
        return priority < .max ? Turn(priority: priority + 1, place: 0) : nil
    }
}
