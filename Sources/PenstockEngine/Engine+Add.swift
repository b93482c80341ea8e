import LMDB
import PenstockWire

/// Writing an add that was found right.
extension Engine {
    /// Refuses the add, or writes all of it.
    mutating func add(
        _ command: Command,
        at index: UInt32,
        _ body: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        do throws(PlanError) {
            try makePlan(body, transaction)
            try checkLengths()
        } catch {
            switch error {
            case .refused(let error): return outcomes.refuse(command, at: index, error)
            case .lmdb(let error): throw error
            }
        }
        try writePlan(body, &transaction, &result)
        try hangEdges(&transaction, &result)
        try settleFinished(&transaction, &result)
        answer(command, at: index)
    }

    /// Writes the new jobs, with their edges.
    mutating func writePlan(
        _ body: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        try makeQueues(of: body, &result)
        if !plan.holds.isEmpty { try writeHolds(body, &transaction, &result) }
        linkDependents()
        var nextEdge = 0
        for item in plan.items.indices {
            try write(item: item, nextEdge: &nextEdge, body, &transaction, &result)
        }
        meta.nextJob += UInt64(plan.items.reduce(0) { $0 + $1.newNodes })
        if !plan.holds.isEmpty { try tellDeduplicated(transaction, &result) }
    }

    /// New rows stand behind all others, but for those of a large add: other adds may have come between its parts.
    private var appending: PutOptions { staging == nil ? .append : [] }

    /// Makes the queues that the plan names and that nobody has named before.
    mutating func makeQueues(of body: RawSpan, _ result: inout BatchResult) throws(LMDBError) {
        for place in plan.queues.indices where plan.queues[place] == QueueID(0) {
            let name = try decode { () throws(WireError) in try body.string(plan.queueNames[place], "queue name") }
            plan.queues[place] = makeQueue(name, &result)
        }
    }

    /// Gives each new node its dependents, so that its record is written once: first the new ones, then the stored ones.
    mutating func linkDependents() {
        linkDependents(areStored: false)
        if plan.hasHungEdges { linkDependents(areStored: true) }
    }

    private mutating func linkDependents(areStored: Bool) {
        var node = -1
        var position: UInt32 = 0
        for edge in plan.edges {
            position = edge.node == node ? position + 1 : 0
            node = edge.node
            let isStored = plan.nodes[edge.node].isExisting && edge.node != plan.holder
            guard isStored == areStored, edge.dependencyNode >= 0, !plan.nodes[edge.dependencyNode].isExisting else {
                continue
            }
            let target = edge.dependencyNode
            if plan.nodes[target].dependents == 0 {
                plan.nodes[target].firstDependent = plan.nodes[edge.node].job
                plan.nodes[target].firstDependentPosition = edge.hungPosition ?? position
            }
            plan.nodes[target].dependents += 1
        }
    }

    private mutating func write(
        item: Int,
        nextEdge: inout Int,
        _ body: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        let shape = plan.items[item]
        var flow = FlowID.none
        if shape.isFlow && shape.newNodes > 0 {
            flow = FlowID(meta.nextFlow)
            meta.nextFlow += 1
        } else if !shape.isFlow {
            flow = plan.flowOfSingles
        }
        let joins = !shape.isFlow && flow != .none
        var record = FlowRecord()
        record.createdAt = meta.wall
        record.jobs = UInt32(shape.newNodes)
        for index in shape.firstNode..<shape.firstNode + shape.nodes {
            let firstEdge = nextEdge
            while nextEdge < plan.edges.count && plan.edges[nextEdge].node == index { nextEdge += 1 }
            if plan.nodes[index].isExisting { continue }
            if record.firstJob == .none { record.firstJob = plan.nodes[index].job }
            let state = try write(
                node: index,
                flow: flow,
                joins: joins,
                edges: firstEdge..<nextEdge,
                body,
                &transaction,
                &result
            )
            if joins { try join(flow, plan.nodes[index].job, state, &transaction) }
            record.counts[state] += 1
        }
        guard flow != .none, !joins else { return }
        if shape.metadata != nil { record.flags.insert(.hasMetadata) }
        try flushFlow(&transaction)
        openFlow = OpenFlow(id: flow, record: record)
        try describe(flow, shape, body, &transaction)
    }

