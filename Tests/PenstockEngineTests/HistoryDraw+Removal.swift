import PenstockWire

@testable import PenstockEngine

/// Draws what is taken out.
extension HistoryDraw {
    mutating func remove(_ scope: Scope) -> Operation {
        switch random.below(6) {
        case 0...2: .remove(.job(job(scope), keepsDependencies: chance(35)), session: session())
        case 3, 4: .remove(.unprocessedDependencies(of: job(scope)), session: session())
        default: .remove(.flow(flow(scope)), session: session())
        }
    }

    mutating func clean(_ scope: Scope) -> Operation {
        let queue = chance(5) ? "unknown" : ["q", "r", "s"][random.below(3)]
        return .clean(queue: queue, cleanKind(), session: session())
    }

    private mutating func cleanKind() -> Clean.Kind {
        switch random.below(8) {
        case 0, 1: return .drain(delayedToo: chance(50))
        case 2: return .obliterate(force: chance(40))
        default:
            let states = JobState.allCases.filter { $0 != .active }
            let state = states[random.below(states.count)]
            // Which of those that wait or are delayed come first is not the model's to know: they are taken all.
            let hasLimit = chance(40) && (state.isFinished || state == .waitingChildren)
            return .clean(state, age: chance(50) ? 0 : UInt64(random.below(2_000)), limit: UInt32(hasLimit ? 3 : 0))
        }
    }
}
