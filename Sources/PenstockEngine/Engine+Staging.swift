import LMDB
import PenstockWire

/// Large adds: parts that are stored as they come, and published as one by the last of them.
///
/// Ids of jobs and flows, and places in the queues, are set aside by the first
/// part. Until the last one nobody sees the jobs: they are in no index of ready or
/// delayed jobs and in no count, and whoever asks for their ids is told that there
/// is no such job. The last part links them to the jobs outside that they depend
/// on, counts them, and deletes the row that hides them, all in one transaction.
/// Then they become ready in slices.
extension Engine {
    /// Takes one part. One that is refused drops what has come of its add.
    mutating func stage(
        _ command: Command,
        at index: UInt32,
        _ body: RawSpan,
        isFull: Bool,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        var known: StagedRecord?
        do throws(PlanError) {
            if let add = Stage.Head.add(in: body) {
                known = try planning { () throws(LMDBError) in try staged(command.session, add, transaction) }
            }
            let head = try stageHead(body)
            if head.part == .abandon {
                guard let known else { throw .refused(.noSuchStage(head.add)) }
                try planning { () throws(LMDBError) in try drop(known, &transaction) }
                return outcomes.succeed(command, at: index)
            }
            let begun = try begin(head, of: command.session, known, transaction)
            guard !isFull else { throw .refused(OutcomeGatherer.full) }
            staging = begun
            defer { staging = nil }
            let tail = body.extracting(head.tail)
            try makePlan(part: head, tail, transaction)
            try checkLengths(isLast: head.part == .last)
            if head.part == .last { try checkOutside(&transaction) }
            try planning { () throws(LMDBError) in
                try carryOut(part: head, tail, &transaction, &result)
                guard head.part == .last else { return outcomes.succeed(command, at: index) }
                try publish(command, at: index, &transaction, &result)
            }
        } catch {
            switch error {
            case .lmdb(let error): throw error
            case .refused(let error):
                if let known { try drop(known, &transaction) }
                outcomes.refuse(command, at: index, error)
            }
        }
    }

    private func stageHead(_ body: RawSpan) throws(PlanError) -> Stage.Head {
        do throws(WireError) {
            return try Stage.Head(body)
        } catch {
            throw .refused(error)
        }
    }

    // MARK: Checking a part

    /// The add as it stands before the part.
    private func begin(
        _ head: Stage.Head,
        of session: SessionID,
        _ known: StagedRecord?,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) -> StagedRecord {
        if head.part == .first {
            guard known == nil else {
                throw .refused(WireError(.stageMismatch, "The large add \(head.add) has begun already."))
            }
            guard stagedRanges.count < Engine.stagedAddsMax else {
                throw .refused(
                    WireError(
                        .full,
                        "\(stagedRanges.count) large adds are under way, which is the most: try again later."
                    )
                )
            }
            let count = try planning { () throws(LMDBError) in try stagedAdds(of: session, transaction) }
            guard count < Engine.stagedAddsOfSessionMax else {
                throw .refused(
                    WireError(
                        .full,
                        "\(count) large adds of the session are under way, which is the most: finish one first."
                    )
                )
            }
            return StagedRecord(session: session, add: head.add, totals: head.totals, meta: meta)
        }
        guard let known else { throw .refused(.noSuchStage(head.add)) }
        guard known.totals == head.totals else {
            throw .refused(
                WireError(
                    .stageMismatch,
                    "A part of the large add \(head.add) has other totals than its first part had."
                )
            )
        }
        return known
    }

