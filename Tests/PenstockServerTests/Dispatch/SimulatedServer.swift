import PenstockEngine
import PenstockWire
import TestSupport
import Testing

@testable import PenstockServer

/// A whole index, a slow writer and a dispatcher: what a server is, as far as a grant is concerned.
///
/// Commands are gathered, handed over together with the lease changes, applied,
/// and told to the dispatcher some commits later; grants go on at each of these
/// moments. Every grant is checked on the spot:
///
/// - its job is ready in the snapshot at that turn, and has no lease;
/// - no job of its queue that was told of, is ready in the snapshot and has no lease stands before it;
/// - the job was not granted before since it became ready, unless that lease was revoked;
/// - what is set of its queue allows it: it is not paused, has a slot, and its rate lets the job go.
///
/// Some subscriptions prefetch: what they are granted is reserved, then started, or given back as if it had not been granted.
struct SimulatedServer: ~Copyable {
    enum Command {
        case add(QueueID, GroupID, Turn)
        case withdraw(JobID)
        /// At its old turn, or at a new one.
        case restore(JobID, Turn?)
        case move(JobID, Turn)
        case complete(UInt32, JobID)
        case retry(UInt32, JobID, Turn)
        case giveBack(UInt32, JobID)
        /// Of a pending lease: ends it by the command, or lets it go on.
        indirect case decide(UInt32, JobID, Command?)
    }

    struct Outcome {
        var freed: [UInt32] = []
        var kept: [UInt32] = []
        var withdrawn: [ReadyEntry] = []
        var ready: [ReadyEntry] = []
        /// The index after the commit, and how often each job had become ready.
        var index: [JobID: ReadyEntry] = [:]
        var readiness: [JobID: Int] = [:]
    }

    /// The committed state, as a run reads it.
    struct Snapshot: DispatchSource {
        var index: [JobID: ReadyEntry] = [:]
        /// How often the job has become ready.
        var readiness: [JobID: Int] = [:]
        /// What was told last.
        var told = Outcome()
        /// Granted, and not yet freed or revoked.
        var held: [JobID: Grant] = [:]
        var granted: [JobID: Int] = [:]
        var grantCount = 0
        var random: TestRandom
        var blocked: [SubscriptionID] = []
        /// Monotonic milliseconds.
        var now: UInt64 = 0
        var settings: [QueueID: QueueSettings] = [:]
        /// When each queue's jobs were granted, since its rate was set.
        var times: [QueueID: [UInt64]] = [:]
        /// How many jobs of a group may run; by group 0, of the others.
        var groupLimits: [QueueID: [GroupID: UInt32]] = [:]
        /// The group that was served last.
        var lastGroup: [QueueID: GroupID] = [:]
        var isDraining = false

        mutating func hasGroups(_ queue: QueueID) -> Bool {
            index.values.contains { $0.queue == queue && $0.group != .none }
        }

        mutating func readGroups(
            queue: QueueID,
            _ range: ClosedRange<GroupID>,
            groups: Int,
            jobs: Int,
            into entries: inout [ReadyEntry]
        ) -> GroupID? {
            let all = index.values.filter { $0.queue == queue && range.contains($0.group) }
            return TestSource.read(all, groups: groups, jobs: jobs, into: &entries)
        }

        mutating func read(
            queue: QueueID,
            group: GroupID,
            from turn: Turn,
            limit: Int,
            into entries: inout [ReadyEntry]
        ) -> Bool {
            let all = index.values.filter { $0.queue == queue && $0.group == group && !($0.turn < turn) }
            let rest = all.sorted { $0.turn < $1.turn }
            entries.append(contentsOf: rest.prefix(limit))
            // An index that ends just there may say so or not.
            return rest.count < limit || (rest.count == limit && random.oneIn(2))
        }

        mutating func deliver(_ grant: Grant) -> DeliveryOutcome {
            let entry = grant.entry
            #expect(held[entry.job] == nil, "a leased job was granted")
            guard index[entry.job] == entry else { return .gone }
            if !isDraining && random.oneIn(20) {
                blocked.append(grant.subscription)
                return .noRoom
            }
            for (job, other) in told.index where other.queue == entry.queue && comes(other, before: entry) {
                // One that was away in between has become ready anew, and that was not told yet.
                if held[job] == nil && index[job] == other && readiness[job] == told.readiness[job] {
                    Issue.record("\(job) at \(other.turn) was passed over by \(entry)")
                }
            }
            checkSettings(entry.queue)
            checkGroup(entry)
            lastGroup[entry.queue] = entry.group
            let readiness = readiness[entry.job] ?? 0
            #expect(granted[entry.job] != readiness, "\(entry) was granted twice")
            granted[entry.job] = readiness
            held[entry.job] = grant
            grantCount += 1
            return .sent(bytes: random.below(5), flow: .none, timeout: 0)
        }

