package import PenstockWire

/// The live leases as the engine knows them: for the commands that may not touch a leased job.
///
/// The dispatcher grants in memory; every batch brings the changes, slot by slot.
/// Few commands ask, so a question is a walk over the slots, and a change is a store.
package struct LeaseSet: Sendable {
    private var jobs: [JobID] = []

    package init() {}

    package mutating func apply(_ changes: [SlotChange]) {
        for change in changes {
            let slot = Int(change.slot)
            while jobs.count <= slot { jobs.append(.none) }
            jobs[slot] = change.job
        }
    }

    /// - Complexity: O(slots), some tens of microseconds for 100,000 of them.
    package func contains(_ job: JobID) -> Bool { jobs.contains(job) }
}
