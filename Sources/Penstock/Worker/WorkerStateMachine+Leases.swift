import DequeModule
import PenstockWire

// What happens to the leases that a worker holds: they come, they are taken away, they are given back.

extension WorkerStateMachine {
    /// - Returns: the slot to wake, and what the worker does not want any more.
    mutating func receive(_ deliveries: [Delivery]) -> (wake: Waiter?, unwanted: Returned) {
        if isStopping || isPaused { return (nil, Returned(deliveries.map { Lease(delivery: $0) })) }
        for delivery in deliveries {
            // Of one token that is delivered twice, the end of the one run would be taken for that of the other.
            if !leftBehind.isEmpty, leftBehind[delivery.token] != nil { continue }
            queue.append(Lease(delivery: delivery))
        }
        let surplus = takeSurplus()
        return (wakeNext(), surplus)
    }

    /// The leases that are held, all of them now from an earlier connection.
    mutating func held() -> HeldLeases {
        generation += 1
        var tokens: [LeaseToken] = []
        var started: [Started.Lease] = []
        for index in queue.indices {
            queue[index].isForeign = true
            tokens.append(queue[index].delivery.token)
        }
        for index in slots.indices {
            guard let lease = slots[index].lease else { continue }
            // What is not listed is no debt on the new connection: its credit is among those of the new subscription.
            slots[index].lease?.isForeign = lease.isHeld
            guard lease.isHeld else { continue }
            tokens.append(lease.delivery.token)
            if prefetch > 0 && lease.isStarted { started.append(Started.Lease(lease.delivery)) }
        }
        return HeldLeases(generation: generation, tokens: tokens, started: started)
    }

    // MARK: Reserved jobs

    /// The handler of jobs that slots have taken begins.
    ///
    /// - Returns: the leases of which the server is to be told.
    /// - Complexity: O(slots).
    mutating func start(_ tokens: Set<LeaseToken>) -> [Started.Lease] {
        var started: [Started.Lease] = []
        for index in slots.indices {
            guard let lease = slots[index].lease, lease.isHeld, !lease.isStarted,
                tokens.contains(lease.delivery.token)
            else { continue }
            slots[index].lease?.isStarted = true
            started.append(Started.Lease(lease.delivery))
        }
        return started
    }

    /// The server asks for jobs back: those that have not started go.
    mutating func recall(_ tokens: Set<LeaseToken>) -> (returned: Returned, cancelled: Cancelled) {
        var returned = Returned(queue.filter { tokens.contains($0.delivery.token) })
        queue.removeAll { tokens.contains($0.delivery.token) }
        var cancelled = Cancelled()
        for index in slots.indices {
            guard let lease = slots[index].lease, lease.isHeld, !lease.isStarted,
                tokens.contains(lease.delivery.token)
            else { continue }
            returned.tokens.append(lease.delivery.token)
            cancel(index, .recalled, &cancelled)
        }
        return (returned, cancelled)
    }

    /// Tasks whose jobs are of no use any more.
    struct Cancelled {
        var handles: [Handle] = []
        var tokens: [LeaseToken] = []
    }

    /// - Returns: the tasks to cancel, and how many credits the client gives back at once.
    mutating func revoke(_ cancellations: [LeaseToken: JobCancellation]) -> (cancelled: Cancelled, credits: Int) {
        var cancelled = Cancelled()
        for index in slots.indices {
            guard let lease = slots[index].lease, !lease.isRevoked,
                let cancellation = cancellations[lease.delivery.token]
            else { continue }
            cancel(index, cancellation, &cancelled)
        }
        let credits = queue.count { $0.isForeign && cancellations[$0.delivery.token] != nil }
        queue.removeAll { cancellations[$0.delivery.token] != nil }
        return (cancelled, credits)
    }

    /// Every lease is lost, and with it every debt of credits.
    mutating func loseAll() -> Cancelled {
        generation += 1
        queue.removeAll()
        var cancelled = Cancelled()
        for index in slots.indices where slots[index].lease != nil {
            slots[index].lease?.isForeign = false
            if slots[index].lease?.isHeld == true { cancel(index, .leaseLost, &cancelled) }
        }
        return cancelled
    }

    private mutating func cancel(_ slot: Int, _ cancellation: JobCancellation, _ cancelled: inout Cancelled) {
        slots[slot].lease?.cancellation = cancellation
        slots[slot].isCancelled = true
        // Where the task is not known yet, ``began(_:_:)`` says so.
        guard let handle = slots[slot].handle, let token = slots[slot].lease?.delivery.token else { return }
        cancelled.handles.append(handle)
        cancelled.tokens.append(token)
    }

    /// Why the handler of a lease is to end; nil where it is not.
    ///
    /// - Complexity: O(slots).
    func cancellation(of token: LeaseToken) -> JobCancellation? {
        if let lease = leftBehind[token] { return lease.cancellation }
        return slots.first { $0.lease?.delivery.token == token }?.lease?.cancellation
    }

    /// Gives the slots free whose handlers have not ended in the time that they had.
    ///
    /// - Returns: the tasks that go on without their slots, their jobs, and how many credits the client gives back.
    mutating func leaveBehind(_ tokens: [LeaseToken]) -> (tasks: [Handle], jobs: [Delivery], credits: Int) {
        let tokens = Set(tokens)
        var tasks: [Handle] = []
        var jobs: [Delivery] = []
        var credits = 0
        for index in slots.indices {
            guard let lease = slots[index].lease, lease.isRevoked, tokens.contains(lease.delivery.token),
                let handle = slots[index].handle
            else { continue }
            leftBehind[lease.delivery.token] = lease
            slots[index].lease = nil
            slots[index].handle = nil
            slots[index].isCancelled = false
            tasks.append(handle)
            jobs.append(lease.delivery)
            if lease.isForeign { credits += 1 }
        }
        return (tasks, jobs, credits)
    }

    /// True while the server can still want to hear of the lease.
    func isHeld(_ token: LeaseToken) -> Bool {
        slots.first { $0.lease?.delivery.token == token }?.lease?.isHeld == true
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
    mutating func cancelRunning() -> (cancelled: Cancelled, release: [LeaseToken]) {
        var cancelled = Cancelled()
        var tokens: [LeaseToken] = []
        for index in slots.indices {
            guard let lease = slots[index].lease, !lease.isRevoked else { continue }
            if lease.isHeld { tokens.append(lease.delivery.token) }
            cancel(index, .workerStopped, &cancelled)
        }
        return (cancelled, tokens)
    }
}

extension Started.Lease {
    init(_ delivery: Delivery) { self.init(slot: delivery.slot, token: delivery.token) }
}
