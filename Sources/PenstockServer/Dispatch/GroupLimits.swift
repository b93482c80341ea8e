import PenstockEngine

/// How many jobs of each group of a queue may run at a time, and how many do.
///
/// Only a queue of whose groups something was set has one.
struct GroupLimits {
    /// Of the groups that have no limit of their own; 0: any number. Jobs without a group are not bounded.
    private var standard = 0
    private var own: [GroupID: Int] = [:]
    /// Leases of the groups that have some, whatever their phase: a slot is free when what ended its lease is durable.
    private(set) var leased: [GroupID: Int] = [:]

    init() {}

    /// Nothing is bounded any more.
    var isIdle: Bool { standard == 0 && own.isEmpty }

    /// 0: any number.
    func limit(of group: GroupID) -> Int { group == .none ? 0 : own[group] ?? standard }

    /// As many jobs of the group run as may.
    func isFull(_ group: GroupID) -> Bool {
        let limit = limit(of: group)
        return limit > 0 && leased[group, default: 0] >= limit
    }

    /// Sets the limit of the group, or, by group 0, that of all which have none of their own; 0: none.
    mutating func set(_ group: GroupID, to limit: Int) {
        if group == .none { standard = limit } else { own[group] = limit == 0 ? nil : limit }
    }

    mutating func take(_ group: GroupID) {
        if group != .none { leased[group, default: 0] += 1 }
    }

    mutating func free(_ group: GroupID) {
        guard let count = leased[group] else { return }
        leased[group] = count == 1 ? nil : count - 1
    }
}
