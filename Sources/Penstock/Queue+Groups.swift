import PenstockWire

/// A group of a queue, as it was at one moment of the server's.
public struct GroupInfo: Hashable, Sendable {
    public let name: String
    /// Jobs that are ready, and that no worker has.
    public let waiting: Int
    /// Jobs that a worker has.
    public let active: Int
    /// Jobs that may run at a time, by the group's own bound or that of all groups; nil: any number.
    public let concurrency: Int?
}

// Groups take turns of one job each: see ``JobOptions/group``. What is set of them is stored: it outlasts workers, clients
// and restarts of the server.

extension Queue {
    /// Bounds how many jobs of a group run at a time, on all workers together.
    ///
    /// While a group has as many, the others go on without it. A place is free again
    /// when the end of its job is stored for good. Jobs that run when a lower bound is
    /// set go on; jobs that ran when the server stopped keep their places until their
    /// leases have ended. A group can be set before any job has it.
    ///
    /// - Parameters:
    ///   - group: 1...255 bytes of UTF-8.
    ///   - jobs: 1...4,294,967,295; nil: as ``setGroups(concurrency:)`` says.
    /// - Throws: ``PenstockError``; its code is `invalidOption` where the number can't be.
    public func setGroup(_ group: String, concurrency jobs: Int?) async throws(PenstockError) {
        try Checks.group(group)
        try await set(group, jobs)
    }

    /// Bounds how many jobs of each group run at a time that has no bound of its own.
    ///
    /// Jobs without a group are not bounded by it. Otherwise it is as ``setGroup(_:concurrency:)``.
    ///
    /// - Parameter jobs: 1...4,294,967,295; nil, the default of every queue: any number.
    /// - Throws: ``PenstockError``; its code is `invalidOption` where the number can't be.
    public func setGroups(concurrency jobs: Int?) async throws(PenstockError) { try await set("", jobs) }

    private func set(_ group: String, _ jobs: Int?) async throws(PenstockError) {
        try Checks.queue(name)
        let bound = try Queue.bound(jobs, "jobs of a group at a time")
        try await client.carryOut(SetGroup(sequence: 0, queue: name, group: group, concurrency: bound))
    }

    /// The groups of the queue that have waiting or active jobs, or a bound of their own, the newest first, page by page.
    ///
    /// - Parameter count: groups in a page, 1...1,000.
    /// - Throws: ``PenstockError`` when a page is asked for; its code is `queueNotFound` where there is no such queue.
    public func groups(count: Int = 100) -> Pages<[GroupInfo]> {
        Pages { [client, name] (cursor: UInt64) throws(PenstockError) in
            try Checks.queue(name)
            try Checks.page(count)
            let request = GetGroups(queue: name, cursor: cursor, rows: UInt32(count))
            let page = try await client.read(GroupPage.self, request)
            return (page.rows.map { GroupInfo($0, of: page) }, page.next == 0 ? nil : page.next)
        }
    }

    /// A group of the queue.
    ///
    /// - Throws: ``PenstockError``; its code is `groupNotFound` where no job of the group waits or runs, and it has no
    ///   bound of its own.
    public func group(_ group: String) async throws(PenstockError) -> GroupInfo {
        try Checks.queue(name)
        try Checks.group(group)
        let page = try await client.read(GroupPage.self, GetGroups(queue: name, group: group, rows: 1))
        guard let row = page.rows.first else {
            throw PenstockError(.groupNotFound, "There is no group \(Names.quoted(group)) in the queue \(name).")
        }
        return GroupInfo(row, of: page)
    }

    /// How many jobs of each group may run at a time that has no bound of its own; nil: any number.
    public func groupConcurrency() async throws(PenstockError) -> Int? {
        try Checks.queue(name)
        let page = try await client.read(GroupPage.self, GetGroups(queue: name, rows: 1))
        return page.concurrency == 0 ? nil : Int(page.concurrency)
    }
}

extension GroupInfo {
    fileprivate init(_ row: GroupPage.Row, of page: GroupPage) {
        name = row.name
        waiting = Int(row.waiting)
        active = Int(row.active)
        let bound = row.concurrency == 0 ? page.concurrency : row.concurrency
        concurrency = bound == 0 ? nil : Int(bound)
    }
}
