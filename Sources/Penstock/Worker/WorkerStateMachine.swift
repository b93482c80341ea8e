import DequeModule
import PenstockWire

/// Which of a worker's slots runs which job: pure decisions.
///
/// A slot is one long-lived task that runs one job after the other. Slots
/// without a job are *parked*. A delivery wakes one of them; whoever takes a job
/// while more are there wakes the next. At most one woken slot is under way at
/// a time, so a batch of short jobs costs few wakes, and long jobs still get
/// every slot. `Waiter` resumes a parked slot, `Handle` cancels a slot's task.
///
/// A worker that prefetches has more jobs than slots: those in `queue` are
/// reserved, and are told of when they start.
///
/// Slots are opened and closed while the worker runs, as its concurrency
/// changes. The task of a handler that ignores its cancellation is *left
/// behind*: its slot gets another one.
struct WorkerStateMachine<Waiter, Handle> {
    struct Lease {
        var delivery: Delivery
        /// Delivered on a connection that is gone: its credit is not given back by the server.
        var isForeign = false
        /// Why its result is of no use: the server has taken it away, or it was given back.
        var cancellation: JobCancellation?
        /// A command of the handler's own has ended it, and the handler has not returned yet.
        var isEnded = false
        /// Its handler has begun; before that the server can ask for it back.
        var isStarted = false

        var isRevoked: Bool { cancellation != nil }
        /// True while the server can still want to hear of it.
        var isHeld: Bool { !isRevoked && !isEnded }
    }

    struct Slot {
        var lease: Lease?
        var waiter: Waiter?
        var handle: Handle?
        /// The slot's task has been cancelled with its job, and is replaced after it.
        var isCancelled = false
        /// False once the slot has been told to stop.
        var isOpen = true
    }

    enum Step {
        case run(Delivery, wake: Waiter?)
        /// Nothing to do: park.
        case wait
        /// The slot's task was cancelled with its last job; another takes its place.
        case replace
        case stop
    }

    /// What is left to be done for a job that has ended.
    struct Finish {
        /// True where the lease is still held, and the server wants to know of the end.
        var isHeld: Bool
        /// The generation whose subscription gets a credit back from the client.
        var credit: Int?
        /// The slot has another task already.
        var isLeftBehind = false

        static var leftBehind: Finish { Finish(isHeld: false, credit: nil, isLeftBehind: true) }
    }

    var slots: [Slot]
    var queue: Deque<Lease> = []
    var parked: [Int] = []
    /// Slots that nobody works, and that can be opened again.
    private var vacant: [Int] = []
    private var openCount: Int
    /// Slots that a task works.
    private var workingCount = 0
    /// The slot that has been woken and has not looked yet.
    private var waking: Int?
    /// Leases whose handlers ignore their cancellation, and whose slots run others.
    var leftBehind: [LeaseToken: Lease] = [:]
    var generation = 0
    var isStopping = false
    /// No job is taken for the time being.
    private(set) var isPaused = false
    /// Jobs that may run at the same time.
    private(set) var concurrency: Int
    /// The highest that it has been.
    private var concurrencyMax: Int
    /// The concurrency was lowered: more jobs can be under way than may run.
    private var hasShrunk: Bool { concurrency < concurrencyMax }
    /// Jobs that may be here beside those that run.
    let prefetch: Int
    /// A job that a slot has taken has not started yet: ``start(_:)`` says when it does.
    let startsLater: Bool
    /// The worker ends with the first job that it begins.
    let isSingle: Bool
    private(set) var hasBegunJob = false

    init(concurrency: Int, prefetch: Int = 0, startsLater: Bool = false, isSingle: Bool = false) {
        self.prefetch = prefetch
        self.startsLater = startsLater
        slots = Array(repeating: Slot(), count: concurrency)
        openCount = concurrency
        self.concurrency = concurrency
        concurrencyMax = concurrency
        self.isSingle = isSingle
    }

    // MARK: Slots

    mutating func next(_ slot: Int) -> Step {
        if waking == slot { waking = nil }
        if slots[slot].isCancelled {
            slots[slot].isCancelled = false
            slots[slot].handle = nil
            return .replace
        }
        if isStopping || openCount > concurrency {
            slots[slot].isOpen = false
            openCount -= 1
            return .stop
        }
        guard var lease = queue.popFirst() else { return .wait }
        lease.isStarted = !startsLater
        slots[slot].lease = lease
        if isSingle { isStopping = true }
        hasBegunJob = true
        return .run(lease.delivery, wake: wakeNext())
    }

