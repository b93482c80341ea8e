import PenstockWire

/// Compares what the clients were told with what the server shows.
///
/// The server is serial and tells every command's place, so that no search for an order is needed: each rule is one
/// pass. The rules:
///
/// 1. every acknowledged add is there whole: its jobs, its flows, its edges;
/// 2. an unacknowledged add is there whole, or not at all;
/// 3. nothing is there twice, and nothing that nobody added: ids are unique, and the queues' counts are exact;
/// 4. an acknowledged completion stays, with its result; a job has at most one, and as many attempts as were accepted;
/// 5. a token that is dead is fenced, and one that lives is not;
/// 6. places grow in the order of each session, are unique, and respect what was known when a command was sent;
/// 7. a dependent runs after its dependencies; in the end all has finished.
struct Checker {
    let ledger: Ledger
    let observation: Observation
    let index: LedgerIndex
    /// Adds may have been refused because the disk was full.
    var allowsFull = false
    var violations: [String]

    static func check(_ ledger: Ledger, _ observation: Observation, allowsFull: Bool = false) -> [String] {
        var checker = Checker(ledger, observation)
        checker.allowsFull = allowsFull
        checker.run()
        return checker.violations
    }

    private init(_ ledger: Ledger, _ observation: Observation) {
        self.ledger = ledger
        self.observation = observation
        index = LedgerIndex(ledger)
        violations = ledger.violations + index.violations
    }

    private mutating func run() {
        checkAdds()
        checkJobs()
        checkTokens()
        checkHistory()
        if observation.moment != .beforeResume { checkDependents() }
    }

    mutating func expect(_ isRight: Bool, _ violation: @autoclosure () -> String) {
        if !isRight { violations.append(violation()) }
    }

    /// The adds that were open before the clients came back: what was seen of them is what they are told.
    static func checkSightings(before: Ledger, _ seen: Observation, after: Ledger) -> [String] {
        var violations: [String] = []
        let sightings = Checker(before, seen).sightings()
        before.forEach { key, command in
            guard case .add(let add) = command.kind, command.outcome == nil else { return }
            guard let outcome = after[key]?.outcome else {
                violations.append("\(key) has no outcome after its session resumed")
                return
            }
            guard outcome.isOK else {
                if sightings[key] != nil {
                    violations.append("\(key) was there, and is refused with \(outcome.status)")
                }
                return
            }
            let isApplied = outcome.commit <= seen.commit
            let isNew = outcome.items.contains { $0.existing.count < Int($0.nodes) }
            if isNew && isApplied != (sightings[key] != nil) {
                violations.append(
                    "\(key) is of commit \(outcome.commit); after commit \(seen.commit) it was \(isApplied ? "not " : "")there"
                )
            }
            guard let sighting = sightings[key] else { return }
            let ids = outcome.items.flatMap { $0.jobIDs }
            for (node, job) in sighting where !ids.indices.contains(node) || ids[node] != job {
                violations.append("node \(node) of \(key) was job \(job), and is another now")
            }
            _ = add
        }
        return violations
    }
}
