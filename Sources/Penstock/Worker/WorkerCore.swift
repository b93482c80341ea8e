import Logging
import PenstockWire
import Synchronization

/// A worker's slots and the session that feeds them.
final class WorkerCore: Sendable {
    /// Runs a job and returns its result, encoded.
    typealias Handler = @Sendable (Delivery, WorkerCore) async throws -> RawPayload
    typealias Machine = WorkerStateMachine<CheckedContinuation<Void, Never>, SlotTask>

    /// What cancels a slot's task, and what tells that nobody waits for it any more.
    struct SlotTask: Sendable {
        let task: Task<Void, Never>
        let isOver: OneShot
    }

    /// Jobs that a slot runs before it lets other tasks of the process have its thread.
    private static let jobsBeforeYield = 128

    let id: WorkerID
    let client: PenstockClient
    let queues: [String]
    let options: Worker.Options
    private let isSingle: Bool
    private let handler: Handler
    /// Who runs several jobs at once; nil where each slot runs its own.
    let gatherer: (any JobGatherer)?
    let state: Mutex<Machine>
    /// Fired when the worker is to end.
    let stopped = OneShot()
    /// Fired when its last slot has ended.
    let drained = OneShot()
    /// Slots that are to be worked, beside those at the beginning.
    let opened: AsyncStream<Int>
    private let opening: AsyncStream<Int>.Continuation
    /// True once the server has been asked for jobs.
    let hasSubscribed = Atomic<Bool>(false)
    /// Why no further job can come, or why the end of a single one is not stored; nil as long as neither is known.
    let failure = Mutex<PenstockError?>(nil)
    /// True once the session knows the worker. Held while it is told of a change, so that it hears of them in their order.
    private let hasBegun = Mutex(false)

    var link: Link { client.workerLink }

    init(
        _ client: PenstockClient,
        queues: [String],
        concurrency: Int,
        options: Worker.Options,
        startsLater: Bool = false,
        isSingle: Bool = false,
        gatherer: (any JobGatherer)? = nil,
        handler: @escaping Handler
    ) {
        id = client.newWorkerID()
        self.client = client
        self.queues = queues
        self.options = options
        self.isSingle = isSingle
        self.gatherer = gatherer
        self.handler = MiddlewareChain.handler(options.middleware, around: handler)
        state = Mutex(
            Machine(
                concurrency: concurrency,
                prefetch: options.prefetch,
                startsLater: startsLater,
                isSingle: isSingle
            )
        )
        (opened, opening) = AsyncStream.makeStream()
    }

    // MARK: Slots

    /// Keeps one slot at work until it is closed.
    ///
    /// The slot's task can be cancelled with its job, or be left behind with a handler that ignores that; then another
    /// one takes its place.
    func runSlot(_ slot: Int) async {
        guard state.withLock({ $0.enter(slot) }) else { return }
        while state.withLock({ $0.slots[slot].isOpen }) {
            let isOver = OneShot()
            let task = Task {
                await work(slot)
                isOver.fire()
            }
            if let token = state.withLock({ $0.began(slot, SlotTask(task: task, isOver: isOver)) }) {
                task.cancel()
                giveGrace([token])
            }
            await isOver.wait()
        }
        let isDrained = state.withLock { machine in
            machine.leave(slot)
            return machine.isDrained
        }
        if isDrained { drained.fire() }
    }

    /// Runs one job after the other, until the slot is closed or its task is of no use any more.
    private func work(_ slot: Int) async {
        var step = next(slot)
        var jobs = 0
        while true {
            switch step {
            case .run(let delivery, let wake):
                wake?.resume()
                guard let next = finish(slot, delivery, await run(delivery)) else { return }
                step = next
                jobs += 1
                if jobs % WorkerCore.jobsBeforeYield == 0 { await Task.yield() }
            case .wait:
                await park(slot)
                step = next(slot)
            case .replace, .stop: return
            }
        }
    }

    private func next(_ slot: Int) -> Machine.Step {
        var mustWake = false
        let step = state.withLock { self.next(slot, &$0, &mustWake) }
        if mustWake { link.wake() }
        return step
    }

    /// What the slot does next. That it begins a reserved job is put on its way within the lock, so that no end of the
    /// worker's overtakes it.
    private func next(_ slot: Int, _ machine: inout Machine, _ mustWake: inout Bool) -> Machine.Step {
        let step = machine.next(slot)
        if case .run(let delivery, _) = step, machine.prefetch > 0, !machine.startsLater,
            link.enqueue(Started.Lease(delivery))
        {
            mustWake = true
        }
        return step
    }

