import PenstockEngine
import PenstockWire

/// Queues whose jobs have groups: they are served in rounds, with limits for each group.
extension Dispatcher {
    /// How much the ring of one queue may hold.
    var room: GroupRing.Room {
        GroupRing.Room(windowCapacity: windowCapacity, refillEntriesMax: configuration.refillEntriesMax)
    }

    // MARK: Rounds

    /// From now on the lane's jobs are served group by group; its window's jobs are read again.
    mutating func beginRounds(_ lane: Int) {
        lanes[lane].isGrouped = true
        lanes[lane].window.release()
        lanes[lane].ring.release()
        list(lane)
    }

    /// A job is ready in a queue with groups, or is the first one of a queue that has a group.
    mutating func announce(_ entry: ReadyEntry, inGroupsOf lane: Int) {
        if !lanes[lane].isGrouped { return beginRounds(lane) }
        // A group that is full is read when it is not any more.
        if lanes[lane].limits.isFull(entry.group) { return }
        if lanes[lane].ring.insert(entry, room: room) { list(lane) }
    }

    /// What is known of the group from the turn on is read again.
    mutating func leaveToIndex(_ lane: Int, _ group: GroupID, from turn: Turn) {
        if !lanes[lane].isGrouped {
            // When it was looked for groups, this one's only job may have been away.
            if group != .none && lanes[lane].subscriptionCount > 0 { return beginRounds(lane) }
            lanes[lane].window.leaveToIndex(from: turn)
        } else if !lanes[lane].limits.isFull(group) {
            lanes[lane].ring.leaveToIndex(group, from: turn, room: room)
        }
        list(lane)
    }

    /// The group whose turn it is has a job: where that has to be read from the index, after one look for it.
    mutating func hasGroupJob<Source: DispatchSource & ~Copyable & ~Escapable>(
        _ queue: QueueID,
        source: inout Source
    ) -> Bool {
        let lane = Int(queue.rawValue)
        if lanes[lane].ring.wantsGroups(room) { readGroups(queue, source: &source) }
        var hasRead = false
        while let first = lanes[lane].ring.first {
            if first.item != nil { return true }
            if hasRead { return false }
            hasRead = true
            readJobs(queue, of: first.group, from: first.bound ?? .first, source: &source)
        }
        return false
    }

    /// Reads the first jobs of the groups that the round comes to next and that are not known.
    private mutating func readGroups<Source: DispatchSource & ~Copyable & ~Escapable>(
        _ queue: QueueID,
        source: inout Source
    ) {
        let lane = Int(queue.rawValue)
        let room = room
        guard let from = lanes[lane].ring.end else { return }
        let position = lanes[lane].ring.position
        let isAroundTop = from < position
        let last = isAroundTop ? GroupID(position.rawValue - 1) : GroupID(.max)
        let jobs = max(1, min(4, lanes[lane].ring.share(room) / room.groupsPerRead))
        scratch.removeAll(keepingCapacity: true)
        let next = source.readGroups(
            queue: queue,
            from...last,
            groups: room.groupsPerRead,
            jobs: jobs,
            into: &scratch
        )
        // Covered are the groups that were read, with all that is below them.
        lanes[lane].ring.end = next ?? (isAroundTop || position == .none ? nil : GroupID.none)
        var start = 0
        while start < scratch.count {
            let group = scratch[start].group
            var end = start + 1
            while end < scratch.count && scratch[end].group == group { end += 1 }
            take(start..<end, of: group, isWhole: end - start < jobs, lane, room)
            start = end
        }
    }

    /// Takes what was read of a group that is not in the ring.
    private mutating func take(
        _ range: Range<Int>,
        of group: GroupID,
        isWhole: Bool,
        _ lane: Int,
        _ room: GroupRing.Room
    ) {
        if lanes[lane].limits.isFull(group) || !lanes[lane].ring.covers(group) { return }
        guard let slot = lanes[lane].ring.open(group, room: room) else { return }
        extend(range, slot, lane)
        _ = lanes[lane].ring.cover(group, through: isWhole ? nil : scratch[range.upperBound - 1].turn)
    }

