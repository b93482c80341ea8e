import PenstockWire

/// One place for a scheduler, which is set, set again and removed; its runs go into a queue of its own.
final class SchedulerScript {
    let id: String
    var queue: String { "q-\(id)" }
    /// What is listed; nil: nothing.
    private(set) var known: SchedulerRule?
    private(set) var pending: SchedulerRule??
    private(set) var violations: [String] = []
    /// Jobs of it that have been completed, and those that are being completed.
    private(set) var completed = 0
    private var completing = 0
    /// Jobs that earlier schedulers have left; nil after one was removed, until somebody looks.
    private var before: UInt64? = 0
    /// Those of them that have not finished: the next scheduler knows nothing of them.
    private var left: UInt32 = 0
    private var runs: UInt64 = 0

    init(id: String) { self.id = id }

    private func violation(_ text: String) { violations.append("scheduler \(id): \(text)") }

    func step(_ session: CommandSession, _ random: inout SplitMix) throws {
        guard pending == nil, before != nil, random.chance(known == nil ? 20 : 4) else { return }
        if known != nil && random.chance(40) {
            pending = .some(nil)
            return try session.send({ RemoveScheduler(sequence: $0, id: id) }, answer: take)
        }
        let interval = UInt64.random(in: 5...60, using: &random)
        let rule = SchedulerRule(schedule: .every(interval), immediately: random.chance(50))
        pending = rule
        let template = AddTail(
            queues: [queue],
            items: [AddItem(kind: .job, nodes: [AddNode(queue: 0, name: "run")])]
        )
        try session.send({ SetScheduler(sequence: $0, id: id, rule: rule, template: template) }, answer: take)
    }

    private func take(_ outcome: Outcome, _ commit: UInt64) {
        guard let after = pending else { return violation("an outcome of nothing") }
        pending = nil
        guard outcome.status == 0 else { return violation("it was refused with \(outcome.status)") }
        if after != nil {
            var reader = WireReader(outcome.body.rawSpan)
            let isNew = (try? SchedulerOutcome(from: &reader))?.isNew
            if isNew != (known == nil) { violation("it was created, or not: \(isNew.map { "\($0)" } ?? "no answer")") }
        } else {
            (before, runs) = (nil, 0)
        }
        known = after
    }

    func complete(_ delivery: Delivery, _ session: CommandSession) throws {
        let completion = Completion(slot: delivery.slot, token: delivery.token)
        completing += 1
        try session.send({ Complete(sequence: $0, completions: [completion]) }) { outcome, _ in
            self.completing -= 1
            session.ended(delivery.token)
            if outcome.status == 0 { self.completed += 1 }
            let code = ErrorCode(rawValue: outcome.status)
            if code != .ok && code != .fenced { self.violation("a completion was refused with \(outcome.status)") }
        }
    }

    /// What is shown of it, while its operator rests: each run has added its job, and nothing else has.
    func check(_ row: SchedulerPage.Row?, _ counts: StateCounts) -> [String] {
        var found: [String] = violations
        func expect(_ isRight: Bool, _ text: String) { if !isRight { found.append("scheduler \(id): \(text)") } }
        let possible = [known] + (pending.map { [$0] } ?? [])
        expect(
            possible.contains { $0?.schedule == row?.rule.schedule },
            "it is \(row.map { "\($0.rule)" } ?? "not there")"
        )
        expect(
            (completed...completed + completing).contains(Int(counts[.completed])),
            "\(counts[.completed]) completed, not \(completed)"
        )
        let unfinished = counts.total - counts.finished
        if before != nil {
            expect(unfinished <= 1 + left, "\(unfinished) runs are pending, \(left) of them of earlier ones")
        }
        if let row, let before {
            let total = UInt64(counts.total)
            expect(total == before + row.runs, "\(row.runs) runs and \(before) jobs before them left \(total) jobs")
            expect(row.runs >= runs, "\(row.runs) runs, after \(runs)")
            runs = row.runs
        }
        if known == nil && pending == nil {
            if let before { expect(UInt64(counts.total) == before, "\(counts.total) jobs, and no scheduler") }
            (before, left) = (UInt64(counts.total), unfinished)
        }
        return found
    }
}
