import PenstockWire

@testable import PenstockEngine

/// Adds: everything that can be wrong with one, then all of it at once.
extension Model {
    enum AddResult {
        /// Any of these codes is right.
        case refused(Set<ErrorCode>)
        case added([AddOutcome.Item])
    }

    /// What a node of an add depends on: a node of the add, or a stored job.
    private enum Target: Hashable {
        case node(Int)
        case job(JobID)
    }

    /// An add as it will be written. The job that it adds to stands behind its nodes.
    private struct Plan {
        let items: [ItemSpec]
        let specs: [NodeSpec]
        /// The stored job that a node stands for.
        var existing: [Job?]
        var targets: [[(target: Target, own: NodeSpec.Dependency)]] = []
        /// The job whose worker adds, and whether it completes by that.
        let held: Job?
        let completes: Bool
        /// It came in parts: every item has a number among the flows.
        var isStaged = false

        var holder: Int { specs.count }
    }

    func add(_ items: [ItemSpec]) -> AddResult {
        begin()
        var plan = plan(items, heldBy: nil, completes: false)
        var errors = check(&plan)
        if makesTooLong(plan) { errors.insert(.queueFull) }
        return errors.isEmpty ? .added(write(plan)) : .refused(errors)
    }

    /// Adds what has come in parts.
    func stage(_ items: [ItemSpec]) -> AddResult {
        begin()
        var plan = plan(items, heldBy: nil, completes: false)
        plan.isStaged = true
        var errors = check(&plan)
        if makesTooLong(plan) { errors.insert(.queueFull) }
        let isHung = plan.existing.indices.contains { plan.existing[$0] != nil && !plan.targets[$0].isEmpty }
        if isHung { errors.insert(.dependentNotOpen) }
        return errors.isEmpty ? .added(write(plan)) : .refused(errors)
    }

    func add(_ items: [ItemSpec], heldBy held: Job?, completes: Bool) -> AddResult {
        var plan = plan(items, heldBy: held, completes: completes)
        let errors = check(&plan)
        return errors.isEmpty ? .added(write(plan)) : .refused(errors)
    }

    private func plan(_ items: [ItemSpec], heldBy held: Job?, completes: Bool) -> Plan {
        let specs = items.flatMap(\.nodes)
        let existing = specs.map { spec in
            spec.key.flatMap { held?.keys[$0] } ?? spec.customID.flatMap { customIDs[spec.queue + ":" + $0] }
        }
        return Plan(items: items, specs: specs, existing: existing, held: held, completes: completes)
    }

    /// True where an add makes a queue longer than it may be.
    private func makesTooLong(_ plan: Plan) -> Bool {
        let new = zip(plan.specs, plan.existing).filter { $1 == nil }.map(\.0.queue)
        return Set(new).contains { queue in
            guard let maximum = settings[queue]?.maxLength, maximum > 0 else { return false }
            let length = jobs.values.count { $0.queue == queue && !$0.state.isFinished }
            return length + new.count { $0 == queue } > Int(maximum)
        }
    }

    // MARK: What can be wrong

    private func check(_ plan: inout Plan) -> Set<ErrorCode> {
        var errors: Set<ErrorCode> = []
        let customIDs = plan.specs.compactMap { spec in spec.customID.map { spec.queue + ":" + $0 } }
        let keys = plan.specs.compactMap(\.key)
        if Set(customIDs).count < customIDs.count || Set(keys).count < keys.count {
            errors.insert(.duplicateCustomID)
        }
        for (spec, job) in zip(plan.specs, plan.existing) where job != nil && spec.options.rejectExisting {
            // A child that is found by its key is the same one, whatever its custom id.
            if spec.key.flatMap({ plan.held?.keys[$0] }) == nil { errors.insert(.customIDExists) }
        }
        for item in plan.items {
            let isChild = plan.held != nil && !plan.completes && item.child != nil
            if item.child != nil && !isChild || item.nodes.contains(where: { $0.key != nil && !isChild }) {
                errors.insert(.invalidOption)
            }
        }
        for index in plan.specs.indices { plan.targets.append(targets(of: index, plan, &errors)) }
        if plan.held != nil { addHolder(to: &plan, &errors) }
        for own in plan.targets where Set(own.map(\.target)).count < own.count { errors.insert(.duplicateDependency) }
        for index in plan.existing.indices { keepNewTargets(of: index, &plan, &errors) }
        for (index, job) in plan.existing.enumerated() where job != nil && !plan.targets[index].isEmpty {
            if reaches(job!, from: index, plan) { errors.insert(.cycle) }
        }
        return errors
    }

