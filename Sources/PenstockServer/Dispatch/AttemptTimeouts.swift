import HeapModule
import PenstockWire

/// When the attempts of jobs with a timeout have to have ended: a heap, the next one first.
///
/// An attempt that ends in time leaves its entry behind; those are dropped
/// together when they are many, so that the heap is never much larger than the
/// number of leases.
struct AttemptTimeouts {
    struct Entry: Comparable {
        /// Milliseconds of the monotonic clock.
        var deadline: UInt64
        var token: LeaseToken
        var slot: UInt32

        static func < (a: Entry, b: Entry) -> Bool { (a.deadline, a.token) < (b.deadline, b.token) }
    }

    private var heap = Heap<Entry>()
    /// Entries beyond which it is worth a look for old ones.
    private var sweepCount = AttemptTimeouts.sweepCountMin
    private static let sweepCountMin = 1024

    /// When a timer is to look; `.max` where there is nothing to look for.
    var next: UInt64 { heap.min?.deadline ?? .max }
    var count: Int { heap.count }
    var isDueForSweep: Bool { heap.count > sweepCount }

    /// - Complexity: O(log count).
    mutating func add(_ entry: Entry) { heap.insert(entry) }

    /// Takes the first entry if its time has come.
    ///
    /// - Complexity: O(log count).
    mutating func takeExpired(now: UInt64) -> Entry? { next <= now ? heap.popMin() : nil }

    /// Keeps the entries whose attempt still runs.
    ///
    /// - Complexity: O(count).
    mutating func sweep(_ isRunning: (Entry) -> Bool) {
        heap = Heap(heap.unordered.filter(isRunning))
        sweepCount = max(AttemptTimeouts.sweepCountMin, 2 * heap.count)
    }

    /// Moves every deadline by the time for which the server was frozen.
    ///
    /// - Complexity: O(count).
    mutating func shift(by gap: UInt64) {
        heap = Heap(
            heap.unordered.map { entry in
                var entry = entry
                entry.deadline &+= gap
                return entry
            }
        )
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
