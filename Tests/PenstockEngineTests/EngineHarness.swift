import LMDB
import PenstockWire
import Testing

@testable import PenstockEngine

/// A lease as the harness's dispatcher holds it.
struct TestLease {
    var job: JobID
    var queue: QueueID
    var group = GroupID.none
    var flow: FlowID
    var slot: UInt32
    var token: LeaseToken
    var session: TestSession
    var startedAt: UInt64
    var isWritten = false
}

/// A client's session: its number, and all that it was told.
final class TestSession {
    let id: SessionID
    let slot: UInt32
    var next: UInt64 = 1
    /// Outcomes by number.
    var outcomes: [UInt64: Outcome] = [:]
    /// The APPLIED bodies that were not confirmed, with their last numbers.
    var unconfirmed: [(sequence: UInt64, bytes: [UInt8])] = []

    init(slot: UInt32, number: UInt64 = 0) {
        id = SessionID(high: 0xABCD + number, low: UInt64(slot))
        self.slot = slot
    }

    func draw() -> UInt64 {
        next += 1
        return next - 1
    }

    func code(_ sequence: UInt64) -> ErrorCode? { outcomes[sequence].flatMap { ErrorCode(rawValue: $0.status) } }
}

struct HarnessLeases: LeaseLookup {
    var overlays: [LeaseOverlay]
    func lease(of job: JobID) -> LeaseOverlay? { overlays.first { $0.job == job } }
    func leases(in flow: FlowID, _ body: (LeaseOverlay) -> Void) {
        for overlay in overlays where overlay.flow == flow { body(overlay) }
    }
    func leases(in queue: QueueID, _ body: (LeaseOverlay) -> Void) {
        for overlay in overlays where overlay.queue == queue { body(overlay) }
    }
    func forEach(_ body: (LeaseOverlay) -> Void) { overlays.forEach(body) }
}

/// The engine over a database that is open.
final class OpenEngine {
    let environment: Environment
    var engine: Engine
    var reads: Reads
    let sessionReads: SessionReads
    let reader: SnapshotReader

    init(_ directory: String, wall: UInt64, mapSize: Int) throws {
        var configuration = Configuration()
        configuration.durability = .lostWithPower
        configuration.mapSize = mapSize
        environment = try Environment.open(directory: directory, tables: Tables.names, configuration: configuration)
        engine = try Engine(environment, wall: wall, database: SessionID(high: 7, low: 7))
        reads = Reads(engine)
        sessionReads = SessionReads(engine)
        reader = try SnapshotReader(environment)
    }

    func read<Value>(_ body: (borrowing ReadTransaction) throws -> Value) throws -> Value {
        let reader = reader
        let snapshot = try reader.begin()
        return try body(snapshot)
    }

    /// Damages the row of the counters.
    func cutMeta() throws {
        let environment = environment
        var transaction = try environment.beginWrite()
        let bytes: [UInt8] = [0, 0, 0, 0, 1, 0, 0, 0]
        try transaction.put(bytes.rawSpan, for: UInt64(0), in: Tables(environment).meta)
        try transaction.commit()
    }

    /// Damages what a scheduler adds.
    func cutTemplate(_ scheduler: String) throws {
        let environment = environment
        var transaction = try environment.beginWrite()
        let bytes: [UInt8] = [1, 0, 1]
        let key = SchedulerKey(Array(scheduler.utf8))
        try transaction.put(bytes.rawSpan, for: key, in: Tables(environment).schedulerTemplates)
        try transaction.commit()
    }

    func storedLeases() throws -> [(JobID, LeaseRecord)] {
        var stored: [(JobID, LeaseRecord)] = []
        try read { try sessionReads.leases($0) { stored.append(($0, $1)) } }
        return stored
    }

    /// The flow of a job that was delivered; nil where it could not be.
    func deliver(_ entry: ReadyEntry, _ slot: UInt32, _ token: LeaseToken) throws -> FlowID? {
        var writer = WireWriter()
        return try read {
            try reads.appendDelivery(
                of: entry,
                slot: slot,
                token: token,
                queueIndex: 0,
                elapsed: engine.elapsed,
                into: &writer,
                $0
            )?.flow
        }
    }

