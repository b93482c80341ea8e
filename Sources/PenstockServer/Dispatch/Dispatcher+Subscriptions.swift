import PenstockEngine
import PenstockWire

extension Dispatcher {
    /// Begins to serve a subscription. A queue that had none gets a window, which the next run fills.
    ///
    /// - Complexity: O(queues).
    mutating func subscribe(_ subscription: Subscription) -> SubscriptionID {
        precondition(!subscription.queues.isEmpty, "a subscription names a queue")
        let id = subscriptions.insert(subscription)
        for queue in subscription.queues {
            let lane = Int(queue.rawValue)
            addLanes(through: lane)
            if lanes[lane].subscriptionCount == 0 { windowCount += 1 }
            lanes[lane].subscriptionCount += 1
        }
        fitWindows()
        if let place = subscriptions.place(id) { wait(place) }
        return id
    }

    /// Ends a subscription. Its leases stay with the session. A queue that has no other gives its window up.
    mutating func unsubscribe(_ id: SubscriptionID) {
        guard let place = subscriptions.place(id) else { return }
        let entry = subscriptions.remove(at: place)
        for (i, queue) in entry.subscription.queues.enumerated() {
            let lane = Int(queue.rawValue)
            lanes[lane].subscriptionCount -= 1
            if entry.isWaiting[i] { lanes[lane].staleCount += 1 }
            if lanes[lane].subscriptionCount == 0 {
                lanes[lane].release()
                lanes[lane].waiters.removeAll()
                lanes[lane].staleCount = 0
                windowCount -= 1
            } else if lanes[lane].staleCount * 2 > lanes[lane].waiters.count {
                dropStaleWaiters(lane)
            }
        }
        fitWindows()
    }

    /// Ends every subscription of a connection.
    ///
    /// - Complexity: O(subscriptions of the server).
    mutating func unsubscribeAll(ofConnection connection: UInt32) {
        for place in subscriptions.entries.indices where !subscriptions.entries[place].isVacant {
            if subscriptions.entries[place].subscription.connection == connection {
                unsubscribe(subscriptions.id(at: place))
            }
        }
    }

    /// The subscription, or nil where it is gone.
    func subscription(_ id: SubscriptionID) -> Subscription? {
        subscriptions.place(id).map { subscriptions.entries[$0].subscription }
    }

    /// Adds credits, up to the most that a subscription can hold, or takes some back: the ends of leases make up for
    /// what goes below zero.
    mutating func credit(_ id: SubscriptionID, jobs: Int, bytes: Int) {
        guard let place = subscriptions.place(id) else { return }
        let held = subscriptions.entries[place].subscription
        subscriptions.entries[place].subscription.creditJobs = min(held.creditJobs + jobs, Limits.creditJobsMax)
        subscriptions.entries[place].subscription.creditBytes = min(held.creditBytes + bytes, Limits.creditBytesMax)
        wait(place)
    }

    /// The connection has too much unsent output: nothing is granted until ``unblock(_:)``.
    mutating func block(_ id: SubscriptionID) {
        guard let place = subscriptions.place(id) else { return }
        subscriptions.entries[place].subscription.isBlocked = true
    }

    mutating func unblock(_ id: SubscriptionID) {
        guard let place = subscriptions.place(id) else { return }
        subscriptions.entries[place].subscription.isBlocked = false
        wait(place)
    }

    /// Nothing more is granted to it, though it is there until ``unsubscribe(_:)``.
    mutating func close(_ id: SubscriptionID) {
        guard let place = subscriptions.place(id) else { return }
        subscriptions.entries[place].subscription.isClosing = true
    }

    private mutating func dropStaleWaiters(_ lane: Int) {
        var kept = Ring<Lane.Waiter>()
        for i in 0..<lanes[lane].waiters.count {
            let waiter = lanes[lane].waiters[i]
            if subscriptions.place(slot: waiter.slot, generation: waiter.generation) != nil { kept.append(waiter) }
        }
        lanes[lane].waiters = kept
        lanes[lane].staleCount = 0
    }

    /// Keeps the windows together in the budget. Between halving and doubling lies a factor of four, so that a
    /// subscription that comes and goes moves nothing.
    ///
    /// - Complexity: O(1), and O(queues) where the capacity is halved.
    private mutating func fitWindows() {
        var isSmaller = false
        while windowCount * windowCapacity > configuration.entriesMax && windowCapacity > 1 {
            windowCapacity /= 2
            isSmaller = true
        }
        while windowCount * windowCapacity * 4 <= configuration.entriesMax
            && windowCapacity * 2 <= configuration.windowEntriesMax
        {
            windowCapacity *= 2
        }
        if isSmaller {
            for lane in lanes.indices {
                lanes[lane].window.trim(to: windowCapacity)
                guard lanes[lane].isGrouped else { continue }
                lanes[lane].ring.release()
                list(lane)
            }
        }
    }
}
