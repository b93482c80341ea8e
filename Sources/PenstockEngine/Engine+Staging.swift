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
            let head = try stageHead(body)
            known = try planning { () throws(LMDBError) in try staged(command.session, head.add, transaction) }
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
    private mutating func nextOutside(
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

    // MARK: The end

    /// Makes the add visible, and answers it as if it had come in one part.
    private mutating func publish(
        _ command: Command,
        at index: UInt32,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) {
        let record = staging!
        let outside = try linkOutside(&transaction)
        for entry in record.counts {
            let queue = Int(entry.queue.rawValue) - 1
            for state in JobState.allCases { queues[queue].counts[state] += entry.counts[state] }
            markDirty(entry.queue)
        }
        let start = outcomes.begin(command, at: index)
        try encodeOutcome(of: record, for: command, &transaction)
        outcomes.end(command, start)
        staging = nil
        try forget(record, &transaction)
        for key in outside {
            guard let edge = try edge(key, transaction),
                let dependency = try self.record(of: edge.dependency, transaction),
                dependency.state.isFinished
            else { continue }
            try settle(key, DependencyEnd(dependency), &transaction, &result)
        }
        effects.append(
            Effect(.publish, record.firstJob.rawValue, detail: record.firstJob.rawValue + UInt64(record.newJobs))
        )
        try carryOutEffects(&transaction, &result)
    }

    /// Tells the jobs outside of their new dependents.
    private mutating func linkOutside(_ transaction: inout WriteTransaction) throws(LMDBError) -> [EdgeKey] {
        var found: [EdgeKey] = []
        while let (key, edge) = try nextOutside(EdgeKey(staging!.firstJob, 0), transaction) {
            _ = try transaction.delete(key, in: tables.stagedEdges)
            guard let dependency = try record(of: edge.dependency, transaction) else {
                throw LMDBError(.corrupted, in: .get)
            }
            try link(edge, at: key, dependency, &transaction)
            found.append(key)
        }
        return found
    }

    /// Writes the body of ``AddOutcome``.
    private mutating func encodeOutcome(
        of record: StagedRecord,
        for command: Command,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        var writer = WireWriter(capacity: 64 + Int(record.items) * 24 + stagedExisting.nodes.count * 12)
        writer.u16(UInt16(record.items))
        var node: UInt32 = 0
        var existing = stagedExisting.nodes[...]
        for number in 0..<record.items {
            let item = try stagedItem(EdgeKey(record.firstJob, number), transaction)
            writer.flowID(item.newJobs > 0 ? item.flow : .none)
            writer.jobID(item.first)
            writer.u32(item.nodes)
            writer.u32(item.nodes - item.newJobs)
            while let entry = existing.first, entry.node < node + item.nodes {
                writer.u32(entry.node - node)
                writer.jobID(entry.job)
                existing.removeFirst()
            }
            node += item.nodes
            if item.newJobs == 0 && item.flow != .none { try forget(item.flow, &transaction) }
        }
        outcomes.write(writer.span, of: command)
    }

    /// Makes the published jobs ready, or lets their delay begin, in the order of their ids.
    mutating func publish(
        _ effect: Effect,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(LMDBError) -> Effect? {
        var next = max(effect.cursor, effect.subject)
        while next < effect.detail {
            if effects.isExhausted {
                var rest = effect
                rest.cursor = next
                return rest
            }
            effects.steps += 1
            let job = JobID(next)
            next += 1
            guard var record = try record(of: job, transaction) else { continue }
            switch record.state {
            case .waiting:
                // It is there already where it was given a dependency meanwhile, and released.
                let key = ReadyKey(record.queue, record.turn)
                guard try transaction.get(key, in: tables.ready) == nil else { continue }
                try makeReady(&record, of: job, &transaction, &result)
            case .delayed:
                guard try transaction.get(DelayedKey(due: record.due, job: job), in: tables.delayed) == nil else {
                    continue
                }
                try delay(&record, of: job, by: record.due, &transaction, &result)
                try rewrite(record, of: job, &transaction)
            default: continue
            }
        }
        return nil
    }

    // MARK: Dropping

    /// Drops what has come of an add: its jobs stay hidden until the last of them is gone.
    mutating func drop(_ record: StagedRecord, _ transaction: inout WriteTransaction) throws(LMDBError) {
        let key = StagedAddKey(session: record.session, add: record.add)
        _ = try transaction.delete(key, in: tables.stagedAdds)
        effects.append(Effect(.dropStaged, record.firstJob.rawValue))
        var none = BatchResult()
        try carryOutEffects(&transaction, &none)
    }

    /// Deletes the rows of a dropped add's jobs.
    mutating func dropStaged(
        _ effect: Effect,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> Effect? {
        guard let staged = try staged(effect.subject, transaction) else { return nil }
        var next = max(effect.cursor, effect.subject)
        while next < effect.subject + UInt64(staged.newJobs) {
            if effects.isExhausted {
                var rest = effect
                rest.cursor = next
                return rest
            }
            effects.steps += 1
            try deleteStaged(JobID(next), &transaction)
            next += 1
        }
        for number in 0..<staged.items { try forget(FlowID(staged.firstFlow.rawValue + UInt64(number)), &transaction) }
        try forget(staged, &transaction)
        return nil
    }

    private mutating func deleteStaged(_ job: JobID, _ transaction: inout WriteTransaction) throws(LMDBError) {
        guard let record = try record(of: job, transaction) else { return }
        if let id = try customID(of: job, record, transaction) {
            _ = try transaction.delete(CustomIDKey(record.queue, id.rawSpan), in: tables.customIDs)
        }
        while let (key, edge) = try nextEdge(of: job, from: 0, transaction) {
            effects.steps += 1
            _ = try transaction.delete(key, in: tables.edges)
            _ = try transaction.delete(key, in: tables.stagedEdges)
            _ = try transaction.delete(DependentKey(edge.dependency, job), in: tables.dependents)
        }
        _ = try transaction.delete(job.rawValue, in: tables.payloads)
        _ = try transaction.delete(job.rawValue, in: tables.jobs)
    }

    /// Deletes the rows that only staging needs.
    private mutating func forget(_ record: StagedRecord, _ transaction: inout WriteTransaction) throws(LMDBError) {
        _ = try transaction.delete(record.firstJob.rawValue, in: tables.staged)
        _ = try transaction.delete(StagedAddKey(session: record.session, add: record.add), in: tables.stagedAdds)
        for number in 0..<record.items {
            _ = try transaction.delete(EdgeKey(record.firstJob, number), in: tables.stagedItems)
        }
        while let key = try transaction.entry(atOrAfter: EdgeKey(record.firstJob, 0), in: tables.stagedExisting)?.key,
            key.dependent == record.firstJob
        {
            _ = try transaction.delete(key, in: tables.stagedExisting)
        }
        stagedRanges.removeAll { $0.firstJob == record.firstJob }
    }

    /// Drops the large adds of a session that is forgotten.
    mutating func dropStaged(of session: SessionID, _ transaction: inout WriteTransaction) throws(LMDBError) {
        while true {
            let from = StagedAddKey(session: session, add: 0)
            guard let key = try transaction.entry(atOrAfter: from, in: tables.stagedAdds)?.key, key.session == session,
                let record = try staged(session, key.add, transaction)
            else { return }
            try drop(record, &transaction)
        }
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

    private func staged(
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

    private func staged(_ first: UInt64, _ transaction: borrowing WriteTransaction) throws(LMDBError) -> StagedRecord? {
        guard let row = try transaction.get(first, in: tables.staged) else { return nil }
        return try decode { () throws(WireError) in try StagedRecord(row) }
    }

    private func stagedItem(
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
        return try decode { () throws(WireError) in bytes.array(try PayloadRow(bytes, flags: record.flags).customID) }
    }

    private mutating func putStaged(_ record: StagedRecord, _ transaction: inout WriteTransaction) throws(LMDBError) {
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
            let job = try decode { () throws(WireError) in
                var reader = WireReader(value)
                return try reader.jobID()
            }
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
