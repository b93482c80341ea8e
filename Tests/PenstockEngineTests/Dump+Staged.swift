import LMDB
import PenstockWire

@testable import PenstockEngine

extension Dump {
    /// Leaves out what large adds have stored and nobody sees, and brings what is published to where it will be soon.
    mutating func settleStaged(_ staged: [StagedRecord], _ pending: [Effect]) {
        for add in staged {
            jobs.removeAll { add.contains($0) }
            payloads.removeAll { add.contains($0) }
            flows.removeAll { add.contains($0) }
            flowNames = flowNames.filter { !add.contains($0) }
            customIDs = customIDs.filter { !add.contains($0.value) }
            edges.removeAll { add.contains($0.key.dependent) }
            dependents.removeAll { add.contains($0.key.dependent) }
        }
        for effect in pending where effect.kind == .publish {
            let isReady = Set(ready.map(\.job) + delayed.map(\.job))
            let isListed = Set(lists.map(\.job))
            for (id, job) in jobs where id.rawValue >= effect.subject && id.rawValue < effect.detail {
                let hasList = job.state == .delayed || job.state == .waitingChildren
                if hasList && !isListed.contains(id) { lists.append(JobListKey(job, id)) }
                if isReady.contains(id) { continue }
                if job.state == .waiting {
                    ready.append((ReadyKey(job), id))
                    if job.marks.contains(.hasTTL) {
                        startLimits[id] = job.due
                        startLimitsDue.append(DelayedKey(due: job.due, job: id))
                    }
                }
                if job.state == .delayed { delayed.append(DelayedKey(due: job.due, job: id)) }
            }
        }
    }
}
