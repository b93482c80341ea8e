import PenstockWire

@testable import PenstockEngine

/// What the commands mean, in plain objects and without a thought for speed: the engine has to agree.
final class Model {
    final class Job {
        let id: JobID
        let queue: String
        let flow: FlowID
        let options: NodeOptions
        var state = JobState.waiting
        var cause = FailureCause.none
        var made = 0
        var started = 0
        var stalled = 0
        var due: UInt64 = 0
        /// Where the due may lie, after a backoff with jitter.
        var dueSpread: UInt64 = 0
        var place: Place?
        var hasFailed = false
        var isLeaseWritten = false
        var edges: [Edge] = []
        var positions: UInt32 = 0
        var dependents: [Edge] = []
        /// The first dependent is told first; the others in the order of their ids.
        var first: Edge?
        var hasDependentInFlow = false
        var failedDependency = JobID.none

        init(_ id: JobID, _ queue: String, _ flow: FlowID, _ options: NodeOptions) {
            self.id = id
            self.queue = queue
            self.flow = flow
            self.options = options
        }

        var counting: Int { edges.count { $0.kind == .unprocessed && !$0.isDetached } }
    }

    final class Edge {
        unowned let dependent: Job
        unowned let dependency: Job
        let position: UInt32
        let policy: FailurePolicy
        var kind = DependencyKind.unprocessed
        var isHeld = false
        var isDetached = false

        init(_ dependent: Job, _ dependency: Job, _ position: UInt32, _ policy: FailurePolicy) {
            self.dependent = dependent
            self.dependency = dependency
            self.position = position
            self.policy = policy
        }
    }

    /// Drawn by command and node; what one command's effects draw is in no order among itself.
    struct Place: Comparable {
        var isTail: Bool
        var command: Int
        var node: Int

        static func < (a: Place, b: Place) -> Bool {
            if a.isTail != b.isTail { return !a.isTail }
            let (x, y) = a.isTail ? (a, b) : (b, a)
            return (x.command, x.node) < (y.command, y.node)
        }
    }

    var jobs: [JobID: Job] = [:]
    var customIDs: [String: Job] = [:]
    var flows: [FlowID: [Job]] = [:]
    var nextJob: UInt64 = 1
    var nextFlow: UInt64 = 1
    var elapsed: UInt64 = 0
    /// Jobs under a lease when the batch was handed over.
    var leased: Set<JobID> = []
    private var command = 0
    private var draws = 0
    /// Failures whose dependents are still to be told, the first one first.
    private var failures: [Job] = []

    func begin() {
        command += 1
        draws = 0
    }

    // MARK: Adds

    enum AddResult {
        /// Any of these codes is right.
        case refused(Set<ErrorCode>)
        case added([AddOutcome.Item])
    }

    func add(_ items: [ItemSpec]) -> AddResult {
        begin()
        let specs = items.flatMap(\.nodes)
        var errors: Set<ErrorCode> = []
        let existing = specs.map { spec in spec.customID.flatMap { customIDs[spec.queue + ":" + $0] } }
        let keys = specs.compactMap { spec in spec.customID.map { spec.queue + ":" + $0 } }
        if Set(keys).count < keys.count { errors.insert(.duplicateCustomID) }
        for (spec, job) in zip(specs, existing) where job != nil && spec.options.rejectExisting {
            errors.insert(.customIDExists)
        }
        // What each node depends on: a node of the add, or a stored job.
        enum Target: Hashable {
            case node(Int)
            case job(JobID)
        }
        var targets: [[(target: Target, policy: FailurePolicy?)]] = []
        for (index, spec) in specs.enumerated() {
            var own: [(Target, FailurePolicy?)] = []
            for dependency in spec.after {
                switch dependency.target {
                case .node: preconditionFailure("histories name nodes by index")
                case .index(let target):
                    if target == index { errors.insert(.selfReference) }
                    if target > index { errors.insert(.forwardReference) }
                    guard target < index else { continue }
                    let job = existing[target]
                    own.append((job.map { Target.job($0.id) } ?? .node(target), dependency.policy))
                case .job(let id):
                    if jobs[id] == nil { errors.insert(.unknownDependency) }
                    if existing[index]?.id == id { errors.insert(.selfReference) }
                    own.append((.job(id), dependency.policy))
                }
            }
            if Set(own.map(\.0)).count < own.count { errors.insert(.duplicateDependency) }
            targets.append(own)
        }
        // Edges that are stored are not new.
        for (index, job) in existing.enumerated() {
            guard let job else { continue }
            targets[index].removeAll { target in
                guard case .job(let id) = target.target else { return false }
                // Nor are those that `remove` would take away at once.
                if let dependency = jobs[id], dependency.state == .failed,
                    (target.policy ?? dependency.options.onFailure) == .remove
                {
                    return true
                }
                return job.edges.contains { $0.dependency.id == id }
            }
            guard !targets[index].isEmpty else { continue }
            let isOpen =
                job.state == .delayed || job.state == .waitingChildren
                || job.state == .waiting && !leased.contains(job.id)
            if !isOpen { errors.insert(.dependentNotOpen) }
        }
        // A way from a stored job over what it depends on, new or unprocessed, back to itself.
        for (index, job) in existing.enumerated() where job != nil && !targets[index].isEmpty {
            var seen: Set<Target> = []
            var stack = targets[index].map(\.target)
            while let target = stack.popLast() {
                guard seen.insert(target).inserted else { continue }
                switch target {
                case .node(let node): stack += targets[node].map(\.target)
                case .job(let id):
                    stack += (jobs[id]?.edges ?? []).filter { $0.kind == .unprocessed }.map { .job($0.dependency.id) }
                    if let node = existing.firstIndex(where: { $0?.id == id }) {
                        stack += targets[node].map(\.target)
                    }
                }
            }
            if seen.contains(.job(job!.id)) { errors.insert(.cycle) }
        }
        guard errors.isEmpty else { return .refused(errors) }
        return .added(
            carryOut(
                items,
                existing,
                targets.map { own in
                    own.map { entry in
                        switch entry.target {
                        case .node(let node): (node, JobID.none, entry.policy)
                        case .job(let id): (-1, id, entry.policy)
                        }
                    }
                }
            )
        )
    }

