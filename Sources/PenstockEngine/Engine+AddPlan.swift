import LMDB
import PenstockWire

/// Reading and checking an add.
extension Engine {
    /// Fills ``plan`` from the message; nothing is written.
    ///
    /// - Parameters:
    ///   - body: an ADD's body, or the end of another command's, from the queues on.
    ///   - held: the job whose worker sent that other command.
    mutating func makePlan(
        _ body: RawSpan,
        heldBy held: AddPlan.Held? = nil,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) {
        plan.removeAll()
        plan.held = held
        do throws(WireError) {
            var decoder = if let held { try AddDecoder(tail: body, held.context) } else { try AddDecoder(body) }
            try readNodes(&decoder)
        } catch {
            throw .refused(error)
        }
        try planNodes(body, transaction)
    }

    /// Fills ``plan`` from what a scheduler adds; nothing is written.
    mutating func makePlan(
        template: RawSpan,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) {
        plan.removeAll()
        do throws(WireError) {
            var decoder = try AddDecoder(tail: template, .template)
            try readNodes(&decoder)
        } catch {
            throw .refused(error)
        }
        try planNodes(template, transaction)
    }

    /// Fills ``plan`` from an add that was kept, which has its queue's defaults already; nothing is written.
    mutating func makePlan(
        kept tail: RawSpan,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) {
        plan.removeAll()
        do throws(WireError) {
            var decoder = try AddDecoder(tail: tail, .add)
            try readNodes(&decoder, givingDefaults: false)
        } catch {
            throw .refused(error)
        }
        try planNodes(tail, transaction)
    }

    private mutating func planNodes(
        _ body: RawSpan,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) {
        try giveIDs(body, transaction)
        try findCustomIDsTwice(body)
        try findChildKeysTwice(body)
        for index in plan.nodes.indices { try planEdges(of: index, body, transaction) }
        if !plan.holds.isEmpty { try checkReplaced(body) }
        try planChildren(body, transaction)
        if plan.hasHungEdges { try findCycles(transaction) }
    }

    mutating func readNodes(_ decoder: inout AddDecoder, givingDefaults: Bool = true) throws(WireError) {
        for _ in 0..<decoder.queueCount {
            let range = try decoder.nextQueue()
            plan.queueNames.append(range)
            plan.queues.append(try queueID(decoder.bytes.extracting(range)))
        }
        if givingDefaults && !settings.isEmpty { giveDefaults(to: &decoder) }
        for item in 0..<(try decoder.itemCount()) {
            let fields = try decoder.nextItem()
            let nodes = fields.nodes
            guard plan.nodes.count + nodes <= PenstockWire.Limits.jobsPerAddMax else {
                throw WireError(
                    .tooManyJobs,
                    "More than \(PenstockWire.Limits.jobsPerAddMax) jobs in one add, which is the most."
                )
            }
            plan.items.append(
                AddPlan.Item(
                    isFlow: fields.isFlow,
                    isMore: fields.kind == .more,
                    name: fields.name,
                    metadata: fields.metadata,
                    child: fields.child,
                    firstNode: plan.nodes.count,
                    nodes: nodes
                )
            )
            for _ in 0..<nodes {
                plan.nodes.append(AddPlan.Node(fields: try decoder.nextNode(), item: item))
            }
        }
        try decoder.end()
    }

    /// The queue of the name; 0 where it has to be made.
    private mutating func queueID(_ bytes: RawSpan) throws(WireError) -> QueueID {
        // Neighbours in a batch often name the same one: neither checked nor hashed again.
        if lastQueue.id != QueueID(0) && bytes.isEqual(to: lastQueue.name.rawSpan) { return lastQueue.id }
        try Names.checkQueue(bytes)
        let name = try bytes.string(ByteRange(offset: 0, count: bytes.byteCount), "queue name")
        guard let id = queueIDs[name] else { return QueueID(0) }
        lastQueue = (Array(name.utf8), id)
        return id
    }