    private func targets(
        of index: Int,
        _ plan: Plan,
        _ errors: inout Set<ErrorCode>
    ) -> [(target: Target, own: NodeSpec.Dependency)] {
        var own: [(target: Target, own: NodeSpec.Dependency)] = []
        for dependency in plan.specs[index].after {
            switch dependency.target {
            case .node: preconditionFailure("histories name nodes by index")
            case .index(let target):
                if target == index { errors.insert(.selfReference) }
                if target > index { errors.insert(.forwardReference) }
                guard target < index else { continue }
                own.append((plan.existing[target].map { .job($0.id) } ?? .node(target), dependency))
            case .job(let id):
                if jobs[id] == nil { errors.insert(.unknownDependency) }
                if plan.existing[index]?.id == id { errors.insert(.selfReference) }
                own.append((.job(id), dependency))
            }
        }
        return own
    }

    /// The held job depends on the sinks of its children: on the nodes that none of their item depends on.
    private func addHolder(to plan: inout Plan, _ errors: inout Set<ErrorCode>) {
        var sinks: [(target: Target, own: NodeSpec.Dependency)] = []
        var first = 0
        for item in plan.items {
            let range = first..<first + item.nodes.count
            first = range.upperBound
            guard let child = item.child else { continue }
            let named = range.flatMap { plan.specs[$0].after }.compactMap { dependency in
                if case .index(let index) = dependency.target { index } else { nil }
            }
            for index in range where !named.contains(index) {
                let own = NodeSpec.Dependency(
                    target: .index(index),
                    policy: child.policy,
                    condition: child.condition
                )
                if plan.existing[index] === plan.held { errors.insert(.selfReference) }
                sinks.append((plan.existing[index].map { .job($0.id) } ?? .node(index), own))
            }
        }
        plan.existing.append(plan.held)
        plan.targets.append(sinks)
    }

