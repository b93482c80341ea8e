import PenstockEngine
import PenstockWire

/// The groups of one queue that have ready jobs: which of them is served next, and with what.
///
/// A round goes upwards over the groups' numbers and then begins again below; each
/// group that has a job gives one in its turn. Where the round stands is `position`.
/// The ring covers the groups from there up to `end`, around the top if need be:
/// each of them that has a ready job, and may be served, is here with a window of
/// its first jobs. All other groups are left to the index, from where they are read
/// once the round comes near. So the group that is served next is exact, however
/// many there are, and memory is bounded:
///
///     groups     ...  17 | 18 | 20 | 31 | 32 | 40  ...
///     served     ...  17 |                               in this round
///     ring               | 18 | 20 | 31 |
///                        ^ position     ^ end: from it on, the index knows
///
/// Where all groups find room, nothing is left to the index, and a group that was
/// served keeps its window for the next round. Where they don't, it is dropped.
///
/// A group at its limit is not here: the owner takes it out, and brings it back.
///
/// Invariants: the groups rise strictly; each is covered, and may have a job.
struct GroupRing {
    /// The round goes on with this group, or the first above it that has a job.
    var position = GroupID.none
    /// The first group that is not covered, upwards from the position; nil where every one is.
    var end: GroupID? = GroupID.none
    /// In the order of their numbers; and for each, where its window is.
    private var groups: [GroupID] = []
    private var slots: [UInt32] = []
    private var windows: [ReadyWindow] = []
    private var vacantSlots: [UInt32] = []
    /// Jobs in all windows.
    private(set) var jobCount = 0

    init() {}

    var groupCount: Int { groups.count }
    var isEmpty: Bool { groups.isEmpty }

    /// There is a job, or there may be one.
    @inline(__always)
    var mayHaveJobs: Bool { !groups.isEmpty || end != nil }

    /// How far above the position the group is, in the order of the round.
    @inline(__always)
    private func distance(_ group: GroupID) -> UInt32 { group.rawValue &- position.rawValue }

    func covers(_ group: GroupID) -> Bool { end.map { distance(group) < distance($0) } ?? true }

    // MARK: The group whose turn it is

    /// The group whose turn it is, its first job, and from where on its window is to be read if that is nil.
    var first: (group: GroupID, item: ReadyWindow.Item?, bound: Turn?)? {
        guard !groups.isEmpty else { return nil }
        let place = firstPlace
        let slot = Int(slots[place])
        return (groups[place], windows[slot].first, windows[slot].bound)
    }

    /// The group whose turn it is has given its first job: the round goes on behind it.
    mutating func serveFirst() {
        let place = firstPlace
        position = GroupID(groups[place].rawValue &+ 1)
        windows[Int(slots[place])].removeFirst()
        jobCount -= 1
        if end != nil || !windows[Int(slots[place])].mayHaveJobs { remove(at: place) }
    }

    /// The first job is not ready any more; the group keeps its turn.
    mutating func dropFirst() {
        let place = firstPlace
        windows[Int(slots[place])].removeFirst()
        jobCount -= 1
        if !windows[Int(slots[place])].mayHaveJobs { remove(at: place) }
    }

    // MARK: What is announced and withdrawn

    /// Takes a ready job in at its turn.
    ///
    /// - Returns: false where it was left to the index, or is here already.
    /// - Complexity: O(log groups), and a move of the groups' numbers where the group is new.
    mutating func insert(_ entry: ReadyEntry, room: Room) -> Bool {
        guard covers(entry.group) else { return false }
        if let place = find(entry.group) {
            let slot = Int(slots[place])
            let count = windows[slot].count
            let capacity = jobCount < room.jobsMax ? count + 1 : max(1, count)
            defer { jobCount += windows[slot].count - count }
            return windows[slot].insert(entry.turn, entry.job, capacity: capacity)
        }
        guard let slot = open(entry.group, room: room) else { return false }
        windows[slot].coverAll()
        jobCount += 1
        return windows[slot].insert(entry.turn, entry.job, capacity: 1)
    }

    /// Takes a job out that is not ready any more.
    mutating func remove(_ entry: ReadyEntry) {
        guard let place = find(entry.group) else { return }
        let slot = Int(slots[place])
        if windows[slot].remove(entry.turn, entry.job) { jobCount -= 1 }
        if !windows[slot].mayHaveJobs { remove(at: place) }
    }

    // MARK: What is read from the index

    /// Makes an empty window of a group that is covered and has none; nil where there is no room, and the groups from it
    /// on are left to the index.
    mutating func open(_ group: GroupID, room: Room) -> Int? {
        if groups.count >= room.groupsMax {
            let last = lastPlace
            guard distance(group) < distance(groups[last]) else {
                end = group
                return nil
            }
            end = groups[last]
            remove(at: last)
        }
        let place = place(of: group)
        let slot: UInt32
        if let vacant = vacantSlots.popLast() {
            slot = vacant
        } else {
            slot = UInt32(windows.count)
            windows.append(ReadyWindow())
        }
        groups.insert(group, at: place)
        slots.insert(slot, at: place)
        return Int(slot)
    }

