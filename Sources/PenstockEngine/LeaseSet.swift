package import PenstockWire

/// The live leases as the engine knows them: for the commands that may not touch a leased job, or that end its lease.
///
/// The dispatcher grants in memory; every batch brings the changes, slot by slot.
/// Few commands ask, so a change is a store, and an index is made when somebody asks.
package struct LeaseSet: Sendable {
    /// By slot.
    private(set) var jobs: [JobID] = []
    /// Made when so many have asked since the last change that it pays.
    private var index: Set<JobID>?
    private var questions = 0

    package init() {}

    package mutating func apply(_ changes: [SlotChange]) {
        if !changes.isEmpty { (index, questions) = (nil, 0) }
        for change in changes {
            let slot = Int(change.slot)
            while jobs.count <= slot { jobs.append(.none) }
            jobs[slot] = change.job
        }
    }

    /// - Complexity: O(1) on average over many questions; O(slots) for the first few after a change.
    package mutating func contains(_ job: JobID) -> Bool {
        if let index { return index.contains(job) }
        questions += 1
        if questions > 8 { index = Set(jobs.lazy.filter { $0 != .none }) }
        return jobs.contains(job)
    }
}
