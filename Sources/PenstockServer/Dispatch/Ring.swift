/// A double-ended queue in one array: what comes and goes at the ends costs neither a move nor an allocation.
///
/// The array's size is a power of two; it grows by doubling, and only
/// ``removeAll()`` frees it. Unused cells hold copies of old elements, so it is
/// for plain values.
///
///     cells   | 5th | 6th | -- | -- | 1st | 2nd | 3rd | 4th |
///                                      ^ head
///
/// - Complexity: O(1) at the ends; in the middle O(distance to the nearer end).
struct Ring<Element> {
    static var cellCountMin: Int { 8 }

    private var cells: [Element] = []
    private var head = 0
    private(set) var count = 0

    init() {}

    @inline(__always)
    var isEmpty: Bool { count == 0 }

    /// Elements that fit into the memory held.
    var capacity: Int { cells.count }

    @inline(__always)
    private func cell(_ index: Int) -> Int { (head &+ index) & (cells.count &- 1) }

    @inline(__always)
    subscript(index: Int) -> Element {
        get {
            precondition(index >= 0 && index < count)
            return cells[cell(index)]
        }
        set {
            precondition(index >= 0 && index < count)
            cells[cell(index)] = newValue
        }
    }

    @inline(__always)
    var first: Element? { count == 0 ? nil : cells[head] }

    @inline(__always)
    var last: Element? { count == 0 ? nil : cells[cell(count &- 1)] }

    @inline(__always)
    mutating func append(_ element: Element) {
        if count == cells.count { grow(filler: element) }
        cells[cell(count)] = element
        count &+= 1
    }

    @inline(__always)
    mutating func removeFirst() {
        precondition(count > 0)
        head = cell(1)
        count &-= 1
    }

    @inline(__always)
    mutating func removeLast() {
        precondition(count > 0)
        count &-= 1
    }

    /// Moves the first element to the end.
    @inline(__always)
    mutating func rotate() {
        precondition(count > 0)
        let element = cells[head]
        head = cell(1)
        // With all cells in use, the one that was freed is the one that follows the last.
        cells[cell(count &- 1)] = element
    }

    mutating func insert(_ element: Element, at index: Int) {
        precondition(index >= 0 && index <= count)
        if count == cells.count { grow(filler: element) }
        if index < count / 2 {
            head = (head &- 1) & (cells.count &- 1)
            count &+= 1
            for i in 0..<index { cells[cell(i)] = cells[cell(i &+ 1)] }
        } else {
            count &+= 1
            var i = count &- 1
            while i > index {
                cells[cell(i)] = cells[cell(i &- 1)]
                i &-= 1
            }
        }
        cells[cell(index)] = element
    }

    mutating func remove(at index: Int) {
        precondition(index >= 0 && index < count)
        if index < count / 2 {
            var i = index
            while i > 0 {
                cells[cell(i)] = cells[cell(i &- 1)]
                i &-= 1
            }
            head = cell(1)
        } else {
            for i in index..<count &- 1 { cells[cell(i)] = cells[cell(i &+ 1)] }
        }
        count &-= 1
    }

    /// Frees the memory too.
    mutating func removeAll() {
        cells = []
        head = 0
        count = 0
    }

    private mutating func grow(filler: Element) {
        let size = max(Self.cellCountMin, cells.count * 2)
        var grown: [Element] = []
        grown.reserveCapacity(size)
        for i in 0..<count { grown.append(cells[cell(i)]) }
        grown.append(contentsOf: repeatElement(filler, count: size - count))
        cells = grown
        head = 0
    }
}
