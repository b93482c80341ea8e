/// The subscriptions by slot, and what the dispatcher notes of each.
struct SubscriptionTable: ~Copyable {
    struct Entry {
        var subscription: Subscription
        var generation: UInt32
        var isVacant = false
        /// For each of its queues: it stands in that lane's row of waiters.
        var isWaiting: [Bool]
        var waitingCount = 0
        /// The index of the queue that it takes a job from next, if there is one.
        var next = 0
        /// Jobs that `next` has given in its turn.
        var given: UInt8 = 0

        /// A job came from the queue. Its turn ends when it has given as many as it weighs.
        @inline(__always)
        mutating func took(from queue: Int) {
            if queue != next {
                next = queue
                given = 0
            }
            given &+= 1
            if subscription.weights.isEmpty || given >= subscription.weights[queue] {
                next = queue &+ 1 == isWaiting.count ? 0 : queue &+ 1
                given = 0
            }
        }
    }

    var entries: [Entry] = []
    private var vacantSlots: [UInt32] = []
    private var generation: UInt32 = 0

    init() {}

    var count: Int { entries.count - vacantSlots.count }

    /// The entry's place, or nil where the subscription is gone.
    @inline(__always)
    func place(_ id: SubscriptionID) -> Int? { place(slot: id.slot, generation: id.generation) }

    @inline(__always)
    func place(slot: UInt32, generation: UInt32) -> Int? {
        let place = Int(slot)
        guard place < entries.count, entries[place].generation == generation, !entries[place].isVacant else {
            return nil
        }
        return place
    }

    func id(at place: Int) -> SubscriptionID {
        SubscriptionID(slot: UInt32(place), generation: entries[place].generation)
    }

    mutating func insert(_ subscription: Subscription) -> SubscriptionID {
        // Drawn for the whole table: a number comes back after 4 billion subscriptions, and 0 never.
        generation = generation == .max ? 1 : generation + 1
        let entry = Entry(
            subscription: subscription,
            generation: generation,
            isWaiting: [Bool](repeating: false, count: subscription.queues.count)
        )
        if let slot = vacantSlots.popLast() {
            entries[Int(slot)] = entry
            return id(at: Int(slot))
        }
        entries.append(entry)
        return id(at: entries.count - 1)
    }

    mutating func remove(at place: Int) -> Entry {
        let entry = entries[place]
        precondition(!entry.isVacant)
        entries[place].isVacant = true
        entries[place].isWaiting = []
        vacantSlots.append(UInt32(place))
        return entry
    }
}