    /// Reads on in the group whose turn it is. What has a lease is skipped, so that its window may be empty still.
    private mutating func readJobs<Source: DispatchSource & ~Copyable & ~Escapable>(
        _ queue: QueueID,
        of group: GroupID,
        from bound: Turn,
        source: inout Source
    ) {
        let lane = Int(queue.rawValue)
        guard let slot = lanes[lane].ring.slot(of: group) else { return }
        scratch.removeAll(keepingCapacity: true)
        let limit = min(lanes[lane].ring.share(room), configuration.refillEntriesMax)
        let isExhausted = source.read(queue: queue, group: group, from: bound, limit: limit, into: &scratch)
        precondition(scratch.count <= limit && (isExhausted || !scratch.isEmpty), "a source reads what there is")
        extend(0..<scratch.count, slot, lane)
        _ = lanes[lane].ring.cover(group, through: isExhausted ? nil : scratch[scratch.count - 1].turn)
    }

    private mutating func extend(_ range: Range<Int>, _ slot: Int, _ lane: Int) {
        for i in range where leases.slot(of: scratch[i].job) == nil {
            lanes[lane].ring.extend(slot, scratch[i].turn, scratch[i].job)
        }
    }

    // MARK: Limits

    /// Bounds the jobs of a group that run at a time, or, by group 0, of each group that has no limit of its own.
    ///
    /// - Parameter concurrency: 0: any number.
    /// - Complexity: O(leases).
    mutating func set(_ queue: QueueID, _ group: GroupID, concurrency: UInt32) {
        let lane = Int(queue.rawValue)
        if concurrency > 0 { addLanes(through: lane) }
        guard lane < lanes.count else { return }
        makeLimits(lane)
        lanes[lane].limits.set(group, to: Int(concurrency))
        if lanes[lane].isGrouped { look(lane, group) }
        if lanes[lane].limits.isIdle {
            lanes[lane].isLimited = false
            lanes[lane].limits = GroupLimits()
        } else {
            requestWritesInGroups(of: queue)
        }
    }

    /// The limit of the group is another one.
    private mutating func look(_ lane: Int, _ group: GroupID) {
        if group == .none {
            // Any of them may be full now, or not any more: all are read again.
            lanes[lane].ring.release()
        } else if lanes[lane].limits.isFull(group) {
            lanes[lane].ring.remove(group)
        } else {
            lanes[lane].ring.reopen(group, room: room)
        }
        list(lane)
    }

    private mutating func makeLimits(_ lane: Int) {
        if lanes[lane].isLimited { return }
        lanes[lane].isLimited = true
        var limits = GroupLimits()
        leases.forEachHeld { _, lease in
            if lease.queue.rawValue == UInt32(lane) { limits.take(lease.group) }
        }
        lanes[lane].limits = limits
    }

    /// A job of the group was granted.
    mutating func passGroup(_ lane: Int, _ group: GroupID, _ slot: UInt32) {
        lanes[lane].limits.take(group)
        guard lanes[lane].limits.limit(of: group) > 0 else { return }
        if lanes[lane].limits.isFull(group) { lanes[lane].ring.remove(group) }
        if leases.requestWrite(slot) { writeRequests.append(slot) }
    }

    /// A lease of the group has ended durably: if the group was full, it is served again.
    mutating func freeSlot(ofGroup group: GroupID, _ lane: Int) {
        let wasFull = lanes[lane].limits.isFull(group)
        lanes[lane].limits.free(group)
        if wasFull && lanes[lane].isGrouped && !lanes[lane].limits.isFull(group) {
            lanes[lane].ring.reopen(group, room: room)
            list(lane)
        }
    }

    /// Slots of groups have to outlast a restart.
    private mutating func requestWritesInGroups(of queue: QueueID) {
        let limits = lanes[Int(queue.rawValue)].limits
        var slots: [UInt32] = []
        leases.forEachLive(where: { $0.queue == queue && limits.limit(of: $0.group) > 0 }) { slot, _ in
            slots.append(slot)
        }
        for slot in slots where leases.requestWrite(slot) { writeRequests.append(slot) }
    }
}
