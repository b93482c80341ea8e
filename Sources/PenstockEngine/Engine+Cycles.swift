import LMDB
import PenstockWire

/// Looking for a cycle that an add would close.
extension Engine {
    /// Steps that the search for a cycle may take.
    static let cycleStepsMax = 100_000

    /// Walks the unfinished dependencies of every stored job that gets new ones: none may lead back to it.
    mutating func findCycles(_ transaction: borrowing WriteTransaction) throws(PlanError) {
        // New nodes alone can form no cycle: each depends only on what comes before it. Nor do they lead to a stored job.
        guard plan.edges.contains(where: { $0.dependencyNode < 0 || plan.nodes[$0.dependencyNode].isExisting }) else {
            return
        }
        var newEdges: [JobID: [JobID]] = [:]
        for edge in plan.edges { newEdges[plan.nodes[edge.node].job, default: []].append(edge.dependency) }
        var steps = 0
        for node in plan.nodes where node.isExisting && newEdges[node.job] != nil {
            var from: [JobID: JobID] = [:]
            var stack = newEdges[node.job]!
            for dependency in stack { from[dependency] = node.job }
            while let job = stack.popLast() {
                if job == node.job { throw .refused(cycle(node.job, from)) }
                steps += 1
                guard steps <= Engine.cycleStepsMax else {
                    throw .refused(
                        WireError(
                            .cycleSearchTooLarge,
                            "Looking for a cycle took more than \(Engine.cycleStepsMax) steps: too many jobs lie below."
                        )
                    )
                }
                let stored = try unfinishedDependencies(of: job, limit: Engine.cycleStepsMax - steps, transaction)
                for dependency in stored + newEdges[job, default: []] where from[dependency] == nil {
                    from[dependency] = job
                    stack.append(dependency)
                }
            }
        }
    }

    private mutating func unfinishedDependencies(
        of job: JobID,
        limit: Int,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) -> [JobID] {
        // One of this add is not stored yet.
        guard job.rawValue < meta.nextJob else { return [] }
        var found: [JobID] = []
        var read = 0
        do throws(LMDBError) {
            guard let record = try record(of: job, transaction), record.flags.contains(.hasDependencies) else {
                return []
            }
            var cursor = try transaction.cursor(in: tables.edges)
            var entry = try cursor.seek(to: EdgeKey(job, 0))
            while let edge = entry, edge.key?.dependent == job, read <= limit {
                read += 1
                let value = edge.value
                let record = try decode { () throws(WireError) in try EdgeRecord(value) }
                // One that has not completed may be retried, and its edge would count again.
                var isOver = record.kind == .processed
                if isOver { isOver = try hasCompleted(record.dependency, transaction) }
                if !isOver { found.append(record.dependency) }
                entry = try cursor.next()
            }
        } catch {
            throw .lmdb(error)
        }
        return found
    }

    private mutating func hasCompleted(
        _ job: JobID,
        _ transaction: borrowing WriteTransaction
    ) throws(LMDBError) -> Bool {
        try record(of: job, transaction)?.state == .completed
    }

    private mutating func cycle(_ job: JobID, _ from: [JobID: JobID]) -> WireError {
        // From the end back to the beginning: what is too long to tell is left out in the middle.
        var path = [job.description]
        var last = job.description
        var step = from[job]
        while let current = step, current != job {
            last = current.description
            if path.count < 32 { path.append(last) }
            step = from[current]
        }
        if path.last != last { path += path.count < 32 ? [last] : ["...", last] }
        path.append(job.description)
        let text = path.reversed().joined(separator: " depends on ")
        return WireError(.cycle, "The add would close a cycle: \(text).")
    }
}
