import PenstockWire
import Testing

@testable import PenstockEngine

/// Deduplication ids, for the tests.
extension EngineHarness {
    /// Adds a job alone, and tells why it stands for another one; nil where it is new.
    func addAlone(_ node: NodeSpec) throws -> (job: JobID, reason: AddOutcome.Reason?) {
        let added = try add(.single(node))
        return (added[node.name], added.items[0].existing.first?.reason)
    }

    /// Adds jobs alone in one add, and tells the same of each.
    func addBulk(_ nodes: NodeSpec...) throws -> [(job: JobID, reason: AddOutcome.Reason?)] {
        let specs = nodes.map { ItemSpec.single($0) }
        let sequence = stageAdd(specs)
        try commit()
        return try added(sequence, specs).items.map { ($0.jobIDs[0], $0.existing.first?.reason) }
    }

    func holder(_ id: String, queue: String = "q") throws -> DeduplicationView {
        try open.read {
            try open.reads.deduplication(GetDeduplication(queue: queue, id: id), $0, elapsed: elapsed)
        }
    }

    @discardableResult
    func removeDeduplication(_ id: String, queue: String = "q", job: JobID = .none) throws -> UInt32 {
        try commit(
            stageMessage(.removeDeduplication) { RemoveDeduplication(sequence: $0, queue: queue, id: id, job: job) }
        )
    }

    /// The ids that have a row, whether their time is over or not.
    func storedDeduplications() throws -> [String] {
        try dump().deduplications.keys.map { String(decoding: $0.id, as: UTF8.self) }.sorted()
    }
}
