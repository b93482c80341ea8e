import PenstockWire

/// What an operator says about a flow; jobs are named by their place in it.
enum FlowCommand: Equatable, Sendable {
    case add
    case cancel(Int)
    case cancelTree(Int)
    case cancelFlow
    case retry(Int)
    case retryFlow
    /// All that is in the flow's queue, which is the flow, unless its first job is held.
    case retryQueue
    case finish(Int, fails: Bool)
    case resolve(Int, Int, Resolve.Resolution)
    case remove(Int, keepsDependencies: Bool)
    case removeUnfinished(of: Int)
    case removeFlow
    /// The finished jobs of the flow's queue in this state, and all that is in it.
    case clean(JobState)
    case obliterate
    /// Of the flow's first job, whose lease the operator has.
    case addChildren(keys: [Int])
    case move
    case moveDelayed
    case fail
    case complete
    case completeAdding
}

extension FlowModel {
    /// What the command makes of the flow, and what its sender is told.
    mutating func apply(_ command: FlowCommand) -> Answer {
        let answer = carry(command)
        carryOut()
        defer { touched = 0 }
        if case .count = answer { return .count(touched) }
        return answer
    }

    private mutating func carry(_ command: FlowCommand) -> Answer {
        guard isAdded || command == .add else { return .refused(.jobNotFound) }
        switch command {
        case .add:
            isAdded = true
            return .done
        case .cancel(let index), .cancelTree(let index): return cancel(index, tree: command == .cancelTree(index))
        case .cancelFlow:
            guard exists else { return .refused(.flowNotFound) }
            let unfinished = live.filter { !nodes[$0].state.isFinished }
            touched = unfinished.count
            for index in unfinished { end(index, .cancelled) }
            return .count(touched)
        case .retry, .retryFlow, .retryQueue: return retry(command)
        case .finish, .resolve: return decide(command)
        case .remove, .removeUnfinished, .removeFlow, .clean, .obliterate: return remove(command)
        case .addChildren, .move, .moveDelayed, .fail, .complete, .completeAdding: return act(command)
        }
    }

    private mutating func cancel(_ index: Int, tree: Bool) -> Answer {
        guard !nodes[index].isGone else { return .refused(.jobNotFound) }
        guard !nodes[index].state.isFinished else { return .count(0) }
        if tree {
            nodes[index].isPruned = true
            effects.append(.prune(index, top: index))
        }
        touched = 1
        end(index, .cancelled)
        return .count(1)
    }

    private mutating func retry(_ command: FlowCommand) -> Answer {
        var again: [Int]
        if case .retry(let index) = command {
            guard !nodes[index].isGone else { return .refused(.jobNotFound) }
            guard nodes[index].state.isFinished, nodes[index].state != .completed else {
                return .refused(.notRetryable)
            }
            again = [index]
        } else {
            guard exists || command == .retryQueue else { return .refused(.flowNotFound) }
            again = live.filter {
                hasState(.failed(.error), $0) || hasState(.cancelled, $0)
                    || hasState(.failed(.dependency), $0) && isFree($0)
            }
        }
        for index in again where nodes[index].state.isFinished { retry(index) }
        return .count(touched)
    }

    private mutating func decide(_ command: FlowCommand) -> Answer {
        switch command {
        case .finish(let index, let fails):
            guard !nodes[index].isGone else { return .refused(.jobNotFound) }
            guard !nodes[index].state.isFinished else { return .refused(.alreadyFinished) }
            end(index, fails ? .failed(.error) : .completed)
        case .resolve(let dependent, let dependency, let to):
            guard !nodes[dependent].isGone else { return .refused(.jobNotFound) }
            guard let place = edge(of: dependent, to: dependency) else { return .refused(.edgeNotFound) }
            let kind = nodes[dependent].edges[place].kind
            guard kind == .unprocessed || kind == .failed else { return .refused(.alreadyFinished) }
            nodes[dependent].edges[place].isHeld = false
            nodes[dependent].edges[place].isByHand = true
            switch to {
            case .processed: nodes[dependent].edges[place].kind = .processed
            case .ignored: nodes[dependent].edges[place].kind = .ignored
            case .removed: nodes[dependent].edges.remove(at: place)
            }
            if nodes[dependent].state == .failed(.dependency) { reviveIfFree(dependent) }
            releaseIfFree(dependent)
        default: break
        }
        return .done
    }

    // MARK: Removing

    private mutating func remove(_ command: FlowCommand) -> Answer {
        var going: [Int] = []
        switch command {
        case .remove(let index, let keepsDependencies):
            guard !nodes[index].isGone else { return .refused(.jobNotFound) }
            going = keepsDependencies ? [index] : withWhatOnlyItNeeds(index)
        case .removeUnfinished(let index):
            guard !nodes[index].isGone else { return .refused(.jobNotFound) }
            going = nodes[index].edges.map(\.dependency).filter {
                !nodes[$0].isGone && !nodes[$0].state.isFinished
            }
        case .clean(let state):
            going = live.filter {
                switch nodes[$0].state {
                case .completed: state == .completed
                case .failed: state == .failed
                case .cancelled: state == .cancelled
                default: false
                }
            }
        case .removeFlow:
            guard exists else { return .refused(.flowNotFound) }
            going = live
        default: going = live
        }
        touched = going.count
        for index in going { nodes[index].isGone = true }
        for index in going { loseEdges(to: index) }
        return .count(touched)
    }

    private func withWhatOnlyItNeeds(_ index: Int) -> [Int] {
        var going = [index]
        var isGoing: Set<Int> = [index]
        var head = 0
        while head < going.count {
            for edge in nodes[going[head]].edges where !isGoing.contains(edge.dependency) {
                let dependency = edge.dependency
                let isNeeded = nodes[dependency].dependents.contains {
                    !isGoing.contains($0) && !nodes[$0].isGone && self.edge(of: $0, to: dependency) != nil
                }
                if nodes[dependency].isGone || isNeeded { continue }
                isGoing.insert(dependency)
                going.append(dependency)
            }
            head += 1
        }
        return going
    }

    /// Dependents that stay lose the edge, where that has no outcome.
    private mutating func loseEdges(to index: Int) {
        for dependent in nodes[index].dependents where !nodes[dependent].isGone {
            guard let place = edge(of: dependent, to: index),
                nodes[dependent].edges[place].kind == .unprocessed
            else { continue }
            nodes[dependent].edges.remove(at: place)
            releaseIfFree(dependent)
        }
    }

    // MARK: What its worker says of the first job

    private mutating func act(_ command: FlowCommand) -> Answer {
        switch command {
        case .addChildren(let keys):
            // The children of the first job are the nodes behind it, in the order of their keys.
            for key in keys where key >= nodes.count {
                nodes.append(Node())
                nodes[0].edges.append(Edge(dependency: nodes.count - 1, policy: FlowModel.childPolicy(key)))
                nodes[nodes.count - 1].dependents = [0]
            }
        case .move, .moveDelayed: if nodes[0].counting { nodes[0].state = .waitingChildren }
        case .fail: end(0, .failed(.error))
        default:
            guard !nodes[0].counting else {
                end(0, .failed(.error))
                return .refused(.unresolvedDependencies)
            }
            end(0, .completed)
        }
        return .done
    }

    static func childPolicy(_ key: Int) -> FailurePolicy { key % 3 == 0 ? .failParent : .ignore }
}
