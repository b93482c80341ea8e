import PenstockWire

@testable import PenstockEngine

/// Draws schedulers, and the time that retention and they take.
extension HistoryDraw {
    mutating func schedule() -> Operation {
        let id = "s\(random.below(4))"
        if chance(25) { return .removeScheduler(id) }
        var template = items(Scope(nextJob: 1, nextFlow: 1, wall: 0, leases: [], settles: false), mistakes: 0)[0]
        for node in template.nodes.indices {
            template.nodes[node].customID = nil
            template.nodes[node].options.repeatEvery = 0
            template.nodes[node].options.rejectExisting = false
        }
        let interval = [50, 400, 2_000][random.below(3)] as UInt64
        return .setScheduler(id, every: interval, limit: chance(30) ? UInt64(1 + random.below(4)) : nil, template)
    }

    mutating func ownTime() -> [Operation] {
        var drawn: [Operation] = []
        if chance(retentions) {
            if chance(30) { drawn.append(.advance(UInt64(random.below(90_000)))) }
            drawn.append(.retain)
        }
        if chance(schedulers * 2) { drawn.append(.runSchedulers) }
        if chance(limits) { drawn.append(.expire) }
        if chance(times) { drawn.append(stepWall()) }
        return drawn
    }

    mutating func retention() -> Retention? {
        guard chance(retentions) else { return nil }
        switch random.below(4) {
        case 0: return Retention()
        case 1: return Retention(age: UInt64(random.below(150_000)))
        default: return Retention(count: UInt32(random.below(4)))
        }
    }
}