    /// - Returns: the waiter, where there is something to do after all.
    mutating func park(_ slot: Int, _ waiter: Waiter) -> Waiter? {
        if isStopping || openCount > concurrency || !queue.isEmpty { return waiter }
        slots[slot].waiter = waiter
        parked.append(slot)
        return nil
    }

    mutating func finish(_ slot: Int, _ token: LeaseToken) -> Finish {
        if !leftBehind.isEmpty, leftBehind.removeValue(forKey: token) != nil {
            return .leftBehind
        }
        // A server that has delivered one token twice has had two slots left behind for it.
        guard let lease = slots[slot].lease, lease.delivery.token == token else { return .leftBehind }
        slots[slot].lease = nil
        return Finish(isHeld: lease.isHeld, credit: lease.isForeign ? generation : nil)
    }

    /// Keeps what a slot's task is cancelled with.
    /// - Returns: the lease of its job, where that has been taken away before this call.
    mutating func began(_ slot: Int, _ handle: Handle) -> LeaseToken? {
        slots[slot].handle = handle
        return slots[slot].isCancelled ? slots[slot].lease?.delivery.token : nil
    }

    /// A task begins to work a slot.
    /// - Returns: false where there is nothing to be done any more.
    mutating func enter(_ slot: Int) -> Bool {
        if isStopping && slots[slot].isOpen {
            slots[slot].isOpen = false
            openCount -= 1
        }
        guard slots[slot].isOpen else { return false }
        workingCount += 1
        return true
    }

    /// The slot has stopped, and can be opened again.
    mutating func leave(_ slot: Int) {
        workingCount -= 1
        slots[slot] = Slot(isOpen: false)
        vacant.append(slot)
    }

    /// True where no slot runs, and none will.
    var isDrained: Bool { isStopping && workingCount == 0 }

    /// A command of the handler's own has ended the lease; the handler runs on, for what it has left to do.
    mutating func ended(_ token: LeaseToken) {
        guard let slot = slots.firstIndex(where: { $0.lease?.delivery.token == token }) else { return }
        slots[slot].lease?.isEnded = true
    }

    mutating func wakeNext() -> Waiter? {
        guard waking == nil, !queue.isEmpty, let slot = parked.popLast() else { return nil }
        waking = slot
        defer { slots[slot].waiter = nil }
        return slots[slot].waiter
    }

    // MARK: Concurrency

    /// Leases that go back to the server, unused.
    struct Returned {
        var tokens: [LeaseToken] = []
        /// Credits that the client gives back for those of an earlier connection.
        var credits = 0

        init() {}

        init(_ leases: some Collection<Lease>) {
            tokens = leases.map(\.delivery.token)
            credits = leases.count { $0.isForeign }
        }
    }

    /// What a change of the concurrency leads to.
    struct Change {
        /// Slots that are to be worked from now on.
        var open: [Int] = []
        /// Slots that are to look whether they stop.
        var wake: [Waiter] = []
        /// Leases to give back: they could not be run now.
        var returned = Returned()
    }

    mutating func setConcurrency(_ concurrency: Int) -> Change {
        self.concurrency = concurrency
        concurrencyMax = max(concurrencyMax, concurrency)
        var change = Change()
        if isStopping { return change }
        while openCount < concurrency {
            openCount += 1
            if let slot = vacant.popLast() {
                slots[slot] = Slot()
                change.open.append(slot)
            } else {
                change.open.append(slots.count)
                slots.append(Slot())
            }
        }
        for _ in 0..<max(0, openCount - concurrency) {
            guard let slot = parked.popLast() else { break }
            if let waiter = slots[slot].waiter { change.wake.append(waiter) }
            slots[slot].waiter = nil
        }
        change.returned = takeSurplus()
        return change
    }

    mutating func pause() -> Returned {
        isPaused = true
        defer { queue.removeAll() }
        return Returned(queue)
    }

    mutating func resume() { isPaused = false }

    /// Jobs that the worker wants to have at the same time.
    var wanted: Int { isPaused ? 0 : concurrency + prefetch }

    /// Takes out the last jobs that have come, as far as they are more than may be here with those that run.
    ///
    /// - Complexity: O(slots), once the concurrency was lowered.
    mutating func takeSurplus() -> Returned {
        guard hasShrunk else { return Returned() }
        let room = concurrency + prefetch - slots.count { $0.lease?.isHeld == true }
        let surplus = queue.dropFirst(max(room, 0))
        defer { queue.removeLast(surplus.count) }
        return Returned(surplus)
    }
}