    /// Gives every node its id: the stored job's where its key or its custom id is taken, else the next one.
    mutating func giveIDs(_ body: RawSpan, _ transaction: borrowing WriteTransaction) throws(PlanError) {
        let first = staging.map { $0.firstJob.rawValue + UInt64($0.newJobs) } ?? meta.nextJob
        var next = first
        for index in plan.nodes.indices {
            let node = plan.nodes[index]
            if !node.fields.customID.isEmpty { plan.customNodes.append(index) }
            if let stored = try storedChild(index, body, transaction) {
                plan.nodes[index].job = stored
                plan.nodes[index].isExisting = true
                continue
            }
            if !node.fields.customID.isEmpty {
                if let stored = try storedJob(node, body, transaction) {
                    try checkPublished(stored, index, body, transaction)
                    guard !node.fields.options.rejectExisting else {
                        throw .refused(
                            WireError(
                                .customIDExists,
                                "\(describe(index, body)) has a custom id that job \(stored) has already."
                            )
                        )
                    }
                    plan.nodes[index].job = stored
                    plan.nodes[index].isExisting = true
                    continue
                }
            }
            if !node.fields.deduplication.isEmpty, try isDeduplicated(index, body, transaction) {
                plan.nodes[index].isExisting = true
                continue
            }
            plan.nodes[index].job = JobID(next)
            plan.items[node.item].newNodes += 1
            next += 1
        }
        if !plan.holds.isEmpty { giveHolders(from: first) }
        plan.lastDependent.append(contentsOf: repeatElement(-1, count: plan.nodes.count))
    }