    func ready(_ queue: QueueID) throws -> [ReadyEntry] {
        var entries: [ReadyEntry] = []
        let range = GroupID.none...GroupID(.max)
        let next = try read {
            try reads.readyGroups(queue, range, groups: .max, jobs: .max, into: &entries, $0)
        }
        precondition(next == nil)
        return entries
    }

    func learn(_ queues: [QueueID]) {
        for id in queues { reads.learn(id, engine.queues[Int(id.rawValue) - 1].name) }
    }
}

/// An engine under a simulated clock, with a tiny dispatcher, and sessions that decode what they are told.
final class EngineHarness {
    let directory = TemporaryDirectory()
    let mapSize: Int
    private(set) var open: OpenEngine!
    var elapsed: UInt64 = 1_000
    var wall: UInt64 = 1_700_000_000_000
    var seed: UInt64 = 1
    var limits = EffectLimits() {
        didSet { open.engine.effectLimits = limits }
    }
    /// How long finished jobs are kept: for ever, if a test does not say otherwise.
    var retention = RetentionRules() {
        didSet { open.engine.retentionRules = retention }
    }
    /// Every table is checked after every batch.
    var checks = true
    /// Jobs were retried, or edges resolved by hand.
    var hasSecondThoughts = false

    /// Compares what is told with what is stored, from the next batch on: set it while there is no job.
    var follower: EventFollower? {
        didSet { open.engine.interest.set(.all, follower != nil) }
    }

    var batch = Batch()
    var result = BatchResult()
    private(set) var sessions: [TestSession] = []
    /// By job: a job has one lease at most.
    private(set) var leases: [JobID: TestLease] = [:]
    /// Leased jobs that a command took away from their workers.
    private(set) var revoked: [JobID] = []
    private var freeSlots: [UInt32] = []
    private var slotCount: UInt32 = 0
    private var tokenCounter: UInt64 = 0

    init(mapSize: Int = 1 << 30) throws {
        self.mapSize = mapSize
        open = try OpenEngine(directory.path, wall: wall, mapSize: mapSize)
        elapsed = open.engine.elapsed + 1
        _ = try openSession()
    }

    var session: TestSession { sessions[0] }

    // MARK: Batches

    /// Applies what was staged, and tells the sessions.
    func commit(refusingAdds: Bool = false) throws {
        batch.elapsed = elapsed
        batch.wall = wall
        batch.seed = seed
        seed += 1
        try open.engine.apply(batch, refusingAdds: refusingAdds, into: &result)
        batch.removeAll()
        try learn()
        if let follower { follower.take(try events()) }
        if checks { try check() }
    }

    private func learn() throws {
        if !result.newQueues.isEmpty { open.learn(result.newQueues) }
        for outcome in result.outcomes {
            let bytes = Array(result.bytes.bytes[outcome.runs.indices])
            let session = sessions[Int(outcome.sessionSlot)]
            try #require(session.id == outcome.session)
            let applied = try Applied(body: bytes.rawSpan)
            try #require(applied.commit == result.commit)
            for run in applied.outcomes {
                for offset in 0..<run.count {
                    var single = run
                    single.sequence += UInt64(offset)
                    single.count = 1
                    single.index += offset
                    try #require(session.outcomes[single.sequence] == nil, "a number is answered once")
                    session.outcomes[single.sequence] = single
                }
            }
            session.unconfirmed.append((outcome.sequence, bytes))
        }
        for slot in result.freedSlots {
            guard let lease = leases.values.first(where: { $0.slot == slot }) else { continue }
            free(lease)
        }
        for entry in result.withdrawn {
            guard let lease = leases[entry.job] else { continue }
            revoked.append(entry.job)
            free(lease)
        }
    }

    private func free(_ lease: TestLease) {
        leases[lease.job] = nil
        freeSlots.append(lease.slot)
        batch.slotChanges.append(SlotChange(slot: lease.slot, job: .none))
    }

