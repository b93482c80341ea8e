import PenstockWire

@testable import PenstockEngine

/// Commands that take jobs out.
extension HistoryRun {
    func stageRemoval(_ operation: Operation) {
        switch operation {
        case .remove(let target, let session):
            let session = sessions[session]
            let sequence = engine.stageRemove(target, session)
            let answer = model?.remove(target)
            switch target {
            case .job(let job, _), .unprocessedDependencies(let job): expect(about: job, answer, session, sequence)
            case .flow(let flow): expect(about: flow, answer, session, sequence)
            }
        case .clean(let queue, let kind, let session):
            let session = sessions[session]
            let sequence = engine.stageClean(kind, queue: queue, session)
            expect(about: FlowID.none, model?.clean(queue, kind), session, sequence)
        default: preconditionFailure("\(operation) is no removal")
        }
    }
}
