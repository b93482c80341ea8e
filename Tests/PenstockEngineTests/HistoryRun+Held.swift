import PenstockWire
import Testing

@testable import PenstockEngine

/// What workers do with the jobs that they hold.
extension HistoryRun {
    func stageHeld(_ operation: Operation) {
        switch operation {
        case .addHeld(let job, let completes, let items):
            guard let lease = completes ? take(job) : freeLease(of: job) else { return }
            let result = completes ? Payload(.json, [4, 2]) : .none
            let sequence = engine.stageHeld(lease, completes ? .complete : .add, result: result, items)
            if !completes { grown.insert(job) }
            expect(model?.addHeld(job, completes: completes, items), lease.session, sequence)
        case .move(let job, let place, let delay, let data):
            guard let lease = take(job) else { return }
            let bytes: [UInt8]? = data ? [8, UInt8(truncatingIfNeeded: tally.batches)] : nil
            let payload = bytes.map { Payload(.binary, $0) }
            let sequence = engine.stageMove(lease, to: place, delay: delay, data: payload)
            expect(
                about: FlowID.none,
                model?.move(job, to: place, delay: delay, data: bytes),
                lease.session,
                sequence
            )
        default: preconditionFailure("\(operation) is no command of a worker")
        }
    }

    /// What is added to a job writes its lease.
    func noteGrown() throws {
        for job in grown where engine.leases[job] != nil {
            if try engine.record(job)?.state == .active { engine.noteWritten(job) }
        }
        grown = []
    }
}
