import PenstockEngine
import PenstockWire
import UV

/// What the loop's thread and the writer's thread hand one another: whole batches, under one lock.
///
/// While one batch is committed, the next gathers. There is no timer and no
/// artificial delay: under light load a batch is one command, under heavy load
/// one commit carries hundreds.
final class Exchange: Sendable {
    struct State: Sendable {
        /// What the writer takes next.
        var gathering = Batch()
        /// What the loop takes next, in the order of the commits.
        var results: [BatchResult] = []
        /// Results that are used again.
        var spare: [BatchResult] = []
        var isStopping = false
        /// The writer could not go on: nobody may be answered any more.
        var failure: EngineError?
    }

    /// Commands and bytes above which a batch takes no more; one larger command goes alone.
    static let batchCommandsMax = 4096
    static let batchBytesMax = 8 << 20

    let monitor = Monitor(State())

    /// Hands over what the loop has gathered, unless the next batch is full already.
    ///
    /// - Returns: false where it is full; the loop tries again after the next commit.
    func offer(_ staging: inout Batch) -> Bool {
        // The writer only waits while it has nothing: then, and only then, it has to be woken.
        let (isTaken, wakes) = monitor.withLock { state -> (Bool, Bool) in
            let wasEmpty = state.gathering.isEmpty
            guard
                wasEmpty
                    || (state.gathering.commands.count + staging.commands.count <= Exchange.batchCommandsMax
                        && state.gathering.arena.count + staging.arena.count <= Exchange.batchBytesMax)
            else { return (false, false) }
            state.gathering.take(&staging)
            return (true, wasEmpty)
        }
        if wakes { monitor.signal() }
        return isTaken
    }

    /// Waits for the next batch and swaps it into `batch`, which is empty; false where the writer is to end.
    func take(_ batch: inout Batch) -> Bool {
        monitor.wait(until: { !$0.gathering.isEmpty || $0.isStopping }) { state in
            if state.gathering.isEmpty { return false }
            swap(&state.gathering, &batch)
            return true
        }
    }

    func spareResult() -> BatchResult {
        monitor.withLock { $0.spare.popLast() } ?? BatchResult()
    }

    func post(_ result: BatchResult) {
        monitor.withLock { $0.results.append(result) }
    }

    func fail(_ error: EngineError) {
        monitor.withLock { $0.failure = error }
    }

    /// Swaps the results that are there into `results`, which is empty, and tells of a failure.
    func takeResults(_ results: inout [BatchResult]) -> EngineError? {
        monitor.withLock { state in
            swap(&state.results, &results)
            return state.failure
        }
    }

    /// Gives results back, to be used again.
    func recycle(_ results: inout [BatchResult]) {
        monitor.withLock { state in
            while let result = results.popLast(), state.spare.count < 4 { state.spare.append(result) }
        }
        results.removeAll(keepingCapacity: true)
    }

    var isStopping: Bool { monitor.withLock { $0.isStopping } }

    func stop() {
        monitor.withLock { $0.isStopping = true }
        monitor.signal()
    }
}
