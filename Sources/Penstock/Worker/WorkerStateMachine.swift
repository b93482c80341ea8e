import DequeModule
import PenstockWire

/// Which of a worker's slots runs which job: pure decisions.
///
/// A slot is one long-lived task that runs one job after the other. Slots
/// without a job are *parked*. A delivery wakes one of them; whoever takes a job
/// while more are there wakes the next. At most one woken slot is under way at
/// a time, so a batch of short jobs costs few wakes, and long jobs still get
/// every slot. `Waiter` resumes a parked slot, `Handle` cancels a slot's task.
struct WorkerStateMachine<Waiter, Handle> {
    struct Lease {
        var delivery: Delivery
        /// Delivered on a connection that is gone: its credit is not given back by the server.
        var isForeign = false
        /// The server has taken it away, or it was given back: its result is of no use.
        var isRevoked = false
        /// A command of the handler's own has ended it, and the handler has not returned yet.
        var isEnded = false

        /// True while the server can still want to hear of it.
        var isHeld: Bool { !isRevoked && !isEnded }
    }

    struct Slot {
        var lease: Lease?
        var waiter: Waiter?
        var handle: Handle?
        /// The slot's task has been cancelled with its job, and is replaced after it.
        var isCancelled = false
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
        var delivery: Delivery
        /// True where the lease is still held, and the server wants to know of the end.
        var isHeld: Bool
        /// The generation whose subscription gets a credit back from the client.
        var credit: Int?
    }

    private(set) var slots: [Slot]
    private(set) var queue: Deque<Lease> = []
    private var parked: [Int] = []
    /// The slot that has been woken and has not looked yet.
    private var waking: Int?
    private(set) var generation = 0
    private(set) var isStopping = false

    init(concurrency: Int) {
        slots = Array(repeating: Slot(), count: concurrency)
    }

    // MARK: Slots

    mutating func next(_ slot: Int) -> Step {
        if waking == slot { waking = nil }
        if slots[slot].isCancelled {
            slots[slot].isCancelled = false
            slots[slot].handle = nil
            return .replace
        }
        if isStopping { return .stop }
        guard let lease = queue.popFirst() else { return .wait }
        slots[slot].lease = lease
        return .run(lease.delivery, wake: wakeNext())
    }

    /// - Returns: the waiter, where there is something to do after all.
    mutating func park(_ slot: Int, _ waiter: Waiter) -> Waiter? {
        if isStopping || !queue.isEmpty { return waiter }
        slots[slot].waiter = waiter
        parked.append(slot)
        return nil
    }

    mutating func finish(_ slot: Int) -> Finish {
        guard let lease = slots[slot].lease else { preconditionFailure("a slot without a job has ended one") }
        slots[slot].lease = nil
        return Finish(
            delivery: lease.delivery,
            isHeld: lease.isHeld,
            credit: lease.isForeign ? generation : nil
        )
    }

    /// Keeps what a slot's task is cancelled with.
    /// - Returns: true where its job has been taken away before this call.
    mutating func began(_ slot: Int, _ handle: Handle) -> Bool {
        slots[slot].handle = handle
        return slots[slot].isCancelled
    }

    /// A command of the handler's own has ended the lease; the handler runs on, for what it has left to do.
    mutating func ended(_ token: LeaseToken) {
        guard let slot = slots.firstIndex(where: { $0.lease?.delivery.token == token }) else { return }
        slots[slot].lease?.isEnded = true
    }

    private mutating func wakeNext() -> Waiter? {
        guard waking == nil, !queue.isEmpty, let slot = parked.popLast() else { return nil }
        waking = slot
        defer { slots[slot].waiter = nil }
        return slots[slot].waiter
    }

    // MARK: The session

    mutating func receive(_ deliveries: [Delivery]) -> (wake: Waiter?, unwanted: [LeaseToken]) {
        if isStopping { return (nil, deliveries.map(\.token)) }
        for delivery in deliveries { queue.append(Lease(delivery: delivery)) }
        return (wakeNext(), [])
    }

    /// The leases that are held, all of them now from an earlier connection.
    mutating func held() -> HeldLeases {
        generation += 1
        var tokens: [LeaseToken] = []
        for index in queue.indices {
            queue[index].isForeign = true
            tokens.append(queue[index].delivery.token)
        }
        for index in slots.indices where slots[index].lease?.isHeld == true {
            slots[index].lease?.isForeign = true
            if let lease = slots[index].lease { tokens.append(lease.delivery.token) }
        }
        return HeldLeases(generation: generation, tokens: tokens)
    }

    /// - Returns: the tasks to cancel, and how many credits the client gives back at once.
    mutating func revoke(_ tokens: Set<LeaseToken>) -> (cancel: [Handle], credits: Int) {
        var handles: [Handle] = []
        for index in slots.indices {
            guard let lease = slots[index].lease, !lease.isRevoked, tokens.contains(lease.delivery.token) else {
                continue
            }
            if let handle = cancel(index) { handles.append(handle) }
        }
        let credits = queue.count { $0.isForeign && tokens.contains($0.delivery.token) }
        queue.removeAll { tokens.contains($0.delivery.token) }
        return (handles, credits)
    }

    /// Every lease is lost, and with it every debt of credits.
    mutating func loseAll() -> [Handle] {
        generation += 1
        queue.removeAll()
        var handles: [Handle] = []
        for index in slots.indices where slots[index].lease != nil {
            slots[index].lease?.isForeign = false
            if slots[index].lease?.isHeld == true, let handle = cancel(index) { handles.append(handle) }
        }
        return handles
    }

    private mutating func cancel(_ slot: Int) -> Handle? {
        slots[slot].lease?.isRevoked = true
        slots[slot].isCancelled = true
        return slots[slot].handle
    }

    // MARK: The end

    /// No job is begun from now on.
    /// - Returns: the slots to wake, and the leases to give back.
    mutating func stop() -> (wake: [Waiter], release: [LeaseToken]) {
        isStopping = true
        let tokens = queue.map(\.delivery.token)
        queue.removeAll()
        let waiters = parked.compactMap { slots[$0].waiter }
        for slot in parked { slots[slot].waiter = nil }
        parked.removeAll()
        return (waiters, tokens)
    }

    /// Gives up the jobs that still run.
    mutating func cancelRunning() -> (cancel: [Handle], release: [LeaseToken]) {
        var handles: [Handle] = []
        var tokens: [LeaseToken] = []
        for index in slots.indices {
            guard let lease = slots[index].lease, !lease.isRevoked else { continue }
            if lease.isHeld { tokens.append(lease.delivery.token) }
            if let handle = cancel(index) { handles.append(handle) }
        }
        return (handles, tokens)
    }
}