        /// True where the entry is to be granted first: it is before the other in its group, or its group comes first.
        private func comes(_ entry: ReadyEntry, before other: ReadyEntry) -> Bool {
            if entry.group == other.group { return entry.turn < other.turn }
            if isFull(entry.queue, entry.group) { return false }
            guard let last = lastGroup[entry.queue] else {
                // The first round begins with any of the jobs without a group and the first group.
                return entry.group != .none && entry.group < other.group
            }
            func distance(_ group: GroupID) -> UInt32 { group.rawValue &- last.rawValue &- 1 }
            return distance(entry.group) < distance(other.group)
        }

        private func isFull(_ queue: QueueID, _ group: GroupID) -> Bool {
            guard group != .none, let limits = groupLimits[queue], let limit = limits[group] ?? limits[.none] else {
                return false
            }
            return held.values.count { $0.entry.queue == queue && $0.entry.group == group } >= Int(limit)
        }

        private func checkGroup(_ entry: ReadyEntry) {
            #expect(!isFull(entry.queue, entry.group), "more jobs of a group run than may")
        }

        private mutating func checkSettings(_ queue: QueueID) {
            guard let settings = settings[queue] else { return }
            #expect(!settings.isPaused, "a job of a paused queue was granted")
            let running = held.values.count { $0.entry.queue == queue }
            #expect(settings.concurrency == 0 || running < Int(settings.concurrency), "more jobs run than may")
            guard settings.rate.max > 0 else { return }
            // A window begins with the first grant behind the last one.
            var begin: UInt64?
            var count: UInt32 = 0
            for time in (times[queue] ?? []) + [now] {
                if begin.map({ time >= $0 + settings.rate.window }) ?? true { (begin, count) = (time, 0) }
                count += 1
            }
            #expect(count <= settings.rate.max, "more jobs of a window were granted than may be")
            times[queue, default: []].append(now)
        }
    }

    var random: TestRandom
    var dispatcher: Dispatcher
    var snapshot: Snapshot
    var gathering: [Command] = []
    /// Handed over, with the lease set of that moment.
    var applying: (commands: [Command], leased: [JobID])?
    var outcomes: [Outcome] = []
    /// The engine's lease set.
    var engineSlots: [UInt32: JobID] = [:]
    /// Where jobs that were taken away stood.
    var withdrawn: [JobID: ReadyEntry] = [:]
    var subscriptions: [SubscriptionID] = []
    var nextJob: UInt64 = 0
    var nextPlace: UInt64 = 1 << 63
    var nextFirstPlace: UInt64 = (1 << 63) - 1
    let queueCount: Int
    let hasGates: Bool
    /// The highest number of a group; 0: no job has one.
    let groupMax: Int

    init(seed: UInt64, hasGates: Bool = false, groupMax: Int = 0) {
        self.hasGates = hasGates
        self.groupMax = groupMax
        random = TestRandom(seed: seed)
        snapshot = Snapshot(random: TestRandom(seed: seed &+ 77))
        queueCount = 1 + random.below(3)
        dispatcher = Dispatcher(
            epoch: 1,
            configuration: .init(
                windowEntriesMax: [1, 2, 4, groupMax == 0 ? 4 : 16, 64][random.below(5)],
                entriesMax: 64,
                refillEntriesMax: [1, 3, 8][random.below(3)]
            )
        )
    }

    mutating func turn() -> Turn {
        let priority = UInt32(random.oneIn(3) ? random.below(3) : 0)
        if random.oneIn(6) {
            nextFirstPlace -= 1
            return Turn(priority: priority, place: nextFirstPlace)
        }
        nextPlace += 1
        return Turn(priority: priority, place: nextPlace)
    }

    mutating func group() -> GroupID {
        // Few of the numbers: groups come and go.
        groupMax == 0 || random.oneIn(4) ? .none : GroupID(UInt32(1 + random.below(groupMax)))
    }

