import NIOCore
import PenstockWire

// Who waits until the ends of jobs are stored.

extension SessionStateMachine {
    /// Somebody who waits for the outcomes of all completions and failures that were given before.
    struct Barrier {
        let request: UInt32
        let context: Context
        let deadline: NIODeadline
        /// Completions and failures that were given before it.
        let completions: UInt64
        /// It is worth waiting for another connection, where this one is lost.
        var isPatient = true
    }

    /// Answered when the outcome of everything that was completed before has come, whatever it is; or with why it will not.
    mutating func awaitCompletions(
        _ request: UInt32,
        _ context: Context,
        deadline: NIODeadline,
        _ output: inout Output
    ) {
        guard phase != .ended else {
            let isOpen = hasDroppedCompletions || firstOpenCompletion != nil
            output.events.append(.answered(context, isOpen ? .failure(.shutDown) : .success([])))
            return
        }
        barriers.append(
            Barrier(request: request, context: context, deadline: deadline, completions: completionCount)
        )
        passBarriers(&output)
    }

    /// Answers those whose last completion has its outcome.
    mutating func passBarriers(_ output: inout Output) {
        guard !barriers.isEmpty else { return }
        let open = firstOpenCompletion ?? .max
        answerBarriers(.success([]), &output) { $0.completions < open }
    }

    /// Gives up waiting.
    mutating func dropBarriers(
        _ error: PenstockError,
        _ output: inout Output,
        where isDropped: (Barrier) -> Bool = { _ in true }
    ) {
        if !barriers.isEmpty { answerBarriers(.failure(error), &output, where: isDropped) }
    }

    /// Whoever waits has no time any more: only a connection that stands is waited for.
    ///
    /// - Returns: false where the request is none of those.
    mutating func hurryBarrier(_ request: UInt32, _ output: inout Output) -> Bool {
        guard let index = barriers.firstIndex(where: { $0.request == request }) else { return false }
        barriers[index].isPatient = false
        if phase != .ready { dropBarriers(.connectionLost, &output) { $0.request == request } }
        return true
    }

    private mutating func answerBarriers(
        _ result: Result<[UInt8], PenstockError>,
        _ output: inout Output,
        where isAnswered: (Barrier) -> Bool
    ) {
        for barrier in barriers where isAnswered(barrier) { output.events.append(.answered(barrier.context, result)) }
        barriers.removeAll(where: isAnswered)
    }

    /// The number of the first completions that have not all got their outcomes.
    var firstOpenCompletion: UInt64? { log.first { $0.isCompletions && $0.left > 0 }?.completion }
}
