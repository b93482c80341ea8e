import PenstockWire

@testable import PenstockEngine

extension Operation: CustomStringConvertible {
    /// The same with a little less in it, which leaves every job its id.
    var simpler: [Operation] {
        switch self {
        case .add(let items, let session): Operation.simpler(items).map { .add($0, session: session) }
        case .stage(let items, let nodes, let session, let restarts):
            Operation.simpler(items).map { .stage($0, nodes: nodes, session: session, restarts: restarts) }
        case .addHeld(let job, let completes, let items):
            Operation.simpler(items).map { .addHeld(job, completes: completes, $0) }
        case .setScheduler(let id, let interval, let limit, let template):
            Operation.simpler([template]).map { .setScheduler(id, every: interval, limit: limit, $0[0]) }
        case .setQueue(let queue, let given, let settings, let session):
            given == .defaults || !given.contains(.defaults)
                ? [] : [.setQueue(queue, given.subtracting(.defaults), settings.withoutDefaults, session: session)]
        default: []
        }
    }

    private static func simpler(_ items: [ItemSpec]) -> [[ItemSpec]] {
        var found: [[ItemSpec]] = []
        for item in items.indices {
            for node in items[item].nodes.indices {
                func change(_ body: (inout NodeSpec) -> Void) {
                    var copy = items
                    body(&copy[item].nodes[node])
                    found.append(copy)
                }
                let spec = items[item].nodes[node]
                for index in spec.after.indices { change { $0.after.remove(at: index) } }
                if spec.customID != nil { change { $0.customID = nil } }
                if spec.key != nil { change { $0.key = nil } }
                if spec.group != nil { change { $0.group = nil } }
                if spec.isExplicit { change { $0.isExplicit = false } }
                if !spec.headers.isEmpty { change { $0.headers = Headers() } }
                if spec.options != .default { change { $0.options = .default } }
                if spec.options.attempts != 1 { change { $0.options.attempts = 1 } }
                if spec.options.delay != 0 { change { $0.options.delay = 0 } }
                if spec.options.at != 0 { change { $0.options.at = 0 } }
                if spec.options.ttl != 0 { change { $0.options.ttl = 0 } }
                if spec.options.maxStarted != 0 { change { $0.options.maxStarted = 0 } }
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
        case .remove(let target, _): "remove \(target)"
        case .clean(let queue, let kind, _): "\(kind) of \(queue)"
        case .retain: "retain"
        case .runSchedulers: "run schedulers"
        case .expire: "expire"
        case .stage(let items, let nodes, _, let restarts):
            "stage by \(nodes)" + (restarts ? " with restarts: " : ": ")
                + items.map(\.description).joined(separator: ", ")
        case .stepWall(let milliseconds): "set the wall clock by \(milliseconds)"
        case .setScheduler(let id, let interval, let limit, let template):
            "schedule \(id) every \(interval)" + (limit.map { ", \($0) times" } ?? "") + ": \(template)"
        case .removeScheduler(let id): "remove scheduler \(id)"
        case .lease(let queue, let count, _): "lease \(count) of \(queue)"
        case .complete(let job, _, _), .completeTwice(let job): "complete \(job)"
        case .fail(let job, let unrecoverable, _, _): "fail \(job)" + (unrecoverable ? " for good" : "")
        case .giveBack(let job): "give back \(job)"
        case .stall(let job): "stall \(job)"
        case .timeOut(let job): "time out \(job)"
        case .report(let job, let progress, let data, let lines):
            "report of \(job)" + (progress ? " progress" : "") + (data ? " data" : "")
                + (lines > 0 ? " \(lines) lines" : "")
        case .update(let job, let data, let priority, let delay, _):
            "update \(job)" + (data ? " data" : "") + (priority.map { " priority \($0)" } ?? "")
                + (delay.map { " delay \($0)" } ?? "")
        case .promoteNow(let target, _): "promote \(target)"
        case .clearLogs(let job, let keep, _): "clear the log of \(job) but for \(keep)"
        case .setQueue(let queue, let given, let settings, _): "set \(queue) \(given): \(settings)"
        case .completeLate(let job): "complete \(job) under an old token"
        case .writeLease(let job): "write the lease of \(job)"
        case .addHeld(let job, let completes, let items):
            (completes ? "complete \(job) and add " : "add to \(job) ")
                + items.map(\.description).joined(separator: ", ")
        case .move(let job, let place, let delay, let data):
            "move \(job) to \(place)" + (delay > 0 ? " for \(delay)" : "") + (data ? " with data" : "")
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
        let text = isFlow ? "flow [\(list)]" : list
        guard let child else { return text }
        return text + " as child" + (child.policy.map { " \($0)" } ?? "")
            + (child.condition == .success ? "" : " on \(child.condition)")
    }
}

extension NodeSpec: CustomStringConvertible {
    var description: String {
        var text = "\(name) in \(queue)"
        if let customID { text += " id \(customID)" }
        if let key { text += " key \(key)" }
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
        if options.repeatEvery != 0 { text += " repeatEvery \(options.repeatEvery)" }
        if options.at != 0 { text += " at \(options.at)" }
        if options.ttl != 0 { text += " ttl \(options.ttl)" }
        if options.timeout != 0 { text += " timeout \(options.timeout)" }
        if options.maxStarted != 0 { text += " maxStarted \(options.maxStarted)" }
        if options.keepLogs != Limits.keepLogsDefault { text += " keepLogs \(options.keepLogs)" }
        if isExplicit { text += " explicit" }
        if let keep = options.keepCompleted { text += " keepCompleted \(keep)" }
        if let keep = options.keepFailed { text += " keepFailed \(keep)" }
        if options.priority != 0 { text += " priority \(options.priority)" }
        return text
    }
}

extension QueueSettings {
    fileprivate var withoutDefaults: QueueSettings {
        var settings = self
        settings.defaults = .default
        return settings
    }
}