    private mutating func makePlan(
        part head: Stage.Head,
        _ tail: RawSpan,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) {
        plan.removeAll()
        do throws(WireError) {
            var decoder = try AddDecoder(tail: tail, head.part.context)
            try readNodes(&decoder)
        } catch {
            throw .refused(error)
        }
        staging!.bytes += UInt64(tail.byteCount)
        let nodes = UInt64(staging!.nodes) + UInt64(plan.nodes.count)
        let begun = plan.items.count { !$0.isMore }
        let items = UInt64(staging!.items) + UInt64(begun)
        let totals = staging!.totals
        let isWhole = nodes == totals.jobs && items == totals.items && staging!.bytes == totals.bytes
        guard nodes <= totals.jobs, items <= totals.items, staging!.bytes <= totals.bytes, isWhole || head.part != .last
        else {
            throw .refused(
                WireError(
                    .stageMismatch,
                    "\(nodes) jobs in \(items) items and \(staging!.bytes) bytes; \(totals.jobs), \(totals.items) and \(totals.bytes) were to come."
                )
            )
        }
        if plan.items[0].isMore && staging!.items == 0 {
            throw .refused(WireError(.stageMismatch, "The first part goes on with an item that did not begin."))
        }
        try planning { () throws(LMDBError) in try loadStagedExisting(transaction) }
        try giveIDs(tail, transaction)
        try findCustomIDsTwice(tail)
        try findExistingTwice(tail)
        for index in plan.nodes.indices { try planEdges(of: index, tail, transaction) }
        for edge in plan.edges where isOutside(edge) { staging!.outside += 1 }
        guard Int(staging!.outside) <= PenstockWire.Limits.stagedOutsideMax else {
            throw .refused(
                WireError(
                    .tooManyDependencies,
                    "More than \(PenstockWire.Limits.stagedOutsideMax) dependencies on stored jobs, which is the most in an add of several parts."
                )
            )
        }
        guard !plan.hasHungEdges else {
            throw .refused(
                WireError(.dependentNotOpen, "A stored job can't be given new dependencies by an add of several parts.")
            )
        }
        guard
            stagedExisting.nodes.count + plan.nodes.count(where: \.isExisting) <= PenstockWire.Limits.stagedExistingMax
        else {
            throw .refused(
                WireError(
                    .tooManyJobs,
                    "More than \(PenstockWire.Limits.stagedExistingMax) nodes stand for stored jobs, which is the most."
                )
            )
        }
    }

    /// Refuses a node that stands for the stored job for which one of an earlier part does, as in an add of one part.
    private mutating func findExistingTwice(_ tail: RawSpan) throws(PlanError) {
        guard !stagedExisting.nodes.isEmpty, plan.nodes.contains(where: \.isExisting) else { return }
        let known = Set(stagedExisting.nodes.map(\.job))
        let twice = plan.nodes.firstIndex { $0.isExisting && known.contains($0.job) }
        if let twice { throw customIDStandsTwice(twice, tail) }
    }

    /// True for an edge to a job that is none of the add's own.
    private func isOutside(_ edge: AddPlan.Edge) -> Bool {
        edge.dependencyNode < 0 ? !staging!.contains(edge.dependency) : plan.nodes[edge.dependencyNode].isExisting
    }

    /// The job that a node of an earlier part stands for.
    func stagedJob(_ node: UInt64) -> JobID {
        let existing = stagedExisting.nodes
        var (low, high) = (0, existing.count)
        while low < high {
            let middle = (low + high) / 2
            if UInt64(existing[middle].node) < node { low = middle + 1 } else { high = middle }
        }
        if low < existing.count && UInt64(existing[low].node) == node { return existing[low].job }
        return JobID(staging!.firstJob.rawValue + node - UInt64(low))
    }

