import PenstockWire

/// Rules 6 and 7: the one order that the outcomes tell.
extension Checker {
    mutating func checkHistory() {
        var taken: [Ledger.Place: Ledger.Key] = [:]
        var last: [Int: Ledger.Place] = [:]
        var events: [(at: UInt64, isOutcome: Bool, key: Ledger.Key, place: Ledger.Place)] = []
        ledger.forEach { key, command in
            guard let outcome = command.outcome else { return }
            let place = outcome.place
            if let other = taken[place] { violations.append("\(key) and \(other) have one place: \(place)") }
            taken[place] = key
            if let before = last[key.client] {
                expect(before < place, "\(key) has the place \(place), and the command before it \(before)")
            }
            last[key.client] = place
            events.append((command.at, false, key, place))
            events.append((outcome.at, true, key, place))
        }
        // What was known when a command was first sent comes before it.
        events.sort { ($0.at, $0.isOutcome ? 1 : 0) < ($1.at, $1.isOutcome ? 1 : 0) }
        var known = Ledger.Place(commit: 0, index: 0)
        for event in events {
            if event.isOutcome {
                known = max(known, event.place)
            } else {
                expect(
                    known <= event.place,
                    "\(event.key) has the place \(event.place); \(known) was told before it was sent"
                )
            }
        }
    }

    /// A dependent runs after all that it waits for, and not at all after a failure that fails it.
    mutating func checkDependents() {
        for (job, created) in index.created where !created.dependencies.isEmpty {
            guard let first = index.firstAttempt(of: job) else { continue }
            let policies = created.dependencies.map { index.policy($0) }
            // A dependency that fails with this policy releases its dependent whatever the others do.
            if policies.contains(.continue) { continue }
            for (edge, policy) in zip(created.dependencies, policies) {
                guard let dependency = edge.job else { continue }
                if let end = index.end(of: dependency) {
                    expect(end.place < first, "job \(job) ran at \(first), before \(dependency) ended at \(end.place)")
                    expect(
                        !end.isFailure || policy != .failParent,
                        "job \(job) ran, though \(dependency) failed and should have failed it"
                    )
                } else {
                    // One that has dependencies itself may have failed by them.
                    let isLeaf = index.created[dependency]?.dependencies.isEmpty ?? false
                    expect(!isLeaf, "job \(job) ran, and \(dependency) has not ended")
                }
            }
        }
    }
}
