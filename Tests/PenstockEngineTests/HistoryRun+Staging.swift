import PenstockWire
import Testing

@testable import PenstockEngine

/// Adds that come in several parts.
extension HistoryRun {
    /// The parts come one after the other, each with its commit, with restarts in between. One that is refused drops all.
    func stageAdd(_ items: [ItemSpec], nodes: Int, _ session: TestSession, restarts: Bool) throws {
        let (totals, tails) = Stage.parts(of: items, nodes: nodes)
        guard tails.count > 1 else { return }
        noteJobs()
        for (index, tail) in tails.enumerated() {
            let isLast = index == tails.count - 1
            let part: Stage.Part = isLast ? .last : index == 0 ? .first : .next
            let sequence = engine.stage(part, totals, tail, session)
            try engine.commit()
            noteReported()
            let outcome = try #require(session.outcomes[sequence])
            guard outcome.status != 0 || isLast else {
                if restarts { try restart(after: 0) }
                continue
            }
            if let model {
                try HistoryRun.compare(outcome, model.stage(items))
                // What was set aside is not given again, and queues that were made are there, if it was refused, too.
                (model.nextJob, model.nextFlow) = (scope.nextJob, scope.nextFlow)
                model.queues.formUnion(engine.open.reads.queueIDs.keys)
            }
            if mode != .interleaved { try settle() }
            return
        }
    }
}