    // MARK: The loop

    mutating func step() {
        if random.oneIn(3) { snapshot.now += UInt64(random.below(40)) }
        if hasGates && random.oneIn(12) { setQueue() }
        if hasGates && groupMax > 0 && random.oneIn(12) { setGroup() }
        switch random.below(16) {
        case 0, 1, 2:
            for _ in 0...random.below(4) {
                let turn = turn()
                gathering.append(.add(QueueID(UInt32(random.below(queueCount))), group(), turn))
            }
        case 3:
            if let job = snapshot.index.keys.sorted().randomElement(using: &random) {
                gathering.append(.withdraw(job))
                if random.oneIn(2) { gathering.append(.restore(job, random.oneIn(2) ? nil : turn())) }
            }
        case 4:
            if let job = withdrawn.keys.sorted().randomElement(using: &random) {
                gathering.append(.restore(job, random.oneIn(2) ? nil : turn()))
                if random.oneIn(4) { gathering.append(.withdraw(job)) }
            }
        case 5:
            if let job = snapshot.index.keys.sorted().randomElement(using: &random) {
                gathering.append(.move(job, turn()))
            }
        case 6, 7: endLease()
        case 8: changeReservation()
        case 9: subscribe()
        case 10:
            if subscriptions.count > 4, random.oneIn(2) {
                let id = subscriptions.remove(at: random.below(subscriptions.count))
                dispatcher.unsubscribe(id)
                if random.oneIn(2) { cancelReservations(of: id) }
            }
        case 11:
            if let id = subscriptions.randomElement(using: &random) {
                dispatcher.credit(id, jobs: random.below(4), bytes: random.below(10))
            }
        case 12: unblock()
        case 13: handOver()
        case 14: commit()
        default: settle()
        }
        run()
        dispatcher.checkInvariants()
    }

    mutating func setQueue() {
        let queue = QueueID(UInt32(random.below(queueCount)))
        var settings = QueueSettings()
        settings.isPaused = random.oneIn(4)
        if random.oneIn(2) { settings.concurrency = UInt32(1 + random.below(3)) }
        if random.oneIn(2) { settings.rate = RateLimit(max: UInt32(1 + random.below(3)), window: 100) }
        set(queue, settings)
        if random.oneIn(4) { dispatcher.rest(queue, until: snapshot.now + UInt64(random.below(60))) }
    }

    mutating func setGroup() {
        let queue = QueueID(UInt32(random.below(queueCount)))
        let group = group()
        let limit = random.oneIn(2) ? nil : UInt32(1 + random.below(2))
        snapshot.groupLimits[queue, default: [:]][group] = limit
        dispatcher.set(queue, group, concurrency: limit ?? 0)
    }

    mutating func set(_ queue: QueueID, _ settings: QueueSettings) {
        if snapshot.settings[queue]?.rate != settings.rate { snapshot.times[queue] = [] }
        snapshot.settings[queue] = settings
        dispatcher.set(queue, to: settings, now: snapshot.now)
    }

    mutating func run() {
        dispatcher.openDueGates(now: snapshot.now)
        _ = dispatcher.run(now: snapshot.now, wall: 0, grantsMax: 1 + random.below(8), source: &snapshot)
    }

    mutating func unblock() {
        for id in snapshot.blocked { dispatcher.unblock(id) }
        snapshot.blocked = []
    }

    mutating func subscribe() {
        guard subscriptions.count < 8 else { return }
        var queues = [QueueID(UInt32(random.below(queueCount)))]
        if random.oneIn(2) { queues = (0..<queueCount).map { QueueID(UInt32($0)) }.shuffled(using: &random) }
        let id = dispatcher.subscribe(
            Subscription(
                connection: 0,
                sessionSlot: UInt32(random.below(3)),
                stream: 0,
                queues: queues,
                creditJobs: random.below(5),
                creditBytes: random.below(20),
                lockDuration: 1000,
                prefetches: random.oneIn(2)
            )
        )
        subscriptions.append(id)
    }

