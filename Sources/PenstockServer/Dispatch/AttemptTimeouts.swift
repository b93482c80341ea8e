import PenstockWire

/// When the attempts of jobs with a timeout have to have ended: a heap, the next one first.
///
/// An attempt that ends in time leaves its entry behind; those are dropped
/// together when they are many, so that the heap is never much larger than the
/// number of leases.
struct AttemptTimeouts {
    struct Entry {
        /// Milliseconds of the monotonic clock.
        var deadline: UInt64
        var token: LeaseToken
        var slot: UInt32
    }

    private var heap: [Entry] = []
    /// Entries beyond which it is worth a look for old ones.
    private var sweepCount = AttemptTimeouts.sweepCountMin
    private static let sweepCountMin = 1024

    /// When a timer is to look; `.max` where there is nothing to look for.
    var next: UInt64 { heap.first?.deadline ?? .max }
    var count: Int { heap.count }
    var isDueForSweep: Bool { heap.count > sweepCount }

    /// - Complexity: O(log count).
    mutating func add(_ entry: Entry) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].deadline < heap[parent].deadline else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes the first entry if its time has come.
    ///
    /// - Complexity: O(log count).
    mutating func takeExpired(now: UInt64) -> Entry? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink(0)
        }
        return first
    }

    private mutating func sink(_ start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].deadline < heap[least].deadline { least = child }
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    /// Keeps the entries whose attempt still runs.
    ///
    /// - Complexity: O(count).
    mutating func sweep(_ isRunning: (Entry) -> Bool) {
        heap.removeAll { !isRunning($0) }
        for parent in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sink(parent) }
        sweepCount = max(AttemptTimeouts.sweepCountMin, 2 * heap.count)
    }

    /// Moves every deadline by the time for which the server was frozen.
    mutating func shift(by gap: UInt64) {
        for index in heap.indices { heap[index].deadline &+= gap }
    }
}

extension Dispatcher {
    /// Bounds the lease's attempt, which has to end at the deadline.
    mutating func limit(_ slot: UInt32, until deadline: UInt64) {
        leases.limit(slot, until: deadline)
        timeouts.add(AttemptTimeouts.Entry(deadline: deadline, token: leases[slot].token, slot: slot))
        guard timeouts.isDueForSweep else { return }
        var swept = timeouts
        timeouts = AttemptTimeouts()
        swept.sweep { leases.holds($0.slot, $0.token) }
        timeouts = swept
    }

    /// Milliseconds after which an attempt is looked at again that a command may just be ending.
    private static let pendingMilliseconds: UInt64 = 20

    /// The slot of a live lease whose attempt has taken too long; nil where there is none.
    mutating func takeTimedOut(now: UInt64) -> UInt32? {
        while var entry = timeouts.takeExpired(now: now) {
            guard leases.holds(entry.slot, entry.token) else { continue }
            switch leases[entry.slot].phase {
            case .live: return entry.slot
            // The time of a reserved job has not begun.
            case .reserved, .recalled, .finishing: continue
            case .pending:
                // The lease may go on; the command's outcome is not far.
                entry.deadline = now + Dispatcher.pendingMilliseconds
                timeouts.add(entry)
            }
        }
        return nil
    }

    /// Moves the deadlines of all leases by the time for which the server was frozen.
    mutating func shift(by gap: UInt64) {
        leases.shift(by: gap)
        timeouts.shift(by: gap)
    }
}
