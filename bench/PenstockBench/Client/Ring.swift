/// A queue of trivial elements, first in, first out, in memory that is kept: it allocates only to grow.
///
///     [ . . . | first ... last | . . . ]     count elements from `head` on, wrapping around
struct Ring<Element: BitwiseCopyable> {
    private var storage: [Element]
    private var head = 0
    private(set) var count = 0

    /// - Parameter empty: what stands in places without an element.
    init(empty: Element) {
        storage = [Element](repeating: empty, count: 1024)
    }

    var isEmpty: Bool { count == 0 }

    var first: Element? { isEmpty ? nil : storage[head] }

    mutating func append(_ element: Element) {
        if count == storage.count { grow() }
        storage[(head + count) & (storage.count - 1)] = element
        count += 1
    }

    @discardableResult
    mutating func removeFirst() -> Element {
        precondition(count > 0, "an empty ring has no first element")
        let element = storage[head]
        head = (head + 1) & (storage.count - 1)
        count -= 1
        return element
    }

    /// Doubles the memory; its size stays a power of two.
    private mutating func grow() {
        let filler = storage[head]
        let ordered = storage[head...] + storage[..<head]
        storage = Array(ordered) + [Element](repeating: filler, count: ordered.count)
        head = 0
    }
}