    /// The handler of jobs that slots have taken before begins now.
    func start(_ deliveries: [Delivery]) {
        guard options.prefetch > 0 else { return }
        var mustWake = false
        state.withLock { machine in
            for lease in machine.start(Set(deliveries.map(\.token))) where link.enqueue(lease) { mustWake = true }
        }
        if mustWake { link.wake() }
    }

    private func park(_ slot: Int) async {
        await withCheckedContinuation { waiter in
            state.withLock { $0.park(slot, waiter) }?.resume()
        }
    }

    private func run(_ delivery: Delivery) async -> HandlerOutcome {
        if isSingle {
            askToStop()
            // Its end gives the credit back, and no further job is to come for that.
            await link.end(id)
        }
        var outcome: HandlerOutcome
        do {
            outcome = .completed(try await handler(delivery, self))
        } catch {
            outcome = .thrown(error)
        }
        if case .putOff(let place, let delay, let data) = outcome {
            outcome = await putOff(delivery, to: place, delay: delay, data: data)
        }
        if isSingle { await settle(delivery, outcome) }
        return outcome
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
            if isRefused { return .thrown(error) }
            if state.withLock({ $0.isHeld(delivery.token) }) {
                client.logger.warning(
                    "It is not known whether a job could be put off: it is given back",
                    metadata: ["job": "\(delivery.job)", "job-name": "\(delivery.name)", "error": "\(error)"]
                )
                fail(error)
            }
            return .putOff(to: place, delay: delay, data: data)
        }
    }

    /// Tells the server of the end of a single job, and waits until that is stored.
    private func settle(_ delivery: Delivery, _ outcome: HandlerOutcome) async {
        guard state.withLock({ $0.isHeld(delivery.token) }), !Task.isCancelled else { return noteLoss(delivery.token) }
        let lease = HeldLease(delivery, self)
        do throws(PenstockError) {
            switch outcome {
            case .completed(let result): try await lease.end(Completion(delivery, result), client)
            case .failed(let message, let unrecoverable, let delay):
                try await lease.end(Failure(delivery, message, unrecoverable: unrecoverable, delay: delay), client)
            case .putOff, .givenBack: break
            }
        } catch {
            // The job was taken away while its end was on the way: the same as a moment before.
            if error.code == .cancelled, !state.withLock({ $0.isHeld(delivery.token) }) {
                noteLoss(delivery.token)
            } else {
                fail(error)
            }
        }
    }

    /// The end of a single job can't be stored any more, where it was taken away by others than the worker itself.
    private func noteLoss(_ token: LeaseToken) {
        guard let cancellation = cancellation(of: token), cancellation.reason != .workerStopped else { return }
        fail(PenstockError(.fenced, "The lease of the job was lost before its end: \(cancellation)."))
    }

    /// Why the end of a single job is not stored.
    private func fail(_ error: PenstockError) {
        if isSingle { failure.withLock { $0 = $0 ?? error } }
    }

    /// A command that a handler sent has ended its lease: what the handler ends with is of no use any more.
    func ended(_ token: LeaseToken) { state.withLock { $0.ended(token) } }

    /// Why the handler of a lease is to end.
    func cancellation(of token: LeaseToken) -> JobCancellation? { state.withLock { $0.cancellation(of: token) } }

    /// Puts the end of a job on its way, and says what the slot does next; nil where the slot has another task already.
    private func finish(_ slot: Int, _ delivery: Delivery, _ outcome: HandlerOutcome) -> Machine.Step? {
        var mustWake = false
        var released: LeaseToken?
        let (step, credit) = state.withLock { machine -> (Machine.Step?, Int?) in
            let finish = machine.finish(slot, delivery.token)
            if finish.isLeftBehind { return (nil, nil) }
            if finish.isHeld {
                // Within the lock, so that at every moment the lease is either held here or its end is in the outbox.
                switch outcome {
                case .completed(let result): mustWake = link.enqueue(Completion(delivery, result))
                case .putOff, .givenBack: released = delivery.token
                case .failed(let message, let unrecoverable, let delay):
                    mustWake = link.enqueue(Failure(delivery, message, unrecoverable: unrecoverable, delay: delay))
                }
            }
            return (self.next(slot, &machine, &mustWake), finish.credit)
        }
        if mustWake { link.wake() }
        if let released { link.release([released]) }
        if let credit { link.credit(id, generation: credit, count: 1) }
        return step
    }

    // MARK: Cancelled handlers

    /// Cancels tasks, and gives them their grace.
    func cancel(_ cancelled: Machine.Cancelled) {
        for handle in cancelled.handles { handle.task.cancel() }
        giveGrace(cancelled.tokens)
    }

    /// After a while the slots of cancelled handlers are given free, whatever the handlers do.
    private func giveGrace(_ tokens: [LeaseToken]) {
        if tokens.isEmpty { return }
        link.after(options.cancellationGrace) { self.leaveBehind(tokens) }
    }

    private func leaveBehind(_ tokens: [LeaseToken]) {
        let (tasks, jobs, credits, generation) = state.withLock { machine in
            let (tasks, jobs, credits) = machine.leaveBehind(tokens)
            return (tasks, jobs, credits, machine.generation)
        }
        for job in jobs {
            noteLoss(job.token)
            client.logger.warning(
                "A handler goes on although its job was taken away: another job runs in its place",
                metadata: ["job": "\(job.job)", "job-name": "\(job.name)", "grace": "\(options.cancellationGrace)"]
            )
        }
        for task in tasks { task.isOver.fire() }
        link.credit(id, generation: generation, count: credits)
    }

    // MARK: Concurrency

    var concurrency: Int { state.withLock { $0.concurrency } }

    func setConcurrency(_ concurrency: Int) {
        hasBegun.withLock { hasBegun in
            let (change, generation, wanted) = state.withLock {
                ($0.setConcurrency(concurrency), $0.generation, $0.wanted)
            }
            gatherer?.setConcurrency(jobs: concurrency)
            guard hasBegun else { return }
            for slot in change.open { opening.yield(slot) }
            for waiter in change.wake { waiter.resume() }
            link.resize(id, concurrency: wanted)
            giveBack(change.returned, generation)
        }
    }

    func pause() {
        hasBegun.withLock { hasBegun in
            let (returned, generation) = state.withLock { ($0.pause(), $0.generation) }
            if hasBegun { link.resize(id, concurrency: 0) }
            gatherer?.pause()
            guard hasBegun else { return }
            giveBack(returned, generation)
        }
    }

    func resume() {
        hasBegun.withLock { hasBegun in
            let wanted = state.withLock { machine in
                machine.resume()
                return machine.wanted
            }
            gatherer?.resume()
            if hasBegun { link.resize(id, concurrency: wanted) }
        }
    }

    private func giveBack(_ returned: Machine.Returned, _ generation: Int) {
        link.release(returned.tokens)
        link.credit(id, generation: generation, count: returned.credits)
    }

    // MARK: The beginning and the end

    /// Asks for jobs.
    /// - Returns: the slots to work.
    func begin(_ subscription: Subscription) -> Range<Int> {
        hasBegun.withLock { hasBegun in
            var subscription = subscription
            let slots = state.withLock { machine in
                subscription.concurrency = machine.wanted
                return machine.slots.indices
            }
            subscription.credits = subscription.concurrency
            link.begin(id, subscription, self)
            hasBegun = true
            return slots
        }
    }

    /// Asks for the end.
    func askToStop() {
        stopped.fire()
        opening.finish()
    }

    /// Fails where the worker had to end because no further job can come, and where the end of a single job is not stored.
    func checkFailure() throws(PenstockError) {
        if let error = failure.withLock({ $0 }) { throw error }
        if isSingle && !hasSubscribed.load(ordering: .relaxed) { throw .notReached }
    }

    /// Begins no further job, and gives back what was not begun.
    func stop() {
        let (waiters, tokens, isDrained) = state.withLock { machine in
            let (waiters, tokens) = machine.stop()
            return (waiters, tokens, machine.isDrained)
        }
        link.release(tokens)
        gatherer?.stop()
        for waiter in waiters { waiter.resume() }
        if isDrained { drained.fire() }
    }

    /// Cancels what still runs, and gives it back.
    func cancelRunning() {
        let (cancelled, tokens) = state.withLock { machine in
            let (cancelled, tokens) = machine.cancelRunning()
            return (cancelled, tokens)
        }
        link.release(tokens)
        cancel(cancelled)
        gatherer?.cancelRunning()
    }
}