    /// Counts a job that is added to a flow when that runs.
    private mutating func join(
        _ flow: FlowID,
        _ job: JobID,
        _ state: JobState,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard try open(flow, &transaction) else { throw LMDBError(.corrupted, in: .get) }
        openFlow!.record.counts[state] += 1
        openFlow!.record.later += 1
        try putEmpty(FlowJobKey(flow, job), in: tables.laterJobs, &transaction)
    }

    /// Writes what a flow is called, and what its user says of it.
    mutating func describe(
        _ flow: FlowID,
        _ shape: AddPlan.Item,
        _ body: RawSpan,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        if !shape.name.isEmpty {
            let name = body.extracting(shape.name)
            try transaction.put(name, for: flow.rawValue, in: tables.flowNames, options: appending)
            scratch.removeAll()
            try transaction.put(scratch.span, for: FlowNameKey(name, flow), in: tables.flowsByName)
        }
        if let metadata = shape.metadata {
            scratch.removeAll()
            scratch.u8(metadata.contentType.rawValue)
            scratch.raw(body.extracting(metadata.bytes))
            try transaction.put(scratch.span, for: flow.rawValue, in: tables.flowMetadata, options: appending)
        }
    }

    mutating func write(
        node index: Int,
        flow: FlowID,
        joins: Bool,
        edges: Range<Int>,
        _ body: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> JobState {
        let node = plan.nodes[index]
        let options = node.fields.options
        var record = JobRecord()
        record.queue = plan.queues[Int(node.fields.queue)]
        record.priority = options.priority
        record.flow = flow
        record.attempts = options.attempts
        record.maxStalledCount = options.maxStalledCount
        record.onFailure = options.onFailure
        record.createdAt = meta.wall
        record.firstDependent = node.firstDependent
        record.firstDependentPosition = node.firstDependentPosition
        record.dependents = node.dependents
        if options.delay > 0 { record.flags.insert(.hasDelay) }
        if options.backoff != .none { record.flags.insert(.hasBackoff) }
        if options.cancelSiblings { record.marks.insert(.cancelsSiblings) }
        if options.repeatEvery > 0 { record.marks.insert(.repeats) }
        if !node.fields.childKey.isEmpty { record.marks.insert(.hasChildKeys) }
        if options.lifo { record.flags.insert(.lifo) }
        if !node.fields.customID.isEmpty { record.flags.insert(.hasCustomID) }
        if options.keepCompleted != nil || options.keepFailed != nil { record.flags.insert(.hasRetention) }
        if node.fields.hasExtras { record.marks.insert(.hasExtras) }
        if node.hold >= 0 { record.marks.insert(.hasDeduplication) }
        if options.ttl > 0 { record.marks.insert(.hasTTL) }
        if options.at > 0 { record.marks.insert(.isTimed) }
        if joins { record.marks.insert(.isAddedLater) }
        if !node.fields.group.isEmpty {
            record.marks.insert(.hasGroup)
            record.group = try makeGroup(body.extracting(node.fields.group), in: record.queue, &transaction)
            count(GroupKey(record.queue, record.group), jobs: 1)
        }
        if !node.hasDependentInFlow { record.flags.insert(.isSink) }
        if edges.isEmpty {
            record.state = options.delay > 0 || options.at > meta.wall ? .delayed : .waiting
        } else {
            record.flags.insert(.hasDependencies)
            record.dependencies.counting = UInt32(edges.count)
            record.dependencies.unprocessed = UInt32(edges.count)
            record.dependencies.positions = UInt32(edges.count)
            record.state = .waitingChildren
        }
        if record.state == .waiting { record.due = meta.elapsed }
        // A job without dependencies takes its place when it becomes waiting, one with them now.
        if let staging {
            // What was set aside; and a delay begins when the job can be seen.
            if record.state != .delayed {
                record.place = staging.place(of: staging.nodes + UInt32(index), record.flags)
            }
            if record.state == .delayed { record.due = options.delay }
        } else {
            if record.state != .delayed { record.place = drawPlace(record.flags) }
            if record.state == .delayed {
                record.due = meta.elapsed + (options.at > 0 ? options.at - meta.wall : options.delay)
            }
        }

        scratch.removeAll()
        record.encode(into: &scratch)
        record.encodeRoom(into: &scratch)
        try transaction.put(scratch.span, for: node.job.rawValue, in: tables.jobs, options: appending)
        scratch.removeAll()
        PayloadRow.encode(node.fields, of: record, from: body, into: &scratch)
        try transaction.put(scratch.span, for: node.job.rawValue, in: tables.payloads, options: appending)
        if record.flags.contains(.hasCustomID) {
            scratch.removeAll()
            scratch.jobID(node.job)
            let id = body.extracting(node.fields.customID)
            try transaction.put(scratch.span, for: CustomIDKey(record.queue, id), in: tables.customIDs)
        }
        try writeEdges(edges, of: node.job, joining: joins || staging != nil ? flow : .none, &transaction)
        if staging != nil {
            staging!.count(record.state, in: record.queue)
            return record.state
        }
        let queue = Int(record.queue.rawValue) - 1
        queues[queue].counts[record.state] += 1
        markDirty(record.queue)
        switch record.state {
        case .waiting:
            let entry = ReadyEntry(queue: record.queue, group: record.group, turn: record.turn, job: node.job)
            try putReady(entry, &transaction)
            result.ready.append(entry)
            if options.ttl > 0 { try beginStartLimit(record, of: node.job, &transaction) }
        case .delayed:
            try putDelayed(record, node.job, &transaction)
            if options.at > 0 {
                try putEmpty(DelayedKey(due: options.at, job: node.job), in: tables.timed, &transaction)
            }
        default: try putEmpty(JobListKey(record, node.job), in: tables.jobLists, &transaction)
        }
        if interest.isOn { try tellAdded(node.job, record, transaction, &result) }
        return record.state
    }

    /// Writes the edges of a new node or of the held job, and the reverse entries that are not in their dependency's
    /// record.
    ///
    /// - Parameter flow: the flow that the job is in, where stored jobs can be in it, too.
    mutating func writeEdges(
        _ edges: Range<Int>,
        of job: JobID,
        joining flow: FlowID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        for place in edges {
            let edge = plan.edges[place]
            let position = edge.hungPosition ?? UInt32(place - edges.lowerBound)
            if edge.dependencyNode >= 0 && !plan.nodes[edge.dependencyNode].isExisting {
                let target = plan.nodes[edge.dependencyNode]
                let policy = edge.policy ?? target.fields.options.onFailure
                let record = EdgeRecord(dependency: edge.dependency, policy: policy, condition: edge.condition)
                try put(record, at: EdgeKey(job, position), &transaction)
                if target.firstDependent != job {
                    try putDependent(DependentKey(edge.dependency, job), position, &transaction)
                }
            } else {
                try writeEdge(edge, at: EdgeKey(job, position), &transaction)
                if staging?.contains(edge.dependency) ?? true {
                    try takeSink(edge.dependency, ofFlow: flow, &transaction)
                }
            }
        }
    }

    /// Writes an edge to a stored dependency, whose record has to learn of it.
    private mutating func writeEdge(
        _ edge: AddPlan.Edge,
        at key: EdgeKey,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard let dependency = try record(of: edge.dependency, transaction) else {
            throw LMDBError(.corrupted, in: .get)
        }
        let policy = edge.policy ?? dependency.onFailure
        let record = EdgeRecord(dependency: edge.dependency, policy: policy, condition: edge.condition)
        try put(record, at: key, &transaction)
        if let staging, !staging.contains(edge.dependency) {
            // Whoever asks for its dependents must not see a job that is not published.
            try putEmpty(key, in: tables.stagedEdges, &transaction)
        } else {
            try link(record, at: key, dependency, &transaction)
        }
    }

    /// Tells a stored dependency of an edge to it.
    mutating func link(
        _ edge: EdgeRecord,
        at key: EdgeKey,
        _ stored: JobRecord,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        var dependency = stored
        if dependency.dependents == 0 {
            dependency.firstDependent = key.dependent
            dependency.firstDependentPosition = key.position
        } else {
            try putDependent(DependentKey(edge.dependency, key.dependent), key.position, &transaction)
        }
        dependency.dependents += 1
        try rewrite(dependency, of: edge.dependency, &transaction)
    }

    private mutating func putDependent(
        _ key: DependentKey,
        _ position: UInt32,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        scratch.removeAll()
        scratch.u32(position)
        try transaction.put(scratch.span, for: key, in: tables.dependents)
    }

    /// Hangs new dependencies on stored jobs: each waits for them from now on.
    mutating func hangEdges(
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard plan.hasHungEdges else { return }
        var first = 0
        while first < plan.edges.count {
            let node = plan.edges[first].node
            var end = first + 1
            while end < plan.edges.count && plan.edges[end].node == node { end += 1 }
            if plan.nodes[node].isExisting && node != plan.holder {
                try hang(first..<end, on: plan.nodes[node].job, &transaction, &result)
            }
            first = end
        }
    }

    private mutating func hang(
        _ edges: Range<Int>,
        on job: JobID,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        guard var record = try record(of: job, transaction) else { throw LMDBError(.corrupted, in: .get) }
        if record.state != .waitingChildren {
            try takeAway(&record, of: job, &transaction, &result)
            try move(&record, of: job, to: .waitingChildren, &transaction, &result)
            try tell(.waitingChildren, job, record, transaction, &result)
        }
        record.flags.insert(.hasDependencies)
        record.dependencies.positions += UInt32(edges.count)
        record.dependencies.unprocessed += UInt32(edges.count)
        record.dependencies.counting += UInt32(edges.count)
        try rewrite(record, of: job, &transaction)
        try writeEdges(edges, of: job, joining: record.flow, &transaction)
        guard record.flow != .none, plan.flowOfSingles == record.flow else { return }
        for place in edges { try takeSink(plan.edges[place].dependency, ofFlow: record.flow, &transaction) }
    }

    /// A job that is given a dependent in its own flow is no sink of it any more.
    private mutating func takeSink(
        _ dependency: JobID,
        ofFlow flow: FlowID,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        guard flow != .none, var record = try record(of: dependency, transaction), record.flow == flow,
            record.flags.contains(.isSink)
        else { return }
        let fails = record.fails(its: record.state)
        record.flags.remove(.isSink)
        if fails, try open(flow, &transaction) { openFlow!.record.failedSinks -= 1 }
        try rewrite(record, of: dependency, &transaction)
    }

    /// Resolves the new edges whose dependency had finished before the add.
    mutating func settleFinished(
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        var node = -1
        var position: UInt32 = 0
        for edge in plan.edges {
            position = edge.node == node ? position + 1 : 0
            node = edge.node
            if edge.dependencyNode >= 0 && !plan.nodes[edge.dependencyNode].isExisting { continue }
            guard let dependency = try record(of: edge.dependency, transaction), dependency.state.isFinished else {
                continue
            }
            let key = EdgeKey(plan.nodes[node].job, edge.hungPosition ?? position)
            try settle(key, DependencyEnd(dependency), &transaction, &result)
        }
        try carryOutEffects(&transaction, &result)
    }

    mutating func answer(_ command: Command, at index: UInt32) {
        let start = outcomes.begin(command, at: index)
        let newFlows = plan.items.count { $0.isFlow && $0.newNodes > 0 }
        let firstFlow = meta.nextFlow - UInt64(newFlows)
        outcomes.write(plan, firstFlow: firstFlow, of: command)
        outcomes.end(command, start)
    }
}
