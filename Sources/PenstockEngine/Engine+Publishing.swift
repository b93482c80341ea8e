import LMDB
import PenstockWire

/// The last part of a large add: it becomes visible, and then its jobs become ready in slices.
extension Engine {
    /// Makes the add visible, and answers it as if it had come in one part.
    mutating func publish(
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
        let jobs = record.firstJob.rawValue..<record.firstJob.rawValue + UInt64(record.newJobs)
        // What ends at once, by a dependency that has failed, is told to be added before.
        if interest.isOn { interest.announce(jobs, ofAddFrom: jobs.lowerBound) }
        for key in outside {
            guard let edge = try edge(key, transaction),
                let dependency = try self.record(of: edge.dependency, transaction),
                dependency.state.isFinished
            else { continue }
            try settle(key, DependencyEnd(dependency), &transaction, &result)
        }
        effects.append(Effect(.publish, jobs.lowerBound, detail: jobs.upperBound))
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
        var writer = WireWriter(capacity: 64 + Int(record.items) * 24 + stagedExisting.nodes.count * 13)
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
                writer.u8(AddOutcome.Reason.existing.rawValue)
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
                interest.announce(next..<effect.detail, ofAddFrom: effect.subject)
                var rest = effect
                rest.cursor = next
                return rest
            }
            effects.steps += 1
            let job = JobID(next)
            next += 1
            let isAnnounced = interest.isAnnounced(job)
            if interest.isOn { interest.announce(next..<effect.detail, ofAddFrom: effect.subject) }
            guard var record = try record(of: job, transaction), !record.marks.contains(.isRemoved) else { continue }
            if !isAnnounced { try tell(.added, job, record, transaction, &result) }
            switch record.state {
            case .waiting:
                // It is there already where it was given a dependency meanwhile, and released.
                let key = ReadyKey(record)
                guard try transaction.get(key, in: tables.ready) == nil else { continue }
                try makeReady(&record, of: job, &transaction, &result)
                try rewrite(record, of: job, &transaction)
            case .waitingChildren:
                try putEmpty(JobListKey(record, job), in: tables.jobLists, &transaction)
                try tell(.waitingChildren, job, record, transaction, &result)
            case .delayed:
                guard try transaction.get(DelayedKey(due: record.due, job: job), in: tables.delayed) == nil else {
                    continue
                }
                if let time = try wallTime(record, of: job, transaction) {
                    try delay(&record, of: job, until: time, &transaction, &result)
                } else {
                    try delay(&record, of: job, by: record.due, &transaction, &result)
                }
                try rewrite(record, of: job, &transaction)
            default: continue
            }
        }
        interest.announce(next..<next, ofAddFrom: effect.subject)
        return nil
    }
}
