import PenstockWire

@testable import PenstockEngine

extension Operation: CustomStringConvertible {
    /// The same with a little less in it, which leaves every job its id.
    var simpler: [Operation] {
        guard case .add(let items, let session) = self else { return [] }
        var found: [Operation] = []
        for item in items.indices {
            for node in items[item].nodes.indices {
                func change(_ body: (inout NodeSpec) -> Void) {
                    var copy = items
                    body(&copy[item].nodes[node])
                    found.append(.add(copy, session: session))
                }
                let spec = items[item].nodes[node]
                for index in spec.after.indices { change { $0.after.remove(at: index) } }
                if spec.customID != nil { change { $0.customID = nil } }
                if spec.options != .default { change { $0.options = .default } }
                if spec.options.attempts != 1 { change { $0.options.attempts = 1 } }
                if spec.options.delay != 0 { change { $0.options.delay = 0 } }
            }
        }
        return found
    }

    var description: String {
        switch self {
        case .add(let items, _): "add " + items.map(\.description).joined(separator: ", ")
        case .cancel(let target, _): "cancel \(target)"
        case .retry(let target, let keepsCounters, let reruns, _, _):
            "retry \(target)" + (keepsCounters ? ", keeping counters" : "") + (reruns ? ", a rerun" : "")
        case .finish(let job, let fails, _): (fails ? "fail" : "complete") + " \(job) by hand"
        case .resolve(let dependent, let dependency, let to, _): "resolve \(dependent) -> \(dependency) as \(to)"
        case .lease(let queue, let count, _): "lease \(count) of \(queue)"
        case .complete(let job, _, _), .completeTwice(let job): "complete \(job)"
        case .fail(let job, let unrecoverable, _, _): "fail \(job)" + (unrecoverable ? " for good" : "")
        case .giveBack(let job): "give back \(job)"
        case .stall(let job): "stall \(job)"
        case .completeLate(let job): "complete \(job) under an old token"
        case .writeLease(let job): "write the lease of \(job)"
        case .advance(let milliseconds): "advance by \(milliseconds)"
        case .restart: "restart"
        case .promote: "promote"
        case .confirm: "confirm"
        case .carryOn: "carry on"
        case .commit: "commit"
        }
    }
}

extension ItemSpec: CustomStringConvertible {
    var description: String {
        let list = nodes.map(\.description).joined(separator: "; ")
        return isFlow ? "flow [\(list)]" : list
    }
}

extension NodeSpec: CustomStringConvertible {
    var description: String {
        var text = "\(name) in \(queue)"
        if let customID { text += " id \(customID)" }
        for dependency in after {
            text += " after \(dependency.target)"
            if let policy = dependency.policy { text += " \(policy)" }
            if dependency.condition != .success { text += " on \(dependency.condition)" }
        }
        if options.onFailure != .failParent { text += " onFailure \(options.onFailure)" }
        if options.cancelSiblings { text += " cancelSiblings" }
        if options.attempts != 1 { text += " attempts \(options.attempts)" }
        if options.maxStalledCount != 1 { text += " stalls \(options.maxStalledCount)" }
        if options.delay != 0 { text += " delay \(options.delay)" }
        if options.lifo { text += " lifo" }
        if options.priority != 0 { text += " priority \(options.priority)" }
        return text
    }
}
