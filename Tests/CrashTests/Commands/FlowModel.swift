import PenstockWire

/// What a flow should look like: the commands of one operator, applied to plain values, each at once and whole.
///
/// Nobody else says anything about the flow, and its operator one thing at a time. So what the server shows is this
/// flow, or, where a command is not answered, the flow before it or behind it.
struct FlowModel: Equatable, Sendable {
    /// A job's state; nobody who only looks can tell a waiting job from a delayed or a leased one in time.
    enum State: Equatable, Sendable {
        case ready
        case waitingChildren
        case completed
        case failed(FailureCause)
        case cancelled

        var isFinished: Bool { self != .ready && self != .waitingChildren }
    }

    struct Edge: Equatable, Sendable {
        var dependency: Int
        var policy: FailurePolicy
        var kind = DependencyKind.unprocessed
        /// The dependency failed, and `wait` holds the dependent.
        var isHeld = false
        var isDetached = false
        /// It was resolved by hand.
        var isByHand = false

        var counts: Bool { kind == .unprocessed && !isDetached }
    }

    struct Node: Equatable, Sendable {
        var state = State.ready
        var edges: [Edge] = []
        /// Those that have, or had, an edge to it.
        var dependents: [Int] = []
        /// Cancelled with the jobs that needed it, or the top of such a part.
        var isPruned = false
        var isGone = false

        var counting: Bool { edges.contains { $0.counts } }
    }

    /// What one command does to other jobs, first come, first served.
    enum Effect: Equatable, Sendable {
        case tell(Int)
        case reopen(Int)
        case prune(Int, top: Int)
        /// What was cancelled with the job is retried with it.
        case restore(Int)
    }

    enum Answer: Equatable, Sendable {
        case done
        case count(Int)
        case refused(ErrorCode)
    }

    var nodes: [Node] = []
    /// False until it is added.
    var isAdded = false
    var effects: [Effect] = []
    /// Retried jobs, which begin when all that the retry comes to has been opened.
    var retried: [Int] = []
    /// Jobs that the command has cancelled, retried or removed.
    var touched = 0

    /// - Parameter edges: of each node, to nodes before it.
    init(edges: [[Edge]]) {
        nodes = edges.map { Node(state: $0.isEmpty ? .ready : .waitingChildren, edges: $0) }
        for (index, node) in nodes.enumerated() {
            for edge in node.edges { nodes[edge.dependency].dependents.append(index) }
        }
    }

    var live: [Int] { nodes.indices.filter { !nodes[$0].isGone } }
    /// It is there for whoever asks.
    var exists: Bool { isAdded && nodes.contains { !$0.isGone } }

    func hasState(_ state: State, _ index: Int) -> Bool { !nodes[index].isGone && nodes[index].state == state }

    // MARK: What follows

    mutating func carryOut() {
        var head = 0
        while true {
            guard head < effects.count else {
                effects = []
                head = 0
                guard !retried.isEmpty else { return }
                start(retried.removeFirst())
                continue
            }
            let effect = effects[head]
            head += 1
            switch effect {
            case .tell(let index): forEachEdge(to: index) { $0.settle($1, $2) }
            case .reopen(let index): forEachEdge(to: index) { $0.reopen($1, $2) }
            case .prune(let index, let top): prune(index, top: top)
            case .restore(let index):
                for edge in nodes[index].edges where nodes[edge.dependency].isPruned {
                    if hasState(.cancelled, edge.dependency) { retry(edge.dependency) }
                }
            }
        }
    }

    private mutating func forEachEdge(to index: Int, _ body: (inout FlowModel, _ dependent: Int, _ edge: Int) -> Void) {
        for dependent in nodes[index].dependents where !nodes[dependent].isGone {
            guard let edge = edge(of: dependent, to: index) else { continue }
            body(&self, dependent, edge)
        }
    }

    func edge(of dependent: Int, to dependency: Int) -> Int? {
        nodes[dependent].edges.firstIndex { $0.dependency == dependency }
    }

    mutating func end(_ index: Int, _ state: State) {
        nodes[index].state = state
        effects.append(.tell(index))
    }

    mutating func releaseIfFree(_ index: Int) {
        guard hasState(.waitingChildren, index), !nodes[index].counting, !retried.contains(index) else { return }
        nodes[index].state = .ready
    }

