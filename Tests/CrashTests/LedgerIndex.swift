import PenstockWire

/// A ledger sorted by job: what should be there, and what was done to it.
struct LedgerIndex: Sendable {
    /// A job that an acknowledged add has made.
    struct Created: Sendable {
        var key: Ledger.Key
        var node: AddNode
        var queue: String
        var flow: FlowID
        var dependencies: [Edge]
    }

    struct Edge: Sendable, Equatable {
        /// Nil where a stored job stands for the node and the add is not answered.
        var job: JobID?
        var policy: FailurePolicy
    }

    struct End: Sendable {
        var key: Ledger.Key
        var kind: Ledger.Kind
        var outcome: Ledger.Outcome?
        var isUnrecoverable: Bool {
            if case .fail(_, true) = kind { true } else { false }
        }
    }

    struct Custom: Hashable, Sendable {
        var queue: String
        var id: String
    }

    var created: [JobID: Created] = [:]
    var customs: [Custom: JobID] = [:]
    var jobsByQueue: [String: [JobID]] = [:]
    /// Accepted completions, accepted failures, and those that are not answered.
    var completions: [JobID: [End]] = [:]
    var failures: [JobID: [End]] = [:]
    var open: [JobID: [End]] = [:]
    var violations: [String] = []

    init(_ ledger: Ledger) {
        ledger.forEach { key, command in
            switch command.kind {
            case .add(let add):
                guard let outcome = command.outcome, outcome.isOK else { return }
                enter(key, add, outcome)
            case .complete(let token, _), .fail(let token, _):
                guard let job = ledger.leases[token]?.job else { return }
                let end = End(key: key, kind: command.kind, outcome: command.outcome)
                guard let outcome = command.outcome else { return open[job, default: []].append(end) }
                guard outcome.isOK else { return }
                if case .complete = command.kind {
                    completions[job, default: []].append(end)
                } else {
                    failures[job, default: []].append(end)
                }
            }
        }
        for (custom, jobs) in existing {
            for job in jobs where customs[custom] != job {
                violations.append(
                    "custom id \(custom.id) stands for \(job), and was made as \(customs[custom]?.description ?? "none")"
                )
            }
        }
    }

    /// Jobs that adds were told stand for their custom ids.
    private var existing: [Custom: Set<JobID>] = [:]

    private mutating func enter(_ key: Ledger.Key, _ add: Add, _ outcome: Ledger.Outcome) {
        let shapes = zip(add.items, outcome.items)
        guard add.items.count == outcome.items.count, shapes.allSatisfy({ $0.nodes.count == Int($1.nodes) }) else {
            return violations.append("the outcome of \(key) does not fit its add")
        }
        let ids = outcome.items.flatMap { $0.jobIDs }
        var place = 0
        for (item, told) in shapes {
            let existing = Set(told.existing.map { Int($0.node) })
            for (offset, node) in item.nodes.enumerated() {
                let job = ids[place + offset]
                let queue = add.queues[Int(node.queue)]
                let custom = node.customID.map { Custom(queue: queue, id: $0) }
                if existing.contains(offset) {
                    if let custom {
                        self.existing[custom, default: []].insert(job)
                    } else {
                        violations.append("\(key) has an existing node without a custom id")
                    }
                    continue
                }
                if let other = created[job] { violations.append("job \(job) was made by \(other.key) and by \(key)") }
                if let custom {
                    if let other = customs[custom] {
                        violations.append("custom id \(custom.id) was made as \(other) and as \(job)")
                    }
                    customs[custom] = job
                }
                jobsByQueue[queue, default: []].append(job)
                created[job] = Created(
                    key: key,
                    node: node,
                    queue: queue,
                    flow: told.flow,
                    dependencies: LedgerIndex.edges(of: node, in: add, ids)
                )
            }
            place += item.nodes.count
        }
    }

    static func edges(of node: AddNode, in add: Add, _ ids: [JobID?]) -> [Edge] {
        let nodes = add.items.flatMap { $0.nodes }
        return node.dependencies.map { dependency in
            switch dependency.target {
            case .job(let id): Edge(job: id, policy: dependency.policy ?? .failParent)
            case .node(let index):
                // A stored job that stands for the node brings its own policy, not the node's.
                Edge(job: ids[Int(index)], policy: dependency.policy ?? nodes[Int(index)].options.onFailure)
            }
        }
    }

    /// The policy that holds for an edge.
    func policy(_ edge: Edge) -> FailurePolicy {
        guard let job = edge.job, let stored = created[job] else { return edge.policy }
        return stored.node.options.onFailure
    }

    /// Where the job ended for good by what a worker said; nil if it has not.
    func end(of job: JobID) -> (place: Ledger.Place, isFailure: Bool)? {
        if let place = completions[job]?.first?.outcome?.place { return (place, false) }
        guard let failures = failures[job], let attempts = created[job]?.node.options.attempts else { return nil }
        guard failures.count >= Int(attempts) || failures.contains(where: { $0.isUnrecoverable }) else { return nil }
        return failures.compactMap { $0.outcome?.place }.max().map { ($0, true) }
    }

    /// The first attempt of a job that was accepted.
    func firstAttempt(of job: JobID) -> Ledger.Place? {
        ((completions[job] ?? []) + (failures[job] ?? [])).compactMap { $0.outcome?.place }.min()
    }
}