    /// Every invariant of the tables, and of the engine's memory against them.
    func check() throws { try check(dump()) }

    func check(_ dump: Dump) throws {
        let problems = problems(dump)
        if !problems.isEmpty { throw BrokenInvariants(problems: problems) }
    }

    func dump() throws -> Dump { try Dump(open.environment, open.reader) }

    func problems() throws -> [String] { try problems(dump()) }

    private func problems(_ dump: Dump) -> [String] {
        InvariantChecker(dump, hasSecondThoughts: hasSecondThoughts).problems()
            + dump.differences(from: open.engine) + (follower?.problems(dump, open.engine) ?? [])
    }

    func advance(_ milliseconds: UInt64) {
        elapsed += milliseconds
        wall += milliseconds
    }

    /// Closes the database and opens it again, `milliseconds` of wall time later: unwritten leases are forgotten.
    func restart(after milliseconds: UInt64 = 0) throws {
        open = nil
        wall += milliseconds
        open = try OpenEngine(directory.path, wall: wall, mapSize: mapSize)
        open.engine.effectLimits = limits
        open.engine.retentionRules = retention
        open.engine.interest.set(.all, follower != nil)
        // Whoever listened meets a gap.
        if let follower, isSettling { follower.forget(Set(try dump().jobs.keys)) }
        elapsed = max(elapsed, open.engine.elapsed)
        batch.removeAll()
        var kept: [JobID: TestLease] = [:]
        freeSlots = []
        slotCount = 0
        for (job, record) in try open.storedLeases() {
            var lease = leases[job]!
            #expect(lease.isWritten && lease.token == record.token && lease.session.id == record.session)
            lease.slot = slotCount
            slotCount += 1
            kept[job] = lease
            batch.slotChanges.append(SlotChange(slot: lease.slot, job: job))
        }
        #expect(Set(kept.keys) == Set(leases.values.filter(\.isWritten).map(\.job)))
        leases = kept
        if checks { try check() }
    }

    // MARK: Sessions

    func openSession() throws -> TestSession {
        let session = TestSession(slot: UInt32(sessions.count))
        sessions.append(session)
        stage(.openSession, session) { _ in }
        try commit()
        #expect(result.openedSessions == [session.slot])
        return session
    }

    /// The slot is another session's from now on.
    func replace(_ old: TestSession, by new: TestSession) { sessions[Int(old.slot)] = new }

    func confirm(_ session: TestSession, upTo sequence: UInt64) {
        stage(.confirm, session) { $0.sequence = sequence }
        session.unconfirmed.removeAll { $0.sequence <= sequence }
    }

    /// What a resuming client is told: the last number applied, and the bodies above `sequence`.
    func resume(_ session: TestSession, above sequence: UInt64 = 0) throws -> (applied: UInt64?, bodies: [[UInt8]]) {
        let applied = try open.read { try open.sessionReads.applied(session.id, $0) }
        var bodies: [[UInt8]] = []
        try open.read {
            try open.sessionReads.outcomes(of: session.id, above: sequence, $0) { bodies.append([UInt8](copying: $0)) }
        }
        return (applied, bodies)
    }

    // MARK: Commands

    func stage(_ kind: Command.Kind, _ session: TestSession, _ change: (inout Command) -> Void = { _ in }) {
        var command = Command(kind)
        command.sessionSlot = session.slot
        command.session = session.id
        change(&command)
        batch.commands.append(command)
    }

    @discardableResult
    func stageAdd(_ specs: [ItemSpec], _ session: TestSession? = nil) -> UInt64 {
        let session = session ?? self.session
        let sequence = session.draw()
        var writer = WireWriter()
        Add(sequence: sequence, specs).encode(into: &writer)
        let body = batch.keep(writer.span)
        stage(.add, session) {
            $0.sequence = sequence
            $0.body = body
        }
        return sequence
    }

