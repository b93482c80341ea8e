internal import PenstockWire

/// Which jobs were delivered, in order, and how many of them had been answered when each came.
///
/// Jobs are answered in the order of their deliveries: those answered before an entry are the journal's first
/// ``Entry/answeredBefore`` ones.
struct DeliveryJournal {
    struct Entry: Equatable {
        var job: JobID
        var answeredBefore: Int
    }

    private(set) var entries: [Entry] = []

    /// - Parameter jobs: how many are expected: nothing is allocated for them later.
    init(jobs: Int = 0) {
        entries.reserveCapacity(jobs)
    }

    mutating func append(_ job: JobID, answeredBefore: Int) {
        entries.append(Entry(job: job, answeredBefore: answeredBefore))
    }

    /// What went wrong, in a sentence; nil where every job of the flows ran once, after all of its dependencies had
    /// been completed, and nothing else ran.
    func fault(in flows: [GraphFlow]) -> String? {
        var places: [JobID: Int] = [:]
        places.reserveCapacity(entries.count)
        for (place, entry) in entries.enumerated() {
            if places.updateValue(place, forKey: entry.job) != nil { return "job \(entry.job) was delivered twice" }
        }
        let jobs = flows.reduce(0) { $0 + $1.ids.count }
        guard jobs == entries.count else { return "\(entries.count) jobs were delivered, not \(jobs)" }
        for flow in flows {
            for (number, job) in flow.ids.enumerated() {
                guard let place = places[job] else { return "job \(job) was never delivered" }
                let answeredBefore = entries[place].answeredBefore
                for dependency in flow.graph.dependencies(of: number) {
                    let dependency = flow.ids[dependency]
                    guard let dependencyPlace = places[dependency], dependencyPlace < answeredBefore else {
                        return "job \(job) was delivered before its dependency \(dependency) was completed"
                    }
                }
            }
        }
        return nil
    }
}
