import LMDB
import PenstockWire
import Testing

@testable import PenstockEngine

/// Schedulers under the harness's clocks, with a calendar that knows whole milliseconds only.
extension EngineHarness {
    /// Sets a scheduler of an interval; its first occurrence is one interval from now.
    @discardableResult
    func setScheduler(
        _ id: String = "s",
        every interval: UInt64 = 1000,
        _ template: ItemSpec = .single(job("j")),
        limit: UInt64? = nil,
        start: UInt64? = nil,
        missedRuns: MissedRuns = .latest,
        due: UInt64? = nil,
        end: UInt64 = .max
    ) throws -> SchedulerOutcome {
        let rule = SchedulerRule(schedule: .every(interval), limit: limit, start: start, missedRuns: missedRuns)
        let times = SchedulerTimes(due: due ?? elapsed + interval, anchor: elapsed, end: end)
        return try set(id, rule, times, template)
    }

    @discardableResult
    func set(
        _ id: String,
        _ rule: SchedulerRule,
        _ times: SchedulerTimes,
        _ template: ItemSpec
    ) throws -> SchedulerOutcome {
        let sequence = stageSet(id, rule, times, template)
        try commit()
        let outcome = try #require(session.outcomes[sequence])
        guard outcome.status == 0 else {
            throw WireError(ErrorCode(rawValue: outcome.status)!, try ErrorBody(reading: outcome.body).message)
        }
        var reader = WireReader(outcome.body.rawSpan)
        let answer = try SchedulerOutcome(from: &reader)
        try reader.end("the outcome")
        return answer
    }

    @discardableResult
    func stageSet(_ id: String, _ rule: SchedulerRule, _ times: SchedulerTimes, _ template: ItemSpec) -> UInt64 {
        let sequence = session.draw()
        let add = Add(sequence: 0, [template])
        let tail = AddTail(queues: add.queues, items: add.items)
        var writer = WireWriter()
        times.encode(into: &writer)
        SetScheduler(sequence: sequence, id: id, rule: rule, template: tail).encode(into: &writer)
        let body = batch.keep(writer.span)
        stage(.setScheduler, session) {
            $0.sequence = sequence
            $0.body = body
        }
        return sequence
    }

    @discardableResult
    func stageRemoveScheduler(_ id: String) -> UInt64 {
        let sequence = session.draw()
        var writer = WireWriter()
        RemoveScheduler(sequence: sequence, id: id).encode(into: &writer)
        let body = batch.keep(writer.span)
        stage(.removeScheduler, session) {
            $0.sequence = sequence
            $0.body = body
        }
        return sequence
    }

    func removeScheduler(_ id: String) throws -> ErrorCode? {
        let sequence = stageRemoveScheduler(id)
        try commit()
        return session.code(sequence)
    }

    /// The schedulers that are due.
    func dueSchedulers(limit: Int = 100) throws -> [DueScheduler] {
        try open.read { try open.reads.dueSchedulers($0, elapsed: elapsed, wall: wall, limit: limit) }
    }

    func stage(_ run: SchedulerRun) {
        var writer = WireWriter()
        run.encode(into: &writer)
        let body = batch.keep(writer.span)
        stage(.runScheduler, session) { $0.body = body }
    }

    /// What a loop does: runs what is due, with intervals only, and commits.
    func runDueSchedulers(refusingAdds: Bool = false) throws {
        for scheduler in try dueSchedulers() { stage(answer(scheduler)) }
        try commit(refusingAdds: refusingAdds)
    }

    /// The run of a scheduler that is due: what lies between its occurrence and now is missed.
    func answer(_ scheduler: DueScheduler) -> SchedulerRun {
        if scheduler.isOwed { return SchedulerRun(owedBy: scheduler) }
        guard case .every(let interval) = scheduler.rule.schedule else {
            return SchedulerRun(of: scheduler, next: 0, wantsRun: true)
        }
        let passed = (elapsed - scheduler.times.due) / interval
        let missed = scheduler.rule.missedRuns == .all ? UInt32(passed) : 0
        let next = scheduler.times.due + (passed + 1) * interval
        return SchedulerRun(of: scheduler, next: next, missed: missed, wantsRun: true)
    }

    func schedulers(after: String = "", rows: UInt32 = 0) throws -> SchedulerPage {
        try open.read {
            try open.reads.schedulers(GetSchedulers(after: after, rows: rows), $0, elapsed: elapsed, wall: wall)
        }
    }

    func scheduler(_ id: String = "s") throws -> SchedulerPage.Row? {
        try schedulers().rows.first { $0.id == id }
    }
}