    @discardableResult
    func stageAdd(bytes: [UInt8]) -> UInt64 {
        let sequence = session.draw()
        let body = batch.keep(bytes.rawSpan)
        stage(.add, session) {
            $0.sequence = sequence
            $0.body = body
        }
        return sequence
    }

    /// Adds the items in a batch of their own.
    ///
    /// - Throws: the refusal, as a `WireError`.
    @discardableResult
    func add(_ specs: ItemSpec...) throws -> Added {
        let sequence = stageAdd(specs)
        try commit()
        return try added(sequence, specs)
    }

    @discardableResult
    func add(_ node: NodeSpec) throws -> JobID { try add(.single(node))[node.name] }

    func added(_ sequence: UInt64, _ specs: [ItemSpec], _ session: TestSession? = nil) throws -> Added {
        let outcome = try #require((session ?? self.session).outcomes[sequence])
        guard outcome.status == 0 else {
            let body = try ErrorBody(reading: outcome.body)
            throw WireError(ErrorCode(rawValue: outcome.status)!, body.message)
        }
        var reader = WireReader(outcome.body.rawSpan)
        let answer = try AddOutcome(from: &reader, jobsMax: PenstockWire.Limits.stagedJobsMax)
        try reader.end("the outcome")
        return Added(answer, specs)
    }

    /// The next ready jobs of the queue that nobody holds, in order, leased; those are left that are ready too long.
    @discardableResult
    func lease(_ queue: String = "q", _ limit: Int = 1, _ session: TestSession? = nil) throws -> [TestLease] {
        var granted: [TestLease] = []
        for entry in try ready(queue) where leases[entry.job] == nil && granted.count < limit {
            if let lease = try grant(entry, session ?? self.session) { granted.append(lease) }
        }
        return granted
    }

    /// The lease of one job, which must be ready.
    func lease(_ job: JobID, _ session: TestSession? = nil) throws -> TestLease {
        let record = try #require(try record(job))
        try #require(record.state == .waiting && leases[job] == nil, "job \(job) is \(record.state)")
        let entry = ReadyEntry(queue: record.queue, group: record.group, turn: record.turn, job: job)
        return try #require(try grant(entry, session ?? self.session), "job \(job) could not be delivered")
    }

    /// Leases the job; nil where it could not be delivered.
    private func grant(_ entry: ReadyEntry, _ session: TestSession) throws -> TestLease? {
        let slot = freeSlots.last ?? slotCount
        let token = LeaseToken(epoch: open.engine.epoch, counter: tokenCounter + 1)
        guard let flow = try open.deliver(entry, slot, token) else { return nil }
        if freeSlots.popLast() == nil { slotCount += 1 }
        tokenCounter += 1
        let lease = TestLease(
            job: entry.job,
            queue: entry.queue,
            group: entry.group,
            flow: flow,
            slot: slot,
            token: token,
            session: session,
            startedAt: wall
        )
        leases[entry.job] = lease
        batch.slotChanges.append(SlotChange(slot: slot, job: entry.job))
        return lease
    }

    func ready(_ queue: String = "q") throws -> [ReadyEntry] {
        guard let id = open.reads.queueIDs[queue] else { return [] }
        return try open.ready(id)
    }

    func stage(_ kind: Command.Kind, _ lease: TestLease, _ change: (inout Command) -> Void = { _ in }) {
        stage(kind, lease.session) {
            $0.job = lease.job
            $0.slot = lease.slot
            $0.token = lease.token
            $0.startedAt = lease.startedAt
            change(&$0)
        }
    }

    @discardableResult
    func stageComplete(_ lease: TestLease, _ type: ContentType = .none, _ bytes: [UInt8] = []) -> UInt64 {
        let sequence = lease.session.draw()
        let body = batch.keep(bytes.rawSpan)
        stage(.complete, lease) {
            $0.sequence = sequence
            $0.contentType = type
            $0.body = body
        }
        return sequence
    }