    /// Tells a dependent how its dependency ended.
    private mutating func settle(_ dependent: Int, _ place: Int) {
        let edge = nodes[dependent].edges[place]
        let ending = nodes[edge.dependency].state
        guard ending.isFinished, !(edge.isHeld && ending != .completed) else { return }
        let matters = edge.counts && !nodes[dependent].state.isFinished
        (nodes[dependent].edges[place].isHeld, nodes[dependent].edges[place].isByHand) = (false, false)
        func kind(_ kind: DependencyKind) { nodes[dependent].edges[place].kind = kind }
        if ending == .completed {
            kind(.processed)
        } else {
            switch edge.policy {
            case .failParent:
                kind(.failed)
                if matters { return end(dependent, .failed(.dependency)) }
            case .ignore: kind(.ignored)
            case .remove:
                if ending == .cancelled && !matters { kind(.ignored) } else { nodes[dependent].edges.remove(at: place) }
            case .continue:
                kind(.ignored)
                if matters {
                    for other in nodes[dependent].edges.indices
                    where nodes[dependent].edges[other].kind == .unprocessed {
                        nodes[dependent].edges[other].isDetached = true
                    }
                }
            case .wait: if matters { nodes[dependent].edges[place].isHeld = true } else { kind(.ignored) }
            }
        }
        if matters { releaseIfFree(dependent) }
    }

    /// Opens the edge to a job that runs again, where the dependent can still wait for it.
    private mutating func reopen(_ dependent: Int, _ place: Int) {
        let hasFailed = nodes[dependent].state == .failed(.dependency)
        switch nodes[dependent].state {
        case .waitingChildren: break
        case .ready: nodes[dependent].state = .waitingChildren
        default: guard hasFailed else { return }
        }
        nodes[dependent].edges[place].isHeld = false
        nodes[dependent].edges[place].kind = .unprocessed
        nodes[dependent].edges[place].isDetached = false
        if hasFailed { reviveIfFree(dependent) }
    }

    /// Revives a job that failed with a dependency if no edge of it is left failed, but for those to jobs that were
    /// removed.
    mutating func reviveIfFree(_ index: Int) {
        if isFree(index) { reset(index) }
    }

    /// No dependency that failed the job can be retried any more.
    func isFree(_ index: Int) -> Bool {
        !nodes[index].edges.contains { $0.kind == .failed && !nodes[$0.dependency].isGone }
    }

    mutating func retry(_ index: Int) {
        touched += 1
        if nodes[index].isPruned { effects.append(.restore(index)) }
        reset(index)
        retried.append(index)
    }

    /// Back to waiting-children: what may run starts when the whole retry has been carried out.
    mutating func reset(_ index: Int) {
        nodes[index].state = .waitingChildren
        nodes[index].isPruned = false
        effects.append(.reopen(index))
    }

    private mutating func start(_ index: Int) {
        guard nodes[index].state == .waitingChildren else { return }
        for place in nodes[index].edges.indices {
            let edge = nodes[index].edges[place]
            let dependency = nodes[edge.dependency]
            guard edge.kind != .unprocessed, !edge.isByHand, !dependency.isGone, !dependency.state.isFinished else {
                continue
            }
            nodes[index].edges[place].kind = .unprocessed
            nodes[index].edges[place].isDetached = false
        }
        if !nodes[index].counting { nodes[index].state = .ready }
    }

    /// Cancels the unfinished dependencies that only the job, the top, or what was cancelled so, needs.
    private mutating func prune(_ index: Int, top: Int) {
        for edge in nodes[index].edges {
            let dependency = edge.dependency
            guard !nodes[dependency].isGone, !nodes[dependency].state.isFinished else { continue }
            let isNeeded = nodes[dependency].dependents.contains { other in
                other != index && other != top && !nodes[other].isGone && self.edge(of: other, to: dependency) != nil
                    && !(nodes[other].state == .cancelled && nodes[other].isPruned)
            }
            if isNeeded { continue }
            nodes[dependency].isPruned = true
            touched += 1
            end(dependency, .cancelled)
            effects.append(.prune(dependency, top: top))
        }
    }
}
