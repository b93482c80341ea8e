import PenstockWire

// What the jobs of a flow wait for.

extension AddPlan {
    struct Edge {
        enum Target: Hashable {
            case node(Int)
            case job(JobID)
        }

        /// What the edge says beside its target.
        struct Terms: Equatable {
            var policy: FailurePolicy?
            var condition: EdgeCondition
        }

        var target: Target
        var terms: Terms
        var node: Int? { if case .node(let index) = target { index } else { nil } }

        /// - Parameter place: where a job of the flow stands on the wire.
        func fields(_ place: (Int) -> UInt64) -> DependencyFields {
            let target: DependencyFields.Target =
                switch target {
                case .node(let index): .node(place(index))
                case .job(let id): .job(id.wire)
                }
            return DependencyFields(target, policy: terms.policy?.wire, condition: terms.condition.wire)
        }
    }

    /// For each job what it depends on, each dependency once.
    static func edges(of flow: Flow) throws(PenstockError) -> [[Edge]] {
        var localIDs: [String: Int] = [:]
        for (index, job) in flow.jobs.enumerated() {
            guard let id = job.localID else { continue }
            guard localIDs.updateValue(index, forKey: id) == nil else {
                throw PenstockError(.duplicateLocalID, "Two jobs of the flow have the id \(Names.quoted(id)).")
            }
        }
        var result: [[Edge]] = []
        result.reserveCapacity(flow.count)
        for job in flow.jobs { result.append(try edges(of: job, in: flow, localIDs)) }
        return result
    }

    private static func edges(
        of job: PlannedJob,
        in flow: Flow,
        _ localIDs: [String: Int]
    ) throws(PenstockError) -> [Edge] {
        var edges: [Edge] = []
        var known: [Edge.Target: Edge.Terms] = [:]
        for dependency in job.dependencies {
            let target = try target(dependency, of: job, in: flow, localIDs)
            let terms = Edge.Terms(policy: dependency.onFailure, condition: dependency.condition)
            if let other = known.updateValue(terms, forKey: target) {
                guard other == terms else {
                    throw PenstockError(
                        .duplicateDependency,
                        "\(job.name) names a dependency twice, with different policies or conditions."
                    )
                }
                continue
            }
            edges.append(Edge(target: target, terms: terms))
        }
        guard edges.count <= Limits.dependenciesPerNodeMax else {
            throw PenstockError(
                .tooManyDependencies,
                "\(job.name) has \(edges.count) dependencies; \(Limits.dependenciesPerNodeMax) are allowed."
            )
        }
        return edges
    }

    private static func target(
        _ dependency: FlowDependency,
        of job: PlannedJob,
        in flow: Flow,
        _ localIDs: [String: Int]
    ) throws(PenstockError) -> Edge.Target {
        switch dependency.target {
        case .node(let other):
            guard let index = flow.index(of: other) else {
                throw PenstockError(.unknownDependency, "\(job.name) depends on a node of another flow.")
            }
            return .node(index)
        case .local(let id):
            guard let index = localIDs[id] else {
                throw PenstockError(
                    .unknownLocalID,
                    "\(job.name) depends on \(Names.quoted(id)), an id that no job of the flow has."
                )
            }
            return .node(index)
        case .job(let id): return .job(id)
        }
    }

    /// A job that may turn out to be another one depends on none, and none on it.
    func check(deduplicationsOf flow: Flow, _ edges: [[Edge]]) throws(PenstockError) {
        guard flow.jobs.contains(where: { $0.options.deduplication != nil }) else { return }
        let dependencies = Set(edges.joined().compactMap(\.node))
        for (index, job) in flow.jobs.enumerated() where job.options.deduplication != nil {
            guard edges[index].isEmpty, !dependencies.contains(index) else {
                throw PenstockError(
                    .invalidOption,
                    "Job \(Names.quoted(job.name)) has a deduplication: then it depends on no job of the flow or beside it, and none on it."
                )
            }
        }
    }

    /// The jobs, each behind its dependencies.
    static func order(of flow: Flow, _ edges: [[Edge]]) throws(PenstockError) -> [Int] {
        let inner = edges.map { $0.compactMap(\.node) }
        do throws(FlowOrder.Cycle) {
            return try FlowOrder.sorted(inner)
        } catch {
            let names = (error.nodes + error.nodes.prefix(1)).map { flow.jobs[$0].name }
            throw PenstockError(.cycle, "The flow has a cycle: \(names.joined(separator: " → "))")
        }
    }
}