    /// The worker of a reserved job starts it, or gives it back; or the server asks for it.
    mutating func changeReservation() {
        let reserved = snapshot.held.values.filter { dispatcher.leases[$0.slot].isReserved }
        guard let grant = reserved.sorted(by: { $0.slot < $1.slot }).randomElement(using: &random) else { return }
        switch random.below(3) {
        case 0:
            let isStarted = dispatcher.start(
                grant.slot,
                token: grant.token,
                sessionSlot: grant.sessionSlot,
                now: snapshot.now,
                wall: 0
            )
            #expect(isStarted)
        case 1: _ = dispatcher.recall(grant.entry.queue, now: snapshot.now)
        default:
            dispatcher.cancelReservation(grant.slot)
            forget(grant.entry.job)
        }
    }

    mutating func cancelReservations(of id: SubscriptionID) {
        let reserved = snapshot.held.values.filter { $0.subscription == id && dispatcher.leases[$0.slot].isReserved }
        dispatcher.cancelReservations(of: id)
        for grant in reserved { forget(grant.entry.job) }
    }

    /// The job is as if it had never been granted.
    private mutating func forget(_ job: JobID) {
        snapshot.held[job] = nil
        snapshot.granted[job] = nil
    }

    mutating func endLease() {
        // A finishing lease is held too, and fenced.
        guard let job = snapshot.held.keys.sorted().randomElement(using: &random), let grant = snapshot.held[job]
        else { return }
        let isLive = !dispatcher.leases[grant.slot].isEnding
        if random.oneIn(3) {
            let lease = dispatcher.suspend(grant.slot, token: grant.token, sessionSlot: grant.sessionSlot)
            #expect((lease != nil) == isLive)
            guard lease != nil else { return }
            return gathering.append(.decide(grant.slot, job, random.oneIn(2) ? nil : ending(grant.slot, job)))
        }
        let lease = dispatcher.finish(grant.slot, token: grant.token, sessionSlot: grant.sessionSlot)
        #expect((lease != nil) == isLive)
        guard lease != nil else { return }
        gathering.append(ending(grant.slot, job))
    }

    mutating func ending(_ slot: UInt32, _ job: JobID) -> Command {
        switch random.below(4) {
        case 0: .retry(slot, job, turn())
        case 1: .giveBack(slot, job)
        default: .complete(slot, job)
        }
    }

    // MARK: The writer

