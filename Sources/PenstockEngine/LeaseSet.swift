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
    /// What the batch has taken out itself, in case it is not committed.
    private var ended: [SlotChange] = []

    package init() {}

    /// A new batch begins: what the last one ended is durable.
    mutating func begin() { ended.removeAll(keepingCapacity: true) }

    /// A command has ended the lease, and the dispatcher does not know of it yet.
    mutating func end(_ slot: UInt32, of job: JobID) {
        guard Int(slot) < jobs.count, jobs[Int(slot)] == job else { return }
        jobs[Int(slot)] = .none
        index?.remove(job)
        ended.append(SlotChange(slot: slot, job: job))
    }

    /// A command has taken the job from its worker, if one has it.
    mutating func end(_ job: JobID) {
        guard contains(job), let slot = jobs.firstIndex(of: job) else { return }
        end(UInt32(slot), of: job)
    }

    /// The batch was not committed: what it ended goes on.
    mutating func undo() {
        apply(ended)
        begin()
    }

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