    /// What the add needs of the jobs outside may have changed since its parts came.
    private mutating func checkOutside(_ transaction: inout WriteTransaction) throws(PlanError) {
        for entry in stagedExisting.nodes {
            guard try isStored(entry.job, transaction) else {
                throw .refused(
                    WireError(
                        .unknownDependency,
                        "Job \(entry.job), which node \(entry.node) stood for, was removed meanwhile: add all of it again."
                    )
                )
            }
        }
        var from = EdgeKey(staging!.firstJob, 0)
        while let (key, edge) = try planning({ () throws(LMDBError) -> (EdgeKey, EdgeRecord)? in
            try nextOutside(from, transaction)
        }) {
            guard try isStored(edge.dependency, transaction) else {
                throw .refused(
                    WireError(
                        .unknownDependency,
                        "Job \(edge.dependency), on which the add depends, was removed meanwhile."
                    )
                )
            }
            from = EdgeKey(key.dependent, key.position + 1)
        }
    }

    /// The next edge from the add that is being staged to a job outside.
    mutating func nextOutside(
        _ from: EdgeKey,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> (EdgeKey, EdgeRecord)? {
        guard let key = try transaction.entry(atOrAfter: from, in: tables.stagedEdges)?.key,
            staging!.contains(key.dependent), let edge = try edge(key, transaction)
        else { return nil }
        return (key, edge)
    }

    // MARK: Writing a part

    private mutating func carryOut(
        part head: Stage.Head,
        _ tail: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        if head.part == .first {
            meta.nextJob += UInt64(head.totals.jobs)
            meta.nextFlow += UInt64(head.totals.items)
            meta.rising += UInt64(head.totals.jobs)
            meta.falling -= UInt64(head.totals.jobs)
            stagedRanges.append(StagedRange(staging!))
            scratch.removeAll()
            scratch.jobID(staging!.firstJob)
            let key = StagedAddKey(session: staging!.session, add: head.add)
            try transaction.put(scratch.span, for: key, in: tables.stagedAdds)
        }
        try makeQueues(of: tail, &result)
        linkDependents()
        var nextEdge = 0
        for item in plan.items.indices { try writeStaged(item: item, &nextEdge, tail, &transaction, &result) }
        for index in plan.nodes.indices where plan.nodes[index].isExisting {
            let entry = (node: staging!.nodes + UInt32(index), job: plan.nodes[index].job)
            stagedExisting.nodes.append(entry)
            scratch.removeAll()
            scratch.jobID(entry.job)
            try transaction.put(scratch.span, for: EdgeKey(staging!.firstJob, entry.node), in: tables.stagedExisting)
        }
        staging!.nodes += UInt32(plan.nodes.count)
        staging!.newJobs += UInt32(plan.nodes.count { !$0.isExisting })
        try putStaged(staging!, &transaction)
    }

    private mutating func writeStaged(
        item: Int,
        _ nextEdge: inout Int,
        _ tail: RawSpan,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        let shape = plan.items[item]
        if !shape.isMore { staging!.items += 1 }
        let number = staging!.items - 1
        let key = EdgeKey(staging!.firstJob, number)
        var stored = StagedItem(isFlow: shape.isFlow)
        var record = FlowRecord()
        if shape.isMore {
            stored = try stagedItem(key, transaction)
            if stored.flow != .none, try open(stored.flow, &transaction) { record = openFlow!.record }
        } else if shape.isFlow {
            stored.flow = FlowID(staging!.firstFlow.rawValue + UInt64(number))
            if shape.metadata != nil { record.flags.insert(.hasMetadata) }
            try describe(stored.flow, shape, tail, &transaction)
        }
        record.createdAt = meta.wall
        for index in shape.firstNode..<shape.firstNode + shape.nodes {
            let firstEdge = nextEdge
            while nextEdge < plan.edges.count && plan.edges[nextEdge].node == index { nextEdge += 1 }
            stored.nodes += 1
            if plan.nodes[index].isExisting { continue }
            if stored.first == .none { stored.first = plan.nodes[index].job }
            if record.firstJob == .none { record.firstJob = plan.nodes[index].job }
            stored.newJobs += 1
            record.jobs += 1
            let edges = firstEdge..<nextEdge
            let state = try write(
                node: index,
                flow: stored.flow,
                joins: false,
                edges: edges,
                tail,
                &transaction,
                &result
            )
            record.counts[state] += 1
        }
        if stored.flow != .none {
            try flushFlow(&transaction)
            openFlow = OpenFlow(id: stored.flow, record: record)
        }
        scratch.removeAll()
        stored.encode(into: &scratch)
        try transaction.put(scratch.span, for: key, in: tables.stagedItems)
    }

    // MARK: Rows

    /// Large adds that may be under way at a time, over all sessions.
    static let stagedAddsMax = 64
    /// Large adds of one session.
    static let stagedAddsOfSessionMax = 8

    private func stagedAdds(
        of session: SessionID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Int {
        var count = 0
        var cursor = try transaction.cursor(in: tables.stagedAdds)
        var entry = try cursor.seek(to: StagedAddKey(session: session, add: 0))
        while let found = entry, found.key?.session == session {
            count += 1
            entry = try cursor.next()
        }
        return count
    }

    func staged(
        _ session: SessionID,
        _ add: UInt32,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> StagedRecord? {
        guard let bytes = try transaction.get(StagedAddKey(session: session, add: add), in: tables.stagedAdds) else {
            return nil
        }
        let first = try decode { () throws(WireError) in
            var reader = WireReader(bytes)
            return try reader.u64()
        }
        return try staged(first, transaction)
    }

    func staged(_ first: UInt64, _ transaction: borrowing WriteTransaction) throws(LMDBError) -> StagedRecord? {
        guard let row = try transaction.get(first, in: tables.staged) else { return nil }
        return try decode { () throws(WireError) in try StagedRecord(row) }
    }

    func stagedItem(
        _ key: EdgeKey,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> StagedItem {
        guard let row = try transaction.get(key, in: tables.stagedItems) else { throw LMDBError(.corrupted, in: .get) }
        return try decode { () throws(WireError) in try StagedItem(row) }
    }

    /// The custom id of a job; nil where it has none.
    func customID(
        of job: JobID,
        _ record: JobRecord,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> [UInt8]? {
        guard record.flags.contains(.hasCustomID), let bytes = try transaction.get(job.rawValue, in: tables.payloads)
        else { return nil }
        return try decode { () throws(WireError) in bytes.array(try PayloadRow(bytes, of: record).customID) }
    }

    mutating func putStaged(_ record: StagedRecord, _ transaction: inout WriteTransaction) throws(LMDBError) {
        scratch.removeAll()
        record.encode(into: &scratch)
        try transaction.put(scratch.span, for: record.firstJob.rawValue, in: tables.staged)
    }

    /// Brings the nodes of the add that stand for stored jobs into memory, unless they are there.
    private mutating func loadStagedExisting(_ transaction: borrowing WriteTransaction) throws(LMDBError) {
        let first = staging!.firstJob
        guard stagedExisting.add != first else { return }
        stagedExisting = (first, [])
        var cursor = try transaction.cursor(in: tables.stagedExisting)
        var entry = try cursor.seek(to: EdgeKey(first, 0))
        while let found = entry, let key = found.key, key.dependent == first {
            let value = found.value
            let job = try decode { () throws(WireError) in try JobID(value: value) }
            stagedExisting.nodes.append((key.position, job))
            entry = try cursor.next()
        }
    }

    /// True where the job belongs to an add that is not published.
    func isStaged(_ job: JobID) -> Bool {
        !stagedRanges.isEmpty && stagedRanges.contains { $0.contains(job) }
    }

    /// True where the flow belongs to an add that is not published.
    func isStaged(_ flow: FlowID) -> Bool {
        !stagedRanges.isEmpty && stagedRanges.contains { $0.contains(flow) }
    }
}

extension WireError {
    fileprivate static func noSuchStage(_ add: UInt32) -> WireError {
        WireError(
            .stageMismatch,
            "There is no large add \(add): it did not begin, was published, was abandoned, or a part of it was refused."
        )
    }
}
