import PenstockEngine
import PenstockWire

@testable import PenstockServer

/// A ready index in memory, and a record of what was delivered.
struct TestSource: DispatchSource {
    /// In order, for each queue.
    var index: [QueueID: [ReadyEntry]] = [:]
    var grants: [Grant] = []
    var bytes = 10
    var timeout: UInt64 = 0
    /// Subscriptions whose connection takes no more.
    var full: Set<SubscriptionID> = []
    var reads = 0

    /// Adds jobs whose number is their place too, and returns their entries.
    mutating func add(_ jobs: some Sequence<UInt64>, to queue: QueueID = QueueID(0)) -> [ReadyEntry] {
        let entries = jobs.map { ReadyEntry(queue: queue, turn: Turn(priority: 0, place: $0), job: JobID($0)) }
        index[queue, default: []].append(contentsOf: entries)
        index[queue]?.sort { $0.turn < $1.turn }
        return entries
    }

    mutating func remove(_ job: UInt64) {
        for queue in Array(index.keys) { index[queue]?.removeAll { $0.job == JobID(job) } }
    }

    /// Adds jobs of a group whose number is their place too, and returns their entries.
    mutating func add(
        _ jobs: some Sequence<UInt64>,
        group: UInt32,
        priority: UInt32 = 0,
        to queue: QueueID = QueueID(0)
    ) -> [ReadyEntry] {
        let entries = jobs.map {
            ReadyEntry(queue: queue, group: GroupID(group), turn: Turn(priority: priority, place: $0), job: JobID($0))
        }
        index[queue, default: []].append(contentsOf: entries)
        index[queue]?.sort { ($0.group, $0.turn) < ($1.group, $1.turn) }
        return entries
    }

    mutating func hasGroups(_ queue: QueueID) -> Bool { index[queue]?.contains { $0.group != .none } == true }

    mutating func readGroups(
        queue: QueueID,
        _ range: ClosedRange<GroupID>,
        groups: Int,
        jobs: Int,
        into entries: inout [ReadyEntry]
    ) -> GroupID? {
        reads += 1
        return TestSource.read(
            (index[queue] ?? []).filter { range.contains($0.group) },
            groups: groups,
            jobs: jobs,
            into: &entries
        )
    }

    /// The first jobs of the first groups; and the next group.
    static func read(
        _ index: [ReadyEntry],
        groups: Int,
        jobs: Int,
        into entries: inout [ReadyEntry]
    ) -> GroupID? {
        let byGroup = Dictionary(grouping: index, by: \.group).sorted { $0.key < $1.key }
        for (_, rest) in byGroup.prefix(groups) {
            entries.append(contentsOf: rest.sorted { $0.turn < $1.turn }.prefix(jobs))
        }
        return byGroup.dropFirst(groups).first?.key
    }

    mutating func read(
        queue: QueueID,
        group: GroupID,
        from turn: Turn,
        limit: Int,
        into entries: inout [ReadyEntry]
    ) -> Bool {
        reads += 1
        let rest = (index[queue] ?? []).filter { $0.group == group && !($0.turn < turn) }
        entries.append(contentsOf: rest.prefix(limit))
        return rest.count <= limit
    }

    mutating func deliver(_ grant: Grant) -> DeliveryOutcome {
        if full.contains(grant.subscription) { return .noRoom }
        guard (index[grant.entry.queue] ?? []).contains(grant.entry) else { return .gone }
        grants.append(grant)
        return .sent(bytes: bytes, flow: FlowID(5), timeout: timeout)
    }

    var jobs: [UInt64] { grants.map(\.entry.job.rawValue) }
}

extension Dispatcher {
    static let smallWindows = Configuration(windowEntriesMax: 4, entriesMax: 64, refillEntriesMax: 3)

    mutating func subscribe(
        queues: [UInt32] = [0],
        jobs: Int,
        bytes: Int = 1 << 20,
        connection: UInt32 = 1,
        session: UInt32 = 1,
        stream: UInt32 = 1,
        prefetches: Bool = false
    ) -> SubscriptionID {
        subscribe(
            Subscription(
                connection: connection,
                sessionSlot: session,
                stream: stream,
                queues: queues.map { QueueID($0) },
                creditJobs: jobs,
                creditBytes: bytes,
                lockDuration: 30_000,
                prefetches: prefetches
            )
        )
    }

    /// Runs to the end, and returns the jobs that were granted.
    mutating func grantAll(_ source: inout TestSource) -> [UInt64] {
        source.grants = []
        while run(now: 0, wall: 0, source: &source) {}
        checkInvariants()
        return source.jobs
    }

    /// Completes a granted job, durably.
    mutating func complete(_ grant: Grant, _ source: inout TestSource) {
        guard finish(grant.slot, token: grant.token, sessionSlot: grant.sessionSlot) != nil else {
            preconditionFailure("the lease is live")
        }
        source.remove(grant.entry.job.rawValue)
        free([grant.slot])
    }
}
