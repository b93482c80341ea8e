import PenstockWire

/// Rules 4 and 5: what workers were told of their jobs stays true, and tokens work while they live.
extension Checker {
    mutating func checkJobs() {
        for (id, shown) in observation.jobs {
            guard let created = index.created[id] else {
                if let shown { checkUnknown(id, shown) }
                continue
            }
            guard let shown else {
                violations.append("job \(id) of \(created.key) is not there")
                continue
            }
            check(shown, created.node, queue: created.queue, flow: created.flow, created.key)
            checkAttempts(id, shown, created)
        }
        for (job, ends) in index.completions where ends.count > 1 {
            violations.append("job \(job) was completed by \(ends.map { $0.key })")
        }
    }

    /// A job that no acknowledged add has made.
    private mutating func checkUnknown(_ id: JobID, _ view: JobView) {
        guard let tag = JobTag(data: view.data), let command = ledger[tag.key] else {
            violations.append("job \(id) is there, and nobody has added it")
            return
        }
        guard let outcome = command.outcome else { return }
        violations.append(
            "job \(id) is node \(tag.node) of \(tag.key), whose outcome (\(outcome.status)) does not name it"
        )
    }

    private mutating func checkAttempts(_ id: JobID, _ view: JobView, _ created: LedgerIndex.Created) {
        let completions = index.completions[id] ?? []
        let failures = index.failures[id] ?? []
        let open = index.open[id] ?? []
        let mayBeBehind = observation.moment == .beforeResume
        let accepted = completions.count + failures.count
        expect(view.stalledCount == 0, "job \(id) has stalled \(view.stalledCount) times, though no lease ran out")
        expect(
            Int(view.attemptsMade) == accepted
                || mayBeBehind && (accepted...accepted + open.count).contains(Int(view.attemptsMade)),
            "job \(id) has made \(view.attemptsMade) attempts; \(accepted) were accepted"
        )
        if view.state == .completed {
            var results = completions
            if mayBeBehind { results += open }
            let isTheirs = results.contains { end in
                if case .complete(_, let result) = end.kind { view.outcome == .result(.binary, result) } else { false }
            }
            expect(isTheirs, "job \(id) is completed with a result that no accepted completion gave: \(view.outcome)")
        } else {
            expect(completions.isEmpty, "job \(id) is \(view.state), and \(completions.map { $0.key }) completed it")
        }
        let isUsedUp = failures.count >= Int(created.node.options.attempts) || failures.contains { $0.isUnrecoverable }
        if view.state == .failed {
            switch view.cause {
            case .error, .unrecoverable: expect(isUsedUp || mayBeBehind, "job \(id) failed, and had attempts left")
            case .dependency: expect(!created.dependencies.isEmpty, "job \(id) failed by a dependency, and has none")
            default: violations.append("job \(id) failed with cause \(view.cause)")
            }
        } else {
            expect(!isUsedUp, "job \(id) is \(view.state) after its last attempt failed")
        }
        if observation.moment == .drained { expect(view.state.isFinished, "job \(id) is \(view.state) in the end") }
    }

    mutating func checkTokens() {
        var used: [LeaseToken: Ledger.Key] = [:]
        ledger.forEach { key, command in
            guard let token = command.kind.token, let outcome = command.outcome else { return }
            if outcome.isOK {
                expect(!command.mustBeFenced, "\(key) was accepted with the dead token \(token)")
                if let first = used[token] {
                    violations.append("token \(token) was accepted from \(first) and from \(key)")
                }
                used[token] = key
                expect(
                    ledger.leases[token]?.client == key.client,
                    "\(key) was accepted with another session's token \(token)"
                )
            } else {
                expect(
                    outcome.status == ErrorCode.fenced.rawValue && (command.mustBeFenced || command.mayBeFenced),
                    "\(key) was refused with \(outcome.status), and its token \(token) lived"
                )
            }
        }
    }
}
