import PenstockWire

@testable import PenstockEngine

/// Adds: everything that can be wrong with one, then all of it at once.
extension Model {
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
        var targets: [[(target: Target, own: NodeSpec.Dependency)]] = []
        for (index, spec) in specs.enumerated() {
            var own: [(Target, NodeSpec.Dependency)] = []
            for dependency in spec.after {
                switch dependency.target {
                case .node: preconditionFailure("histories name nodes by index")
                case .index(let target):
                    if target == index { errors.insert(.selfReference) }
                    if target > index { errors.insert(.forwardReference) }
                    guard target < index else { continue }
                    let job = existing[target]
                    own.append((job.map { Target.job($0.id) } ?? .node(target), dependency))
                case .job(let id):
                    if jobs[id] == nil { errors.insert(.unknownDependency) }
                    if existing[index]?.id == id { errors.insert(.selfReference) }
                    own.append((.job(id), dependency))
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
                if let dependency = jobs[id], dependency.state == .failed || dependency.state == .cancelled,
                    !dependency.isSkipped, target.own.condition == .success,
                    (target.own.policy ?? dependency.options.onFailure) == .remove
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
                    // An edge may count again as long as its dependency has not completed.
                    let edges = (jobs[id]?.edges ?? []).filter {
                        $0.kind != .processed || $0.dependency.state != .completed
                    }
                    stack += edges.map { .job($0.dependency.id) }
                    if let node = existing.firstIndex(where: { $0?.id == id }) {
                        stack += targets[node].map(\.target)
                    }
                }
            }
            if seen.contains(.job(job!.id)) { errors.insert(.cycle) }
        }
        guard errors.isEmpty else { return .refused(errors) }
        return .added(
            write(
                items,
                existing,
                targets.map { own in
                    own.map { entry in
                        switch entry.target {
                        case .node(let node): (node, JobID.none, entry.own)
                        case .job(let id): (-1, id, entry.own)
                        }
                    }
                }
            )
        )
    }

    private func write(
        _ items: [ItemSpec],
        _ existing: [Job?],
        _ targets: [[(node: Int, job: JobID, own: NodeSpec.Dependency)]]
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
                job.data = spec.data
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
                job.place = Place(isTail: !job.options.lifo, command: command, node: index)
            } else if job.options.delay > 0 {
                delay(job, by: job.options.delay)
            } else {
                makeReady(job)
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
                settle(edge)
            }
        }
        carryOut()
        return answers
    }

    /// Edges among new jobs first, then those of new jobs to stored ones, then those of stored jobs.
    private func link(
        _ nodes: [Job],
        _ existing: [Job?],
        _ targets: [[(node: Int, job: JobID, own: NodeSpec.Dependency)]]
    ) {
        var edges: [(Edge, Int)] = []
        for (index, job) in nodes.enumerated() {
            for target in targets[index] {
                let dependency = target.node >= 0 ? nodes[target.node] : jobs[target.job]!
                let policy = target.own.policy ?? dependency.options.onFailure
                let edge = Edge(job, dependency, job.positions, policy, target.own.condition)
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

}