    @discardableResult
    func stageFail(
        _ lease: TestLease,
        unrecoverable: Bool = false,
        delay: UInt64? = nil,
        message: String = "no",
        details: [UInt8] = []
    ) -> UInt64 {
        let sequence = lease.session.draw()
        let body = batch.keep(Array(message.utf8).rawSpan)
        let more = batch.keep(details.rawSpan)
        stage(.fail, lease) {
            $0.sequence = sequence
            $0.flags =
                (unrecoverable ? Failure.unrecoverableFlag : 0) | (delay == nil ? 0 : Failure.delayFlag)
            $0.duration = delay ?? 0
            $0.body = body
            $0.details = more
        }
        return sequence
    }

    func stageReturn(_ lease: TestLease) { stage(.returnLease, lease) }
    func stageStall(_ lease: TestLease) { stage(.stall, lease) }

    /// A command writes the job's lease.
    func noteWritten(_ job: JobID) { leases[job]?.isWritten = true }

    func stageWrite(_ lease: TestLease) {
        noteWritten(lease.job)
        stage(.writeLease, lease) { $0.duration = 30_000 }
    }

    /// Leases the job, completes it and commits.
    func complete(_ job: JobID, _ type: ContentType = .none, _ bytes: [UInt8] = []) throws {
        let lease = try leases[job] ?? lease(job)
        let sequence = stageComplete(lease, type, bytes)
        try commit()
        try #require(lease.session.code(sequence) == .ok)
    }

    /// Leases the job, fails it and commits.
    func fail(_ job: JobID, unrecoverable: Bool = false, delay: UInt64? = nil, message: String = "no") throws {
        let lease = try leases[job] ?? lease(job)
        let sequence = stageFail(lease, unrecoverable: unrecoverable, delay: delay, message: message)
        try commit()
        try #require(lease.session.code(sequence) == .ok)
    }

    func promote() throws {
        stage(.promote, session)
        try commit()
    }

    // MARK: Reads

    /// The leases, as the server's memory has them.
    var lookup: HarnessLeases {
        HarnessLeases(
            overlays: leases.values.map {
                LeaseOverlay(job: $0.job, queue: $0.queue, group: $0.group, flow: $0.flow, startedAt: $0.startedAt)
            }
        )
    }

    func view(_ job: JobID) throws -> JobView { try view(.id(job)) }

    func view(_ reference: JobReference) throws -> JobView {
        try open.read { try open.reads.job(reference, $0, lookup, elapsed: elapsed) }
    }

    func state(_ job: JobID) throws -> JobState { try view(job).state }

    func states(_ added: Added, _ names: String...) throws -> [JobState] { try names.map { try state(added[$0]) } }

    func record(_ job: JobID) throws -> JobRecord? {
        try open.read { try open.reads.record(of: job, $0) }
    }

    func flow(_ flow: FlowID) throws -> FlowView {
        try open.read { try open.reads.flow(flow, $0, lookup) }
    }

    func queue(_ name: String = "q") throws -> StateCounts {
        try queueView(name).counts
    }

    func queueView(_ name: String = "q") throws -> QueueView {
        try open.read { try open.reads.queue(name, $0, lookup, elapsed: elapsed) }
    }

    func kinds(_ job: JobID) throws -> [DependencyKind] { try edges(job).map(\.kind) }

    func edges(_ job: JobID) throws -> [EdgeRecord] {
        try Dump(open.environment, open.reader).edges.filter { $0.key.dependent == job }.map(\.record)
    }
}

struct BrokenInvariants: Error, CustomStringConvertible {
    var problems: [String]
    var description: String { problems.prefix(12).joined(separator: "\n") }
}

extension ErrorBody {
    init(reading bytes: [UInt8]) throws {
        var reader = WireReader(bytes.rawSpan)
        self = try ErrorBody(from: &reader)
        try reader.end("the error")
    }
}

/// The code with which `body` is refused; nil where it is not.
func refusal(_ body: () throws -> Void) throws -> ErrorCode? {
    do { try body() } catch let error as WireError { return error.code } catch Reads.Failure.refused(let error) {
        return error.code
    }
    return nil
}
