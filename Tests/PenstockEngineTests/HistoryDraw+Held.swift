import PenstockWire

@testable import PenstockEngine

/// Draws what workers add to their jobs, and how they put them off.
extension HistoryDraw {
    mutating func grow(_ lease: TestLease, _ scope: Scope, _ drawn: inout [Operation]) {
        switch random.below(8) {
        case 0...4:
            drawn.append(.addHeld(lease.job, completes: false, children(scope)))
            if chance(50) { drawn.append(move(lease)) }
        case 5: drawn.append(.addHeld(lease.job, completes: true, chance(mistakes) ? children(scope) : items(scope)))
        default: drawn.append(move(lease))
        }
    }

    private mutating func move(_ lease: TestLease) -> Operation {
        if chance(75) { return .move(lease.job, .waitingChildren, delay: 0, data: chance(50)) }
        if chance(30) { return .move(lease.job, .rateLimited, delay: UInt64(1 + random.below(500)), data: chance(30)) }
        return .move(lease.job, .delayed, delay: UInt64(random.below(500)), data: chance(30))
    }

    private mutating func children(_ scope: Scope) -> [ItemSpec] {
        var items = items(scope)
        for item in items.indices {
            let isChild = chance(85)
            if isChild { items[item].child = ChildFields(policy: policy(), condition: condition()) }
            for node in items[item].nodes.indices where chance(30) && (isChild || chance(mistakes)) {
                items[item].nodes[node].key = "k\(random.below(8))"
            }
        }
        return items
    }
}
