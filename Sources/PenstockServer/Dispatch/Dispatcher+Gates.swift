import PenstockEngine
import PenstockWire

/// Queues whose grants are held back.
extension Dispatcher {
    /// Takes over what is set of a queue.
    ///
    /// - Complexity: O(1), and O(leases) for a queue of which nothing was set before.
    mutating func set(_ queue: QueueID, to settings: QueueSettings, now: UInt64) {
        let lane = Int(queue.rawValue)
        if lanes.count <= lane && !QueueSettings.standard.gates(like: settings) { addLanes(through: lane) }
        guard lane < lanes.count else { return }
        makeGate(lane)
        lanes[lane].gate?.set(settings)
        if lanes[lane].gate?.isIdle(now: now) == true { lanes[lane].gate = nil }
        open(lane)
        if lanes[lane].gate?.hasConcurrency == true { requestWrites(of: queue) }
    }

    /// Grants nothing of the queue before `time`. What is reserved of it is the caller's to recall.
    mutating func rest(_ queue: QueueID, until time: UInt64) {
        let lane = Int(queue.rawValue)
        addLanes(through: lane)
        makeGate(lane)
        lanes[lane].gate?.rest(until: time)
    }

    /// Milliseconds until a rate lets a job of the queue go.
    func limitedFor(_ queue: QueueID, now: UInt64) -> UInt64 {
        let lane = Int(queue.rawValue)
        guard lane < lanes.count, let opening = lanes[lane].gate?.opening(now: now), opening > now else { return 0 }
        return opening - now
    }

    /// Lists the lanes again whose time has come.
    ///
    /// - Complexity: O(lanes), once for each opening.
    mutating func openDueGates(now: UInt64) {
        guard nextOpening <= now else { return }
        nextOpening = .max
        for lane in lanes.indices where lanes[lane].isShut {
            if case .shutUntil(let time)? = lanes[lane].gate?.ask(now: now) {
                nextOpening = min(nextOpening, time)
            } else {
                if lanes[lane].gate?.isIdle(now: now) == true { lanes[lane].gate = nil }
                open(lane)
            }
        }
    }

    /// Moves what gates wait for by the time for which the server was frozen.
    mutating func shiftGates(by gap: UInt64) {
        for lane in lanes.indices where lanes[lane].gate != nil { lanes[lane].gate?.shift(by: gap) }
        if nextOpening != .max { nextOpening &+= gap }
    }

    /// Takes the leases that are to be written at once, because a slot of their queue must outlast a restart.
    mutating func takeWriteRequests() -> [UInt32] {
        if writeRequests.isEmpty { return [] }
        defer { writeRequests.removeAll() }
        return writeRequests.filter { leases.isLive($0) }
    }

    // MARK: For the run

    /// Asks the lane's gate; one that is shut keeps the lane out of the row.
    mutating func ask(_ lane: Int, now: UInt64) -> Bool {
        guard let answer = lanes[lane].gate?.ask(now: now) else { return true }
        switch answer {
        case .open:
            if lanes[lane].isShut { open(lane) }
            return true
        case .shut: lanes[lane].isShut = true
        case .shutUntil(let time):
            lanes[lane].isShut = true
            nextOpening = min(nextOpening, time)
        }
        return false
    }

    /// A job of the lane was granted; it was the first of its group.
    mutating func pass(_ lane: Int, _ group: GroupID, _ slot: UInt32, now: UInt64) {
        if lanes[lane].isLimited { passGroup(lane, group, slot) }
        lanes[lane].gate?.take(now: now)
        if lanes[lane].gate?.hasConcurrency == true && leases.requestWrite(slot) { writeRequests.append(slot) }
    }

    /// A lease has ended durably.
    @inline(__always)
    mutating func freeSlot(of lease: Lease) {
        let lane = Int(lease.queue.rawValue)
        guard lane < lanes.count else { return }
        if lanes[lane].isLimited { freeSlot(ofGroup: lease.group, lane) }
        guard lanes[lane].gate != nil else { return }
        lanes[lane].gate?.leased -= 1
        if lanes[lane].isShut { open(lane) }
    }

    // MARK: Gates

    private mutating func makeGate(_ lane: Int) {
        guard lanes[lane].gate == nil else { return }
        var leased = 0
        leases.forEachHeld { _, lease in
            if lease.queue.rawValue == UInt32(lane) { leased += 1 }
        }
        lanes[lane].gate = Gate(leased: leased)
    }

    /// The gate may have opened: the lane is asked again.
    private mutating func open(_ lane: Int) {
        lanes[lane].isShut = false
        list(lane)
    }

    private mutating func requestWrites(of queue: QueueID) {
        var slots: [UInt32] = []
        leases.forEachLive(where: { $0.queue == queue }) { slot, _ in slots.append(slot) }
        for slot in slots where leases.requestWrite(slot) { writeRequests.append(slot) }
    }
}

extension QueueSettings {
    /// True where both hold the same grants back.
    fileprivate func gates(like other: QueueSettings) -> Bool {
        isPaused == other.isPaused && concurrency == other.concurrency && rate == other.rate
    }
}