    private func carryOut(
        _ items: [ItemSpec],
        _ existing: [Job?],
        _ targets: [[(node: Int, job: JobID, policy: FailurePolicy?)]]
    ) -> [AddOutcome.Item] {
        var nodes: [Job] = []
        var answers: [AddOutcome.Item] = []
        for item in items {
            let range = nodes.count..<nodes.count + item.nodes.count
            var answer = AddOutcome.Item(flow: .none, first: .none, nodes: UInt32(item.nodes.count))
            if item.isFlow && range.contains(where: { existing[$0] == nil }) {
                answer.flow = FlowID(nextFlow)
                nextFlow += 1
            }
            for (offset, spec) in item.nodes.enumerated() {
                if let job = existing[range.lowerBound + offset] {
                    answer.existing.append(.init(node: UInt32(offset), job: job.id))
                    nodes.append(job)
                    continue
                }
                let job = Job(JobID(nextJob), spec.queue, answer.flow, spec.options)
                nextJob += 1
                if answer.first == .none { answer.first = job.id }
                jobs[job.id] = job
                if let id = spec.customID { customIDs[spec.queue + ":" + id] = job }
                if answer.flow != .none { flows[answer.flow, default: []].append(job) }
                nodes.append(job)
            }
            answers.append(answer)
        }
        link(nodes, existing, targets)
        for (index, job) in nodes.enumerated() where existing[index] == nil {
            draws = index
            if !job.edges.isEmpty {
                job.state = .waitingChildren
                job.place = drawPlace(job)
            } else if job.options.delay > 0 {
                job.state = .delayed
                job.due = elapsed + job.options.delay
            } else {
                job.place = drawPlace(job)
            }
        }
        draws = nodes.count
        for (index, job) in nodes.enumerated() where existing[index] != nil && !targets[index].isEmpty {
            job.state = .waitingChildren
            job.due = 0
        }
        // What had finished before the add is settled when all of it is in place.
        for (index, own) in targets.enumerated() {
            for target in own where target.node < 0 {
                let dependency = jobs[target.job]!
                guard dependency.state.isFinished,
                    let edge = nodes[index].edges.first(where: { $0.dependency === dependency })
                else { continue }
                settle(edge, isCompleted: dependency.state == .completed)
            }
        }
        passOnFailures()
        return answers
    }

    /// Edges among new jobs first, then those of new jobs to stored ones, then those of stored jobs.
    private func link(
        _ nodes: [Job],
        _ existing: [Job?],
        _ targets: [[(node: Int, job: JobID, policy: FailurePolicy?)]]
    ) {
        var edges: [(Edge, Int)] = []
        for (index, job) in nodes.enumerated() {
            for target in targets[index] {
                let dependency = target.node >= 0 ? nodes[target.node] : jobs[target.job]!
                let policy = target.policy ?? dependency.options.onFailure
                let edge = Edge(job, dependency, job.positions, policy)
                job.positions += 1
                job.edges.append(edge)
                edges.append((edge, existing[index] != nil ? 2 : target.node >= 0 ? 0 : 1))
            }
        }
        for turn in 0...2 {
            for (edge, own) in edges where own == turn {
                let dependency = edge.dependency
                if dependency.dependents.isEmpty { dependency.first = edge }
                dependency.dependents.append(edge)
                if dependency.flow != .none && dependency.flow == edge.dependent.flow {
                    dependency.hasDependentInFlow = true
                }
            }
        }
    }

    // MARK: Attempts