    /// True where the job's flow is being removed, slice by slice: it goes, whatever is hung on it now.
    private func isLeaving(
        _ record: JobRecord,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Bool {
        guard meta.openSettlements > 0, record.flow != .none else { return false }
        if let openFlow, openFlow.id == record.flow { return openFlow.record.flags.contains(.isRemoving) }
        guard let bytes = try transaction.get(record.flow.rawValue, in: tables.flows) else { return false }
        return try decode { () throws(WireError) in try FlowRecord(bytes).flags.contains(.isRemoving) }
    }

    /// Refuses a custom id of a job that is not published, or that is about to go.
    private mutating func checkPublished(
        _ job: JobID,
        _ index: Int,
        _ body: RawSpan,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) {
        if meta.openSettlements > 0 && !isStaged(job), try !isStored(job, transaction) {
            throw .refused(
                WireError(
                    .settling,
                    "\(describe(index, body)) has the custom id of job \(job), which is being removed: try again."
                )
            )
        }
        guard isStaged(job) || staging?.contains(job) == true else { return }
        if staging?.contains(job) == true {
            throw customIDStandsTwice(index, body)
        }
        throw .refused(
            WireError(
                .customIDBusy,
                "\(describe(index, body)) has the custom id of a job of a large add that is not published yet: try again."
            )
        )
    }

    private mutating func storedJob(
        _ node: AddPlan.Node,
        _ body: RawSpan,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) -> JobID? {
        let queue = plan.queues[Int(node.fields.queue)]
        guard queue != QueueID(0) else { return nil }
        let id = body.extracting(node.fields.customID)
        do throws(LMDBError) {
            guard let bytes = try transaction.get(CustomIDKey(queue, id), in: tables.customIDs) else { return nil }
            return try decode { () throws(WireError) in try JobID(value: bytes) }
        } catch {
            throw .lmdb(error)
        }
    }

    mutating func findCustomIDsTwice(_ body: RawSpan) throws(PlanError) {
        guard plan.customNodes.count > 1 else { return }
        let nodes = plan.nodes
        let names = plan.queueNames
        plan.customNodes.sort { a, b in
            let (a, b) = (nodes[a].fields, nodes[b].fields)
            let order = body.extracting(a.customID).compare(to: body.extracting(b.customID))
            if order != 0 { return order < 0 }
            return body.extracting(names[Int(a.queue)]).compare(to: body.extracting(names[Int(b.queue)])) < 0
        }
        for place in plan.customNodes.indices.dropFirst() {
            let a = nodes[plan.customNodes[place - 1]].fields
            let b = nodes[plan.customNodes[place]].fields
            guard body.extracting(a.customID).compare(to: body.extracting(b.customID)) == 0,
                body.extracting(names[Int(a.queue)]).compare(to: body.extracting(names[Int(b.queue)])) == 0
            else { continue }
            throw customIDStandsTwice(plan.customNodes[place], body)
        }
    }

    mutating func customIDStandsTwice(_ node: Int, _ body: RawSpan) -> PlanError {
        .refused(
            WireError(
                .duplicateCustomID,
                "\(describe(node, body)) has the custom id of another node of the same add and queue."
            )
        )
    }

    // MARK: Edges

    mutating func planEdges(
        of index: Int,
        _ body: RawSpan,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) {
        let fields = plan.nodes[index].fields
        guard fields.dependencyCount > 0 else { return }
        let firstEdge = plan.edges.count
        var reader = WireReader(body.extracting(fields.dependencies))
        var mayRepeat = false
        for _ in 0..<fields.dependencyCount {
            let dependency: DependencyFields
            do throws(WireError) {
                dependency = try DependencyFields(from: &reader)
            } catch {
                throw .refused(error)
            }
            let edge = try planEdge(index, dependency, body, transaction)
            if edge.dependencyNode < 0 || plan.nodes[edge.dependencyNode].isExisting { mayRepeat = true }
            plan.edges.append(edge)
        }
        if mayRepeat { try findDependenciesTwice(index, plan.edges[firstEdge...], body) }
        if plan.nodes[index].isExisting { try hang(index, firstEdge, body, transaction) }
        for edge in plan.edges[firstEdge...] { note(edge) }
    }

    private mutating func planEdge(
        _ index: Int,
        _ dependency: DependencyFields,
        _ body: RawSpan,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) -> AddPlan.Edge {
        switch dependency.target {
        case .node(let place):
            let before = UInt64(staging?.nodes ?? 0)
            guard place >= before else {
                return AddPlan.Edge(
                    node: index,
                    dependency: stagedJob(place),
                    dependencyNode: -1,
                    policy: dependency.policy,
                    condition: dependency.condition
                )
            }
            let target = place - before
            guard target < UInt64(index) else {
                if target == UInt64(index) {
                    throw .refused(WireError(.selfReference, "\(describe(index, body)) depends on itself."))
                }
                throw .refused(
                    WireError(
                        .forwardReference,
                        "\(describe(index, body)) depends on node \(target), which does not come before it in the add."
                    )
                )
            }
            let node = Int(target)
            guard plan.nodes[node].fields.deduplication.isEmpty else {
                throw .refused(
                    WireError(
                        .invalidOption,
                        "\(describe(index, body)) depends on \(describe(node, body)), which has a deduplication: nothing can depend on it in its add."
                    )
                )
            }
            guard plan.lastDependent[node] != index else { throw .refused(twice(index, plan.nodes[node].job, body)) }
            plan.lastDependent[node] = index
            if plan.nodes[node].item == plan.nodes[index].item { plan.nodes[node].isNamedInItem = true }
            return AddPlan.Edge(
                node: index,
                dependency: plan.nodes[node].job,
                dependencyNode: node,
                policy: dependency.policy,
                condition: dependency.condition
            )
        case .job(let job):
            guard job != plan.nodes[index].job || !plan.nodes[index].isExisting else {
                throw .refused(WireError(.selfReference, "\(describe(index, body)) depends on itself."))
            }
            guard try isStored(job, transaction) else {
                throw .refused(
                    WireError(
                        .unknownDependency,
                        "\(describe(index, body)) depends on job \(job), which does not exist."
                    )
                )
            }
            return AddPlan.Edge(
                node: index,
                dependency: job,
                dependencyNode: -1,
                policy: dependency.policy,
                condition: dependency.condition
            )
        }
    }

    mutating func isStored(
        _ job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) -> Bool {
        do throws(LMDBError) {
            guard let record = try record(of: job, transaction) else { return false }
            if record.marks.contains(.isRemoved) || isStaged(job) { return false }
            return try isLeaving(record, transaction) == false
        } catch {
            throw .lmdb(error)
        }
    }

    mutating func findDependenciesTwice(
        _ index: Int,
        _ edges: ArraySlice<AddPlan.Edge>,
        _ body: RawSpan
    ) throws(PlanError) {
        plan.sortedIDs.removeAll(keepingCapacity: true)
        for edge in edges { plan.sortedIDs.append(edge.dependency) }
        plan.sortedIDs.sort()
        for place in plan.sortedIDs.indices.dropFirst() where plan.sortedIDs[place] == plan.sortedIDs[place - 1] {
            throw .refused(twice(index, plan.sortedIDs[place], body))
        }
    }

    private mutating func twice(_ index: Int, _ job: JobID, _ body: RawSpan) -> WireError {
        WireError(.duplicateDependency, "\(describe(index, body)) names job \(job) twice among its dependencies.")
    }

    /// Keeps what is new of the dependencies of a stored job, and checks that the job can still wait for them.
    private mutating func hang(
        _ index: Int,
        _ firstEdge: Int,
        _ body: RawSpan,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) {
        let job = plan.nodes[index].job
        do throws(LMDBError) {
            guard try keepNewEdges(of: job, from: firstEdge, transaction) else { return }
            guard let record = try record(of: job, transaction) else { throw LMDBError(.corrupted, in: .get) }
            switch record.state {
            case .waiting where !leaseSet.contains(job), .delayed, .waitingChildren:
                var position = record.dependencies.positions
                for place in firstEdge..<plan.edges.count {
                    plan.edges[place].hungPosition = position
                    position += 1
                }
                return
            default: break
            }
        } catch {
            throw .lmdb(error)
        }
        throw .refused(
            WireError(
                .dependentNotOpen,
                "\(describe(index, body)) is stored as job \(job), which runs or has ended: it can't be given dependencies any more."
            )
        )
    }

    /// Keeps what is new of the edges from a stored job; false where nothing is.
    mutating func keepNewEdges(
        of job: JobID,
        from firstEdge: Int,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Bool {
        var kept = firstEdge
        for place in firstEdge..<plan.edges.count {
            let edge = plan.edges[place]
            if edge.dependencyNode < 0 || plan.nodes[edge.dependencyNode].isExisting {
                if try position(of: job, under: edge.dependency, transaction) != nil { continue }
                if try isRemoved(edge, transaction) { continue }
            }
            plan.edges[kept] = edge
            kept += 1
        }
        plan.edges.removeLast(plan.edges.count - kept)
        guard kept > firstEdge else { return false }
        plan.hasHungEdges = true
        return true
    }

    /// True where the edge would be gone at once: it was, when the same add came first.
    private mutating func isRemoved(
        _ edge: AddPlan.Edge,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Bool {
        guard let dependency = try record(of: edge.dependency, transaction), dependency.state.isFinished else {
            return false
        }
        let rule = EdgeRule(DependencyEnd(dependency), edge.condition, edge.policy ?? dependency.onFailure)
        return rule.edge == .gone
    }

    /// Tells a new dependency of its dependent, so that its record is written once.
    private mutating func note(_ edge: AddPlan.Edge) {
        // A stored job is of another flow, whatever item names it.
        guard edge.dependencyNode >= 0, !plan.nodes[edge.node].isExisting else { return }
        let target = edge.dependencyNode
        if plan.shareFlow(plan.nodes[target].item, plan.nodes[edge.node].item) {
            plan.nodes[target].hasDependentInFlow = true
        }
    }

    /// A node for a message: its index and its name.
    mutating func describe(_ index: Int, _ body: RawSpan) -> String {
        if index == plan.holder { return "The held job" }
        let name = (try? body.string(plan.nodes[index].fields.name, "job name")) ?? ""
        return "Node \(index) (\(Names.quoted(name)))"
    }
}