    /// Takes a job of the window that was read from the index, from its bound on and in order.
    mutating func extend(_ slot: Int, _ turn: Turn, _ job: JobID) {
        windows[slot].extend(turn, job)
        jobCount += 1
    }

    /// The index was read through `turn`, or, where that is nil, to the end of the group.
    ///
    /// - Returns: false where the group has no job.
    mutating func cover(_ group: GroupID, through turn: Turn?) -> Bool {
        guard let place = find(group) else { return false }
        let slot = Int(slots[place])
        if let turn { windows[slot].cover(through: turn) } else { windows[slot].coverAll() }
        if windows[slot].mayHaveJobs { return true }
        remove(at: place)
        return false
    }

    /// The slot of the group's window.
    func slot(of group: GroupID) -> Int? { find(group).map { Int(slots[$0]) } }

    // MARK: What is left to the index

    /// The group may have jobs that are not known here: it is read when its turn comes.
    mutating func reopen(_ group: GroupID, room: Room) {
        if covers(group) && find(group) == nil { _ = open(group, room: room) }
    }

    /// Forgets the group's jobs from the turn on: the index knows better.
    mutating func leaveToIndex(_ group: GroupID, from turn: Turn, room: Room) {
        guard covers(group) else { return }
        guard let place = find(group) else { return reopen(group, room: room) }
        let slot = Int(slots[place])
        let count = windows[slot].count
        windows[slot].leaveToIndex(from: turn)
        jobCount += windows[slot].count - count
    }

    /// The group may not be served now.
    mutating func remove(_ group: GroupID) {
        if let place = find(group) { remove(at: place) }
    }

    /// Covers nothing, and holds no memory. The round stays where it stands.
    mutating func release() {
        let position = position
        self = GroupRing()
        self.position = position
        end = position
    }

    // MARK: Places

    /// The first place whose group is not below `group`.
    private func place(of group: GroupID) -> Int {
        var low = 0
        var high = groups.count
        while low < high {
            let middle = (low &+ high) / 2
            if groups[middle] < group { low = middle &+ 1 } else { high = middle }
        }
        return low
    }

    private func find(_ group: GroupID) -> Int? {
        let place = place(of: group)
        return place < groups.count && groups[place] == group ? place : nil
    }

    private var firstPlace: Int {
        let place = place(of: position)
        return place == groups.count ? 0 : place
    }

    /// The place of the group that the round comes to last.
    private var lastPlace: Int {
        let place = place(of: position)
        return place == 0 ? groups.count - 1 : place - 1
    }

    private mutating func remove(at place: Int) {
        let slot = Int(slots[place])
        jobCount -= windows[slot].count
        if windows[slot].capacityHeld > GroupRing.keptCountMax {
            windows[slot].release()
        } else {
            windows[slot].leaveToIndex(from: .first)
        }
        vacantSlots.append(slots[place])
        groups.remove(at: place)
        slots.remove(at: place)
    }

    /// Jobs for which the memory of a window that is not used is kept.
    private static let keptCountMax = 8

    /// Traps where groups and windows disagree. For tests.
    func checkInvariants() {
        precondition(groups.count == slots.count && slots.count + vacantSlots.count == windows.count)
        precondition(Set(slots + vacantSlots).count == windows.count)
        var jobs = 0
        for place in groups.indices {
            if place > 0 { precondition(groups[place - 1] < groups[place]) }
            precondition(covers(groups[place]))
            let window = windows[Int(slots[place])]
            window.checkInvariants()
            precondition(window.mayHaveJobs)
            jobs += window.count
        }
        precondition(jobs == jobCount)
        for slot in vacantSlots { precondition(windows[Int(slot)].isEmpty && windows[Int(slot)].bound == .first) }
    }
}

extension GroupRing {
    /// How much a ring may hold: of the jobs that one window may, each group has one, and they share the rest.
    struct Room {
        let groupsMax: Int
        /// Beyond so many, a window takes no more than its first job.
        let jobsMax: Int
        /// Groups that one look at the index reads: each may be a search of its own.
        let groupsPerRead: Int

        init(windowCapacity: Int, refillEntriesMax: Int) {
            groupsMax = max(1, windowCapacity / 4)
            jobsMax = windowCapacity - groupsMax
            groupsPerRead = min(groupsMax, max(1, refillEntriesMax / 4))
        }
    }

    /// There are groups that were not read, and room for them.
    func wantsGroups(_ room: Room) -> Bool {
        end != nil && (groups.isEmpty || groups.count + room.groupsPerRead <= room.groupsMax)
    }

    /// How many jobs of a group may be read now.
    func share(_ room: Room) -> Int { max(1, min(room.jobsMax - jobCount, room.jobsMax / max(1, groups.count))) }
}
