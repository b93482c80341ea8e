import PenstockWire
import Synchronization

/// A worker's slots and the session that feeds them.
final class WorkerCore: Sendable {
    typealias Handler = @Sendable (Delivery, WorkerCore) async -> HandlerOutcome
    private typealias Machine = WorkerStateMachine<CheckedContinuation<Void, Never>, Task<Bool, Never>>

    /// Jobs that a slot runs before it lets other tasks of the process have its thread.
    private static let jobsBeforeYield = 128

    let id: WorkerID
    private let client: PenstockClient
    private let handler: Handler
    private let state: Mutex<Machine>
    /// Fired when the worker is to end.
    let stopped = OneShot()
    /// Why no further job can come; nil as long as some can.
    private let failure = Mutex<PenstockError?>(nil)

    private var link: Link { client.workerLink }

    init(_ client: PenstockClient, concurrency: Int, handler: @escaping Handler) {
        id = client.newWorkerID()
        self.client = client
        self.handler = handler
        state = Mutex(Machine(concurrency: concurrency))
    }

    /// Keeps one slot at work until the worker stops.
    ///
    /// The slot's task can be cancelled with its job; then another one takes its
    /// place. It never outlives this call.
    func runSlot(_ slot: Int) async {
        var isReplaced = true
        while isReplaced {
            let task = Task { await work(slot) }
            if state.withLock({ $0.began(slot, task) }) { task.cancel() }
            isReplaced = await withTaskCancellationHandler {
                await task.value
            } onCancel: {
                task.cancel()
            }
        }
    }

    /// - Returns: true where the task was cancelled with its job.
    private func work(_ slot: Int) async -> Bool {
        var step = state.withLock { $0.next(slot) }
        var jobs = 0
        while true {
            switch step {
            case .run(let delivery, let wake):
                wake?.resume()
                var outcome = await handler(delivery, self)
                if case .putOff(let place, let delay, let data) = outcome {
                    outcome = await putOff(delivery, to: place, delay: delay, data: data)
                }
                step = finish(slot, outcome)
                jobs += 1
                if jobs % WorkerCore.jobsBeforeYield == 0 { await Task.yield() }
            case .wait:
                await park(slot)
                step = state.withLock { $0.next(slot) }
            case .replace: return true
            case .stop: return false
            }
        }
    }

    /// Moves a job that its handler has left, and says how the run has ended: the lease is gone, or the move was refused.
    ///
    /// Where nobody can say so, the outcome stays as it was, and the job is given back: it has not failed.
    private func putOff(
        _ delivery: Delivery,
        to place: Move.Place,
        delay: UInt64,
        data: RawPayload?
    ) async -> HandlerOutcome {
        let lease = HeldLease(delivery, self)
        do throws(PenstockError) {
            if try await lease.move(to: place, delay: delay, data: data, client) { return .thrown(JobMoved()) }
            // No child is pending, so nothing would ever wake the job: it runs again in its turn.
            _ = try await lease.move(to: .delayed, data: data, client)
            return .thrown(JobMoved())
        } catch {
            let isRefused = !error.isRetryable && error.code != .outcomeUnknown && error.code != .shutDown
            return isRefused ? .thrown(error) : .putOff(to: place, delay: delay, data: data)
        }
    }

    /// A command that a handler sent has ended its lease: what the handler ends with is of no use any more.
    func ended(_ token: LeaseToken) { state.withLock { $0.ended(token) } }

    private func park(_ slot: Int) async {
        await withCheckedContinuation { waiter in
            state.withLock { $0.park(slot, waiter) }?.resume()
        }
    }

    /// Puts the end of a job on its way, and says what the slot does next.
    private func finish(_ slot: Int, _ outcome: HandlerOutcome) -> Machine.Step {
        var mustWake = false
        var released: LeaseToken?
        let (step, credit) = state.withLock { machine in
            let finish = machine.finish(slot)
            if finish.isHeld {
                // Within the lock, so that at every moment the lease is either held here or its end is in the outbox.
                switch outcome {
                case .completed(let result): mustWake = link.enqueue(Completion(finish.delivery, result))
                case .failed where Task.isCancelled, .putOff: released = finish.delivery.token
                case .failed(let message, let unrecoverable, let delay):
                    mustWake = link.enqueue(
                        Failure(
                            slot: finish.delivery.slot,
                            token: finish.delivery.token,
                            unrecoverable: unrecoverable,
                            delay: delay,
                            message: message
                        )
                    )
                }
            }
            return (machine.next(slot), finish.credit)
        }
        if mustWake { link.wake() }
        if let released { link.release([released]) }
        if let credit { link.credit(id, generation: credit) }
        return step
    }

    // MARK: The end

    /// Fails where the worker had to end because no further job can come.
    func checkFailure() throws(PenstockError) {
        if let error = failure.withLock({ $0 }) { throw error }
    }

    /// Begins no further job, and gives back what was not begun.
    func stop() {
        let (waiters, tokens) = state.withLock { $0.stop() }
        link.release(tokens)
        for waiter in waiters { waiter.resume() }
    }

    /// Cancels what still runs, and gives it back.
    func cancelRunning() {
        let (handles, tokens) = state.withLock { $0.cancelRunning() }
        link.release(tokens)
        for handle in handles { handle.cancel() }
    }
}

extension WorkerCore: LeaseHolder {
    func receive(_ deliveries: [Delivery]) -> [LeaseToken] {
        let (waiter, unwanted) = state.withLock { $0.receive(deliveries) }
        waiter?.resume()
        return unwanted
    }

    func revoke(_ tokens: [LeaseToken]) {
        let tokens = Set(tokens)
        let (handles, credits, generation) = state.withLock { machine in
            let (handles, credits) = machine.revoke(tokens)
            return (handles, credits, machine.generation)
        }
        for handle in handles { handle.cancel() }
        for _ in 0..<credits { link.credit(id, generation: generation) }
    }

    func loseAll() {
        let handles = state.withLock { $0.loseAll() }
        for handle in handles { handle.cancel() }
    }

    func end(_ error: PenstockError) {
        // Whoever has asked for the end before is not told of another reason.
        guard !stopped.hasFired else { return }
        failure.withLock { $0 = $0 ?? error }
        stopped.fire()
    }

    func held() -> HeldLeases { state.withLock { $0.held() } }
}

extension Completion {
    fileprivate init(_ delivery: Delivery, _ result: RawPayload) {
        self.init(
            slot: delivery.slot,
            token: delivery.token,
            contentType: ContentType(rawValue: result.kind.rawValue),
            result: result.bytes
        )
    }
}
