import LMDB
import PenstockWire

/// Deciding what a REMOVE removes, before its first write.
extension Engine {
    /// Jobs and edges that a removal may look at to find what goes.
    static let removalStepsMax = 100_000

    mutating func remove(
        _ request: Remove,
        _ transaction: inout WriteTransaction,
        _ result: inout BatchResult
    ) throws(PlanError) {
        switch request.target {
        case .job(let job, let keepsDependencies):
            let record = try present(job, &transaction)
            guard !isLeased(job, record) else { throw .refused(leased(job)) }
            var removal = Removal(refusesLeased: true, followsDependencies: !keepsDependencies)
            try add(job, to: &removal, &transaction)
            try follow(&removal, &transaction)
            try planning { () throws(LMDBError) in try carryOut(removal, &transaction) }
        case .unprocessedDependencies(let job):
            _ = try present(job, &transaction)
            var removal = Removal(refusesLeased: false, followsDependencies: true)
            try addUnprocessed(of: job, to: &removal, &transaction)
            try follow(&removal, &transaction)
            try planning { () throws(LMDBError) in try carryOut(removal, &transaction) }
        case .flow(let flow):
            try checkSettled(flow, &transaction)
            if let job = try leasedJob({ $0.flow == flow }, transaction) { throw .refused(leased(job)) }
            try planning { () throws(LMDBError) in
                guard try open(flow, &transaction) else { return }
                openFlow!.record.flags.insert(.isRemoving)
                effects.touched = openFlow!.record.counts.total
            }
            // Behind what is being carried out: its jobs may have dependents to tell.
            if meta.openSettlements > 0 { effects.limit = 0 }
            effects.isRemovingFlow = true
            effects.append(Effect(.removeFlow, flow.rawValue))
        }
    }

    /// The jobs that go, dependents before what they depend on.
    private struct Removal {
        /// A leased job among those that go is an error; else it stays.
        let refusesLeased: Bool
        let followsDependencies: Bool
        var jobs: [JobID] = []
        var isGoing: Set<JobID> = []
        /// By dependency: how many of its dependents go.
        var goingDependents: [JobID: UInt32] = [:]
        var steps = 0

        init(refusesLeased: Bool, followsDependencies: Bool) {
            self.refusesLeased = refusesLeased
            self.followsDependencies = followsDependencies
        }

        mutating func step() throws(PlanError) {
            steps += 1
            guard steps > Engine.removalStepsMax else { return }
            throw .refused(
                WireError(
                    .effectTooLarge,
                    "To find what goes took more than \(Engine.removalStepsMax) jobs and edges: remove the flow, or parts of it."
                )
            )
        }
    }

    private mutating func carryOut(
        _ removal: Removal,
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        for job in removal.jobs {
            guard let record = try record(of: job, transaction) else { continue }
            effects.append(try self.removal(of: job, record, &transaction))
        }
        effects.touched = UInt32(removal.jobs.count)
    }

    private mutating func add(
        _ job: JobID,
        to removal: inout Removal,
        _ transaction: inout WriteTransaction
    ) throws(PlanError) {
        try removal.step()
        guard removal.isGoing.insert(job).inserted else { return }
        removal.jobs.append(job)
    }

    /// Adds the unfinished dependencies of a job that nobody holds; those that were added last come first, as they may
    /// depend on the others.
    private mutating func addUnprocessed(
        of job: JobID,
        to removal: inout Removal,
        _ transaction: inout WriteTransaction
    ) throws(PlanError) {
        var found: [JobID] = []
        var position: UInt32 = 0
        while let (key, edge) = try planning({ () throws(LMDBError) in
            try nextEdge(of: job, from: position, transaction)
        }) {
            try removal.step()
            position = key.position + 1
            let record = try stored(edge.dependency, &transaction)
            guard let record, !record.marks.contains(.isRemoved), !record.state.isFinished,
                !isLeased(edge.dependency, record)
            else { continue }
            found.append(edge.dependency)
        }
        for dependency in found.sorted(by: >) {
            _ = try present(dependency, &transaction)
            try add(dependency, to: &removal, &transaction)
        }
    }

    /// Follows the edges: a dependency all of whose dependents go, goes as well.
    private mutating func follow(_ removal: inout Removal, _ transaction: inout WriteTransaction) throws(PlanError) {
        var next = 0
        while next < removal.jobs.count {
            let job = removal.jobs[next]
            next += 1
            try checkSettledDependents(of: job, &transaction)
            var position: UInt32 = 0
            while removal.followsDependencies,
                let (key, edge) = try planning({ () throws(LMDBError) in
                    try nextEdge(of: job, from: position, transaction)
                })
            {
                try removal.step()
                position = key.position + 1
                try follow(edge.dependency, &removal, &transaction)
            }
        }
    }

    private mutating func follow(
        _ dependency: JobID,
        _ removal: inout Removal,
        _ transaction: inout WriteTransaction
    ) throws(PlanError) {
        removal.goingDependents[dependency, default: 0] += 1
        let record = try stored(dependency, &transaction)
        guard let record, !record.marks.contains(.isRemoved),
            record.dependents == removal.goingDependents[dependency]
        else { return }
        if isLeased(dependency, record) {
            guard !removal.refusesLeased else { throw .refused(leased(dependency)) }
            return
        }
        _ = try present(dependency, &transaction)
        try add(dependency, to: &removal, &transaction)
    }

    private mutating func stored(
        _ job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(PlanError) -> JobRecord? {
        try planning { () throws(LMDBError) -> JobRecord? in try record(of: job, transaction) }
    }

    /// A job that has finished may be telling its dependents, slice by slice: it can't go before they all know.
    private mutating func checkSettledDependents(
        of job: JobID,
        _ transaction: inout WriteTransaction
    ) throws(PlanError) {
        guard meta.openSettlements > 0, let record = try stored(job, &transaction), record.state.isFinished,
            record.dependents > 0
        else { return }
        throw .refused(
            WireError(
                .settling,
                "A large effect is being carried out, maybe that of job \(job): try again when it has settled."
            )
        )
    }

    // MARK: Leases

    /// True where a worker holds the job.
    mutating func isLeased(_ job: JobID, _ record: JobRecord) -> Bool {
        record.state == .active || record.state == .waiting && leaseSet.contains(job)
    }

    /// A leased job whose record is wanted; nil where there is none.
    ///
    /// - Complexity: O(leases).
    mutating func leasedJob(
        _ isWanted: (JobRecord) -> Bool,
        _ transaction: borrowing WriteTransaction
    ) throws(PlanError) -> JobID? {
        let held = leaseSet.jobs
        return try planning { () throws(LMDBError) -> JobID? in
            for job in held where job != .none {
                if let record = try record(of: job, transaction), record.state == .waiting || record.state == .active,
                    isWanted(record)
                {
                    return job
                }
            }
            // Written ones whose end comes later in this batch.
            var last: UInt64 = 0
            while let job = try transaction.entry(after: last, in: tables.leases)?.key {
                if let record = try record(of: JobID(job), transaction), isWanted(record) { return JobID(job) }
                last = job
            }
            return nil
        }
    }

    func leased(_ job: JobID) -> WireError {
        WireError(.jobLeased, "Job \(job) is leased: a worker runs it. Nothing was removed.")
    }
}