    mutating func handOver() {
        guard applying == nil else { return }
        var changes: [SlotChange] = []
        dispatcher.leases.takeChanges(into: &changes)
        for change in changes {
            if change.job == .none { #expect(engineSlots[change.slot] != nil) }
            engineSlots[change.slot] = change.job == .none ? nil : change.job
        }
        var live: [UInt32: JobID] = [:]
        dispatcher.leases.forEachHeld { slot, lease in
            if lease.phase != .finishing && !lease.isReserved { live[slot] = lease.job }
        }
        #expect(live == engineSlots, "the engine's lease set is the live and the pending leases")
        applying = (gathering, Array(live.values))
        gathering = []
    }

    mutating func commit() {
        guard let (commands, leased) = applying, outcomes.count < 3 else { return }
        applying = nil
        var outcome = Outcome()
        for command in commands { apply(command, leased: leased, &outcome) }
        outcome.index = snapshot.index
        outcome.readiness = snapshot.readiness
        outcomes.append(outcome)
    }

    mutating func apply(_ command: Command, leased: [JobID], _ outcome: inout Outcome) {
        switch command {
        case .add(let queue, let group, let turn):
            nextJob += 1
            makeReady(ReadyEntry(queue: queue, group: group, turn: turn, job: JobID(nextJob)), &outcome)
        case .withdraw(let job):
            guard let entry = snapshot.index.removeValue(forKey: job) else { return }
            withdrawn[job] = entry
            outcome.withdrawn.append(entry)
        case .restore(let job, let turn):
            guard var entry = withdrawn.removeValue(forKey: job) else { return }
            if let turn { entry.turn = turn }
            makeReady(entry, &outcome)
        case .move(let job, let turn):
            // What is leased may not be touched.
            guard !leased.contains(job), var entry = snapshot.index[job] else { return }
            outcome.withdrawn.append(entry)
            entry.turn = turn
            makeReady(entry, &outcome)
        case .complete(let slot, let job):
            outcome.freed.append(slot)
            snapshot.index[job] = nil
        case .retry(let slot, let job, let turn):
            outcome.freed.append(slot)
            guard var entry = snapshot.index[job] else { return }
            entry.turn = turn
            makeReady(entry, &outcome)
        case .giveBack(let slot, let job):
            outcome.freed.append(slot)
            guard let entry = snapshot.index[job] else { return }
            makeReady(entry, &outcome)
        case .decide(let slot, let job, let ending):
            // What was taken away since the grant is not under this lease any more, though it may be ready again.
            guard snapshot.index[job] != nil, snapshot.readiness[job] == snapshot.granted[job] else {
                return outcome.freed.append(slot)
            }
            guard let ending else { return outcome.kept.append(slot) }
            apply(ending, leased: leased, &outcome)
        }
    }

    mutating func makeReady(_ entry: ReadyEntry, _ outcome: inout Outcome) {
        snapshot.index[entry.job] = entry
        snapshot.readiness[entry.job, default: 0] += 1
        outcome.ready.append(entry)
    }

    mutating func settle() {
        guard !outcomes.isEmpty else { return }
        let outcome = outcomes.removeFirst()
        for slot in outcome.freed { snapshot.held[dispatcher.leases[slot].job] = nil }
        var revoked: [Revocation] = []
        dispatcher.settle(
            freed: outcome.freed,
            kept: outcome.kept,
            withdrawn: outcome.withdrawn,
            ready: outcome.ready,
            revoked: &revoked
        )
        for revocation in revoked {
            snapshot.held[revocation.lease.job] = nil
            snapshot.granted[revocation.lease.job] = nil
        }
        snapshot.told = outcome
    }

    // MARK: The end

    /// Lets every job run, and returns false where some never do.
    mutating func drain() -> Bool {
        snapshot.isDraining = true
        unblock()
        // Rates and bounds stay: they hold up, and end nothing.
        for (queue, settings) in snapshot.settings {
            var settings = settings
            settings.isPaused = false
            set(queue, settings)
        }
        for queue in 0..<queueCount {
            subscriptions.append(
                dispatcher.subscribe(
                    Subscription(
                        connection: 0,
                        sessionSlot: 0,
                        stream: 0,
                        queues: [QueueID(UInt32(queue))],
                        creditJobs: 2,
                        creditBytes: 1000,
                        lockDuration: 1000
                    )
                )
            )
        }
        for _ in 0..<10_000 {
            snapshot.now += 10
            for grant in Array(snapshot.held.values) {
                if dispatcher.finish(grant.slot, token: grant.token, sessionSlot: grant.sessionSlot) != nil {
                    gathering.append(.complete(grant.slot, grant.entry.job))
                }
            }
            handOver()
            commit()
            settle()
            settle()
            run()
            dispatcher.checkInvariants()
            if snapshot.index.isEmpty && snapshot.held.isEmpty && gathering.isEmpty && applying == nil
                && outcomes.isEmpty
            {
                return dispatcher.leases.heldCount == 0 && dispatcher.disputes.isEmpty
            }
        }
        return false
    }
}

@Suite(.computing) struct DispatcherPropertyTests {
    @Test(arguments: 0..<60 as Range<UInt64>)
    func `every grant is the first of its queue, and every job is granted, while outcomes lag behind`(seed: UInt64) {
        var server = SimulatedServer(seed: seed)
        for _ in 0..<600 { server.step() }
        let grants = server.snapshot.grantCount
        let isDrained = server.drain()
        #expect(isDrained, "some jobs were never granted")
        #expect(grants > 20)
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func `every grant is one that the settings of its queue allow, and every job is granted`(seed: UInt64) {
        var server = SimulatedServer(seed: seed, hasGates: true)
        for _ in 0..<600 { server.step() }
        let isDrained = server.drain()
        #expect(isDrained, "some jobs were never granted")
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func `every grant is the first of the group whose turn it is, and every job is granted`(seed: UInt64) {
        var server = SimulatedServer(seed: seed, groupMax: [2, 5, 30][Int(seed % 3)])
        for _ in 0..<600 { server.step() }
        let grants = server.snapshot.grantCount
        let isDrained = server.drain()
        #expect(isDrained, "some jobs were never granted")
        #expect(grants > 20)
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func `every grant is one that the limits of its group allow, and every job is granted`(seed: UInt64) {
        var server = SimulatedServer(seed: seed, hasGates: true, groupMax: [2, 5, 30][Int(seed % 3)])
        for _ in 0..<600 { server.step() }
        let isDrained = server.drain()
        #expect(isDrained, "some jobs were never granted")
    }
}
