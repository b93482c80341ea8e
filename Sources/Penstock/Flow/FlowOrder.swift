import DequeModule

/// The order of a flow's jobs on the wire: each behind everything that it depends on.
enum FlowOrder {
    /// Nodes that depend on one another: each on the one before it, the first on the last.
    struct Cycle: Error, Equatable {
        let nodes: [Int]
    }

    /// The nodes in an order in which each stands behind its dependencies, otherwise as they were given.
    ///
    /// - Parameter dependencies: for each node the nodes that it depends on.
    /// - Complexity: O(nodes + edges).
    static func sorted(_ dependencies: [[Int]]) throws(Cycle) -> [Int] {
        if dependencies.indices.allSatisfy({ node in dependencies[node].allSatisfy { $0 < node } }) {
            return Array(dependencies.indices)
        }
        var missing = dependencies.map(\.count)
        var dependents = [[Int]](repeating: [], count: dependencies.count)
        for (node, list) in dependencies.enumerated() {
            for dependency in list { dependents[dependency].append(node) }
        }
        var ready = Deque(missing.indices.filter { missing[$0] == 0 })
        var order: [Int] = []
        order.reserveCapacity(missing.count)
        while let node = ready.popFirst() {
            order.append(node)
            for dependent in dependents[node] {
                missing[dependent] -= 1
                if missing[dependent] == 0 { ready.append(dependent) }
            }
        }
        guard order.count == missing.count else { throw cycle(dependencies, missing) }
        return order
    }

    /// A cycle among the nodes that miss something: each of them misses one that misses something too.
    private static func cycle(_ dependencies: [[Int]], _ missing: [Int]) -> Cycle {
        guard var node = missing.firstIndex(where: { $0 > 0 }) else {
            preconditionFailure("no node misses a dependency, and yet one was not placed")
        }
        var path: [Int] = []
        var place: [Int: Int] = [:]
        while place[node] == nil {
            place[node] = path.count
            path.append(node)
            guard let next = dependencies[node].first(where: { missing[$0] > 0 }) else {
                preconditionFailure("a node misses a dependency, and all of its dependencies were placed")
            }
            node = next
        }
        // The walk went from dependents to dependencies; the jobs would run the other way round.
        var loop = Array(path[(place[node] ?? 0)...].reversed())
        if let least = loop.min(), let start = loop.firstIndex(of: least) {
            loop = Array(loop[start...] + loop[..<start])
        }
        return Cycle(nodes: loop)
    }
}