    func complete(_ job: Job) {
        begin()
        startIfUnwritten(job)
        job.made += 1
        job.cause = .none
        end(job, .completed)
        tellDependents(of: job)
        passOnFailures()
    }

    func fail(_ job: Job, unrecoverable: Bool, delay: UInt64?) {
        begin()
        startIfUnwritten(job)
        job.made += 1
        if unrecoverable || job.made >= Int(job.options.attempts) {
            job.cause = unrecoverable ? .unrecoverable : .error
            end(job, .failed)
            failures.append(job)
            return passOnFailures()
        }
        job.cause = .error
        job.hasFailed = true
        job.place = nil
        let backoff = job.options.backoff
        var wait = backoff.kind == .exponential ? backoff.delay << UInt64(job.made - 1) : backoff.delay
        if backoff.maximum > 0 { wait = min(wait, backoff.maximum) }
        if let delay { wait = delay }
        let spread = delay == nil ? wait * UInt64(backoff.jitter) / 1000 : 0
        if wait == 0 { return makeReady(job) }
        job.state = .delayed
        job.due = elapsed + wait
        job.dueSpread = spread
    }

    func giveBack(_ job: Job, isStall: Bool) {
        begin()
        startIfUnwritten(job)
        if isStall {
            job.stalled += 1
            if job.stalled > Int(job.options.maxStalledCount) {
                job.cause = .stalled
                end(job, .failed)
                failures.append(job)
                return passOnFailures()
            }
        }
        makeReady(job)
    }

    func writeLease(_ job: Job) {
        begin()
        job.started += 1
        job.state = .active
        job.isLeaseWritten = true
    }

    func promote() {
        begin()
        let due = jobs.values.filter { $0.state == .delayed && $0.due <= elapsed }
        for job in due.sorted(by: { ($0.due, $0.id) < ($1.due, $1.id) }) {
            makeReady(job)
            draws += 1
        }
    }

    private func startIfUnwritten(_ job: Job) {
        if !job.isLeaseWritten { job.started += 1 }
        job.isLeaseWritten = false
    }

    private func end(_ job: Job, _ state: JobState) {
        job.state = state
        job.due = 0
    }

    private func makeReady(_ job: Job) {
        job.state = .waiting
        job.due = 0
        job.dueSpread = 0
        if job.place == nil { job.place = drawPlace(job) }
    }

    private func drawPlace(_ job: Job) -> Place {
        Place(isTail: !job.options.lifo || job.hasFailed, command: command, node: draws)
    }

    // MARK: The end of a dependency

    private func tellDependents(of job: Job) {
        let isCompleted = job.state == .completed
        let first = job.first
        let others = job.dependents.filter { $0 !== first }.sorted { $0.dependent.id < $1.dependent.id }
        if let first { settle(first, isCompleted: isCompleted) }
        for edge in others { settle(edge, isCompleted: isCompleted) }
    }

    private func passOnFailures() {
        while !failures.isEmpty { tellDependents(of: failures.removeFirst()) }
    }

    private func settle(_ edge: Edge, isCompleted: Bool) {
        guard edge.kind == .unprocessed, !edge.isHeld else { return }
        let dependent = edge.dependent
        let matters = !edge.isDetached && !dependent.state.isFinished
        if isCompleted {
            edge.kind = .processed
        } else {
            switch edge.policy {
            case .failParent:
                edge.kind = .failed
                if matters {
                    dependent.cause = .dependency
                    dependent.failedDependency = edge.dependency.id
                    end(dependent, .failed)
                    failures.append(dependent)
                    return
                }
            case .ignore: edge.kind = .ignored
            case .remove:
                dependent.edges.removeAll { $0 === edge }
                edge.dependency.dependents.removeAll { $0 === edge }
                if edge.dependency.first === edge { edge.dependency.first = nil }
            case .continue:
                edge.kind = .ignored
                if matters { for other in dependent.edges where other.kind == .unprocessed { other.isDetached = true } }
            case .wait:
                if matters {
                    edge.isHeld = true
                    return
                }
                edge.kind = .ignored
            }
        }
        guard matters, dependent.counting == 0 else { return }
        if dependent.options.delay > 0 && dependent.started == 0 {
            dependent.state = .delayed
            dependent.due = elapsed + dependent.options.delay
        } else {
            makeReady(dependent)
        }
    }

    // MARK: What readers see

    func status(of flow: FlowID) -> FlowStatus {
        let jobs = flows[flow]!
        let unfinished = jobs.filter { !$0.state.isFinished }
        if unfinished.isEmpty {
            return jobs.contains { $0.state == .failed && !$0.hasDependentInFlow } ? .failed : .completed
        }
        let isHeld = unfinished.contains { $0.edges.contains { $0.isHeld && !$0.isDetached } }
        return isHeld && unfinished.allSatisfy { $0.state == .waitingChildren } ? .blocked : .running
    }
}
