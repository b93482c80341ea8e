/// Rows in the order of their keys, found by key: a dictionary for what comes sorted, without its hashing.
struct SortedRows<Key: Comparable, Value>: RandomAccessCollection {
    private(set) var keys: [Key] = []
    private(set) var values: [Value] = []

    var startIndex: Int { 0 }
    var endIndex: Int { keys.count }
    subscript(index: Int) -> (key: Key, value: Value) { (keys[index], values[index]) }

    /// - Precondition: `key` is above all others.
    mutating func append(_ key: Key, _ value: Value) {
        precondition(keys.last.map { $0 < key } ?? true, "rows are appended in their order")
        keys.append(key)
        values.append(value)
    }

    subscript(key: Key) -> Value? { index(of: key).map { values[$0] } }

    /// A row that is not there is made when it is changed.
    subscript(key: Key, default value: @autoclosure () -> Value) -> Value {
        get { self[key] ?? value() }
        _modify {
            let index = firstIndex(notBelow: key)
            if index == keys.count || keys[index] != key {
                keys.insert(key, at: index)
                values.insert(value(), at: index)
            }
            yield &values[index]
        }
    }

    func index(of key: Key) -> Int? {
        let index = firstIndex(notBelow: key)
        return index < keys.count && keys[index] == key ? index : nil
    }

    mutating func removeAll(where isRemoved: (Key) -> Bool) {
        let kept = keys.indices.filter { !isRemoved(keys[$0]) }
        (keys, values) = (kept.map { keys[$0] }, kept.map { values[$0] })
    }

    private func firstIndex(notBelow key: Key) -> Int {
        guard let last = keys.last, !(last < key) else { return keys.count }
        return keys.partitioningIndex { !($0 < key) }
    }
}

extension RandomAccessCollection {
    /// The first index whose element is at or above what is looked for; all below it are not.
    func partitioningIndex(where isAbove: (Element) -> Bool) -> Index {
        var low = startIndex
        var left = count
        while left > 0 {
            let half = left / 2
            let middle = index(low, offsetBy: half)
            if isAbove(self[middle]) {
                left = half
            } else {
                low = index(after: middle)
                left -= half + 1
            }
        }
        return low
    }
}
