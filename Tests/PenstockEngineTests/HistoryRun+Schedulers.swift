import PenstockWire
import Testing

@testable import PenstockEngine

/// What the server does in its own time: retention, and the runs of schedulers.
extension HistoryRun {
    func stageScheduler(_ operation: Operation) {
        let session = sessions[0]
        switch operation {
        case .setScheduler(let id, let interval, let limit, let template):
            let rule = SchedulerRule(schedule: .every(interval), limit: limit)
            let times = SchedulerTimes(due: engine.elapsed + interval, anchor: engine.elapsed)
            let answer = model?.setScheduler(id, every: interval, limit: limit, template)
            expect(about: FlowID.none, answer, session, engine.stageSet(id, rule, times, template))
        case .removeScheduler(let id):
            let answer = model?.removeScheduler(id)
            expect(about: FlowID.none, answer, session, engine.stageRemoveScheduler(id))
        default: preconditionFailure("\(operation) is no command about schedulers")
        }
    }

    func runSchedulers() throws {
        try engine.runDueSchedulers()
        model?.runSchedulers()
        noteReported()
    }

    /// Looks at all finished jobs; amid other commands, at some.
    func retain() throws {
        var hasMore: Bool
        repeat {
            try engine.retainSlice()
            hasMore = engine.result.hasMoreToRetain
            noteReported()
            while mode != .interleaved && engine.isSettling {
                try engine.carryOn()
                noteReported()
            }
        } while hasMore && mode != .interleaved
        model?.retain()
    }

    func compareSchedulers(_ model: Model, _ problems: inout Problems) throws {
        let rows = try engine.schedulers().rows
        problems.expect(rows.map(\.id) == model.schedulers.keys.sorted(), "other schedulers are listed")
        for row in rows {
            guard let scheduler = model.schedulers[row.id] else { continue }
            let isSame =
                row.next == model.next(of: scheduler) && row.runs == scheduler.runs
                && row.lastFlow == scheduler.lastFlow && row.lastJob == scheduler.lastJob
            problems.expect(isSame, "scheduler \(row.id): \(row), not \(scheduler)")
        }
    }
}