    /// Edges that are stored are not new, and only an open job is given new ones.
    private func keepNewTargets(of index: Int, _ plan: inout Plan, _ errors: inout Set<ErrorCode>) {
        guard let job = plan.existing[index] else { return }
        plan.targets[index].removeAll { target in
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
        guard !plan.targets[index].isEmpty, index != plan.holder else { return }
        let isOpen =
            job.state == .delayed || job.state == .waitingChildren
            || job.state == .waiting && !leased.contains(job.id)
        if !isOpen { errors.insert(.dependentNotOpen) }
    }

    /// True where a way leads from a stored job over what it depends on, new or unprocessed, back to itself.
    private func reaches(_ job: Job, from index: Int, _ plan: Plan) -> Bool {
        var seen: Set<Target> = []
        var stack = plan.targets[index].map(\.target)
        while let target = stack.popLast() {
            guard seen.insert(target).inserted else { continue }
            switch target {
            case .node(let node): stack += plan.targets[node].map(\.target)
            case .job(let id):
                // An edge may count again as long as its dependency has not completed.
                let edges = (jobs[id]?.edges ?? []).filter {
                    $0.kind != .processed || $0.dependency.state != .completed
                }
                stack += edges.map { .job($0.dependency.id) }
                for node in plan.existing.indices where plan.existing[node]?.id == id {
                    stack += plan.targets[node].map(\.target)
                }
            }
        }
        return seen.contains(.job(job.id))
    }

    // MARK: Writing

    private func write(_ plan: Plan) -> [AddOutcome.Item] {
        var (nodes, answers) = writeJobs(plan)
        if let held = plan.held {
            nodes.append(held)
            for (index, spec) in plan.specs.enumerated() {
                guard let key = spec.key else { continue }
                held.keys[key] = nodes[index]
                if plan.existing[index] == nil { nodes[index].keyHolder = held.id }
            }
            // A lease under which there are children is kept.
            if !plan.targets[plan.holder].isEmpty { write(leaseOf: held) }
        }
        link(nodes, plan)
        start(nodes, plan)
        if plan.completes, let held = plan.held { complete(held) }
        // What had finished before the add is settled when all of it is in place.
        for (index, own) in plan.targets.enumerated() {
            for case (.job(let id), _) in own {
                let dependency = jobs[id]!
                guard dependency.state.isFinished,
                    let edge = nodes[index].edges.first(where: { $0.dependency === dependency })
                else { continue }
                settle(edge)
            }
        }
        carryOut()
        return answers
    }

    private func writeJobs(_ plan: Plan) -> (nodes: [Job], answers: [AddOutcome.Item]) {
        var nodes: [Job] = []
        var answers: [AddOutcome.Item] = []
        for item in plan.items {
            let range = nodes.count..<nodes.count + item.nodes.count
            var answer = AddOutcome.Item(flow: .none, first: .none, nodes: UInt32(item.nodes.count))
            if item.isFlow && range.contains(where: { plan.existing[$0] == nil }) {
                answer.flow = FlowID(nextFlow)
            }
            if answer.flow != .none || plan.isStaged { nextFlow += 1 }
            // A job alone belongs to the flow of the job whose worker added it.
            let flow = item.isFlow ? answer.flow : plan.held?.flow ?? .none
            for (offset, spec) in item.nodes.enumerated() {
                if let job = plan.existing[range.lowerBound + offset] {
                    answer.existing.append(.init(node: UInt32(offset), job: job.id))
                    nodes.append(job)
                    continue
                }
                let job = Job(JobID(nextJob), spec.queue, flow, options(of: spec), spec.headers)
                job.data = spec.data
                job.group = spec.group
                job.createdAt = wall
                queues.insert(spec.queue)
                nextJob += 1
                if answer.first == .none { answer.first = job.id }
                jobs[job.id] = job
                if let id = spec.customID { customIDs[spec.queue + ":" + id] = job }
                if flow != .none { flows[flow, default: []].append(job) }
                nodes.append(job)
            }
            answers.append(answer)
        }
        return (nodes, answers)
    }

    /// Edges among new jobs first, then those of new jobs to stored ones, then those of stored jobs.
    private func link(_ nodes: [Job], _ plan: Plan) {
        var edges: [(Edge, Int)] = []
        for (index, job) in nodes.enumerated() {
            for target in plan.targets[index] {
                let turn: Int
                let dependency: Job
                switch target.target {
                case .node(let node): (turn, dependency) = (0, nodes[node])
                case .job(let id): (turn, dependency) = (1, jobs[id]!)
                }
                let policy = target.own.policy ?? dependency.options.onFailure
                let edge = Edge(job, dependency, job.positions, policy, target.own.condition)
                job.positions += 1
                job.edges.append(edge)
                edges.append((edge, plan.existing[index] != nil ? 2 : turn))
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

    private func start(_ nodes: [Job], _ plan: Plan) {
        for (index, job) in nodes.enumerated() where plan.existing[index] == nil {
            draws = index
            if !job.edges.isEmpty {
                job.state = .waitingChildren
                job.place = Place(isTail: !job.options.lifo, command: command, node: index)
            } else if job.options.at > 0 {
                delay(job, until: job.options.at)
            } else if job.options.delay > 0 {
                delay(job, by: job.options.delay)
            } else {
                makeReady(job)
            }
        }
        draws = nodes.count
        for (index, job) in nodes.enumerated()
        where plan.existing[index] != nil && !plan.targets[index].isEmpty && index != plan.holder {
            job.state = .waitingChildren
            job.due = 0
        }
    }
}
