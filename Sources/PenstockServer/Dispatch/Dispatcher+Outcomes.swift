import PenstockEngine
import PenstockWire

/// A lease that a durable command took away: its worker is to be told.
struct Revocation {
    let slot: UInt32
    let lease: Lease
    /// Where its deliveries went; nil where the subscription is gone.
    let stream: UInt32?
}

extension Dispatcher {
    /// Takes in what a commit came to, in the one order that is right: the slots that it freed, the leases that a
    /// command could have ended and did not, the jobs that it took away, the jobs that it made ready.
    ///
    /// The outcomes are told in the order of the commits, each before the next run.
    ///
    /// - Parameter revoked: the leases whose worker is to be told are appended.
    mutating func settle(
        freed: [UInt32],
        kept: [UInt32],
        withdrawn: [ReadyEntry],
        ready: [ReadyEntry],
        revoked: inout [Revocation]
    ) {
        free(freed)
        for slot in kept { leases.goOn(slot) }
        withdraw(withdrawn, revoked: &revoked)
        announce(ready)
    }

    /// The commands that ended these leases are durable.
    mutating func free(_ slots: [UInt32]) {
        for slot in slots {
            let wasPending = leases[slot].phase == .pending
            let lease = leases.free(slot)
            if wasPending { giveBack(lease) }
            freeSlot(of: lease)
            if !disputes.isEmpty { leaveToIndex(slot) }
        }
    }

    /// Commits made these jobs ready, or returned them to their place.
    mutating func announce(_ entries: [ReadyEntry]) {
        for entry in entries {
            let lane = Int(entry.queue.rawValue)
            // Nobody wants them: the index has them.
            if lane >= lanes.count || lanes[lane].subscriptionCount == 0 { continue }
            if let slot = leases.slot(of: entry.job) {
                // A refill saw it before its outcome was told.
                let lease = leases[slot]
                if lease.isEnding && (lease.turn != entry.turn || lease.queue != entry.queue) {
                    disputes.append(Dispute(slot: slot, queue: entry.queue, group: entry.group, turn: entry.turn))
                }
                continue
            }
            if entry.group != .none || lanes[lane].isGrouped {
                announce(entry, inGroupsOf: lane)
                continue
            }
            if lanes[lane].window.insert(entry.turn, entry.job, capacity: windowCapacity) { list(lane) }
        }
    }

    /// Commits took these jobs away: they leave the windows, and their leases end.
    mutating func withdraw(_ entries: [ReadyEntry], revoked: inout [Revocation]) {
        for entry in entries {
            let lane = Int(entry.queue.rawValue)
            if lane < lanes.count {
                if lanes[lane].isGrouped {
                    lanes[lane].ring.remove(entry)
                } else if entry.group == .none {
                    lanes[lane].window.remove(entry.turn, entry.job)
                }
            }
            guard let slot = leases.slot(of: entry.job) else { continue }
            let lease = leases[slot]
            guard lease.turn == entry.turn && lease.queue == entry.queue else {
                // A lease at another turn is younger than this news: a refill saw the job when it was ready again. The
                // command that ends it did not know of the news, and is void: then the job stays where it is.
                if lease.isEnding {
                    disputes.append(Dispute(slot: slot, queue: lease.queue, group: lease.group, turn: lease.turn))
                }
                continue
            }
            switch lease.phase {
            case .reserved, .recalled, .live:
                leases.revoke(slot)
                freeSlot(of: lease)
                let place = subscriptions.place(lease.subscription)
                let stream = place.map { subscriptions.entries[$0].subscription.stream }
                revoked.append(Revocation(slot: slot, lease: lease, stream: stream))
                giveBack(lease)
            case .pending, .finishing:
                // A pending one is void for its command, too, which answers that it is fenced.
                disputes.append(Dispute(slot: slot, queue: entry.queue, group: entry.group, turn: entry.turn))
            }
        }
    }

    /// The slot is free, and the lanes that are disputed for it are read again.
    private mutating func leaveToIndex(_ slot: UInt32) {
        var i = 0
        while i < disputes.count {
            let dispute = disputes[i]
            if dispute.slot == slot {
                disputes.swapAt(i, disputes.count - 1)
                disputes.removeLast()
                let lane = Int(dispute.queue.rawValue)
                if lane < lanes.count { leaveToIndex(lane, dispute.group, from: dispute.turn) }
            } else {
                i += 1
            }
        }
    }
}
