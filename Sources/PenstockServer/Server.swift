import LMDB
package import Logging
package import PenstockEngine
import PenstockWire
import UV

/// The server on its loop's thread: connections, sessions, dispatcher; and the writer's thread beside it.
///
/// The way of a request: bytes arrive at a ``Connection``, which cuts them into
/// frames for ``receive(_:_:from:)``. What concerns leases is answered from memory,
/// reads from a snapshot; durable commands gather in `staging`. Before the loop
/// blocks, ``turn()`` delivers jobs, flushes what was written, and hands the
/// commands to the writer. When a batch is durable its results come back through
/// the exchange, and are answered in ``takeResults()``.
package final class Server {
    let configuration: ServerConfiguration
    package let clock: ServerClock
    let logger: Logger
    let loop: Loop
    let environment: Environment
    let exchange = Exchange()
    let reader: SnapshotReader
    let sessionReads: SessionReads
    let database: SessionID
    let epoch: UInt64

    var reads: Reads
    var dispatcher: Dispatcher
    var sessions = SessionTable()
    var waits = Waits()
    /// Connections by slot.
    var connections: [Connection?] = []
    var vacantConnections: [UInt32] = []
    var connectionCount = 0
    /// Connections with output that is not flushed.
    var touched: [Connection] = []

    /// Commands that were not handed over yet.
    var staging = Staging()
    /// Commands staged or handed over, and not durable yet.
    var commandsInFlight = 0
    var results: [BatchResult] = []
    var revoked: [Revocation] = []
    /// How many commands have to be durable until no limit of a queue is on its way any more.
    var limitsSettle: UInt64 = 0
    /// Subscriptions to queues that are being made, or whose limits are on their way.
    var pendingSubscriptions: [PendingSubscription] = []
    /// What is kept of what has happened, and who is told; and listeners that have not begun yet.
    var events: EventHub
    var pendingListens: [PendingListen] = []
    /// Elapsed time at which a delayed job is due; 0 until the first commit has told.
    var nextDue: UInt64 = 0
    /// Wall time at which a job is ready that waits for one.
    var nextTimed = UInt64.max
    var isPromoting = false
    /// Elapsed time at which the time to start of a job is over; and a command that fails such jobs is under way.
    var nextStartLimit: UInt64 = 0
    var isExpiring = false
    /// Elapsed time at which deduplication ids are swept whose time is over.
    var nextSweep = UInt64.max
    var schedulers = SchedulerWatch()
    /// Large effects are left to be carried on with; and the next slice has been asked for.
    var isSettling = false
    var isCarryingOn = false
    /// What waits for flows to settle, and when to look at it again.
    var holdingBack: [Connection] = []
    var heldReads: [HeldRead] = []
    var nextHeld = UInt64.max
    /// Monotonic milliseconds of the next look at heartbeats and idle sessions.
    var nextHousekeeping: UInt64 = 0
    var nextExpiry: UInt64 = 0
    var retention: RetentionTimes
    var statistics = Statistics()
    /// A delivery frame that is being filled.
    var delivery = DeliveryFrame()

    private var scratch = WireWriter(capacity: 4096)
    private var listeners: [Listener] = []
    var signals: [Signal] = []
    /// For other threads.
    package private(set) var control: ServerControl!  // because it needs the loop: set once, in init
    private var timer: Timer!  // because its callback needs self: set once, in init
    private var wake: Async!  // because its callback needs self: set once, in init
    private var writer: OSThread?
    /// Monotonic time for which the timer is armed, and the same on the clock that no test moves.
    private var armedAt = UInt64.max
    private var armedReal: UInt64 = 0
    var stopping = Stopping.no
    var isStopping: Bool {
        if case .no = stopping { false } else { true }
    }
    /// Why the server ended by itself.
    package private(set) var failure: EngineError?

    enum Stopping {
        case no
        /// What is in flight is made durable and answered.
        case draining(deadline: UInt64)
        case flushing(deadline: UInt64)
    }

    struct Statistics {
        var commits: UInt64 = 0
        var commands: UInt64 = 0
        var lastCommit: UInt64 = 0
        var startedAt: UInt64 = 0
    }

    struct PendingSubscription {
        var connection: Connection
        var header: FrameHeader
        var request: Subscribe
        /// What it asked for and has been given or lost since.
        var creditJobs: Int
        var creditBytes: Int
    }

    /// Opens the database, listens, and starts the writer; ``run()`` does the rest.
    package init(
        _ configuration: ServerConfiguration,
        clock: ServerClock,
        logger: Logger
    ) throws(ServerError) {
        self.configuration = configuration
        self.clock = clock
        self.logger = logger
        if configuration.host == nil && configuration.unixPath == nil { throw .noAddress }
        if !configuration.isLoopback && !configuration.allowsInsecureAddress {
            throw .insecureAddress(configuration.host ?? "")
        }
        environment = try Server.openEnvironment(configuration)
        var engine: Engine
        do throws(EngineError) {
            engine = try Engine(environment, wall: clock.wall, database: .random())
            engine.retentionRules = configuration.retention
            engine.effectLimits = EffectLimits(steps: configuration.effectSteps)
        } catch {
            throw .engine(error)
        }
        clock.start(elapsed: engine.elapsed)
        database = engine.database
        epoch = engine.epoch
        reads = Reads(engine)
        sessionReads = SessionReads(engine)
        isSettling = engine.isSettling
        retention = RetentionTimes(now: clock.monotonic)
        events = EventHub(epoch: engine.epoch)
        dispatcher = Dispatcher(epoch: engine.epoch, leaseWriteAfter: configuration.leaseWriteAfter)
        do throws(LMDBError) {
            reader = try SnapshotReader(environment)
        } catch {
            throw .reader(error)
        }
        do throws(UVError) {
            loop = try Loop()
            statistics.startedAt = clock.monotonic
            timer = Timer(on: loop) { [unowned self] in timerFired() }
            wake = try Async(on: loop) { [unowned self] in obey() }
            control = ServerControl(wake: wake)
            loop.beforePoll = { [unowned self] in turn() }
            loop.afterPoll = { [unowned self] in takeResults() }
        } catch {
            throw .system(error)
        }
        do throws(ServerError) {
            try restoreLeases(elapsed: engine.elapsed)
            let now = clock.monotonic
            for (queue, settings) in engine.settings { dispatcher.set(queue, to: settings, now: now) }
            try restoreGroupLimits()
            carryOn()
            try listen()
            try startWriter(engine)
        } catch {
            closeLoop()
            throw error
        }
    }

    private static func openEnvironment(_ configuration: ServerConfiguration) throws(ServerError) -> Environment {
        var options = LMDB.Configuration()
        options.mapSize = configuration.mapBytes
        if !configuration.isDurable { options.durability = .lostWithPower }
        do throws(OpenError) {
            return try Environment.open(
                directory: configuration.dataDirectory,
                tables: Tables.names,
                configuration: options
            )
        } catch {
            throw .data(error)
        }
    }

    private func listen() throws(ServerError) {
        if let host = configuration.host {
            do throws(UVError) {
                listeners.append(
                    try Listener.tcp(host: host, port: configuration.port, on: loop) { [unowned self] in accept($0) }
                )
            } catch {
                throw .listen(address: "\(host):\(configuration.port)", error)
            }
        }
        if let path = configuration.unixPath {
            do throws(UVError) {
                listeners.append(try Listener.unix(path: path, on: loop) { [unowned self] in accept($0) })
            } catch {
                throw .listen(address: path, error)
            }
        }
        for listener in listeners {
            listener.onError = { [unowned self] error in
                logger.warning("a connection could not be accepted", metadata: ["error": "\(error)"])
            }
        }
    }

    private func startWriter(_ engine: consuming Engine) throws(ServerError) {
        let box = WriterBox(
            Writer(engine, exchange, clock, configuration, wake: wake)
        )
        do throws(UVError) {
            writer = try OSThread { box.run() }
        } catch {
            throw .system(error)
        }
    }

    /// The port that the server listens on; nil where it has no TCP address.
    package var port: Int? { configuration.host == nil ? nil : listeners.first?.localPort }

    private func obey() {
        let request = control.takeRequest()
        switch request {
        case .none: break
        case .stop: stop()
        case .abandon: loop.stop()
        }
    }

    /// Serves until ``stop()``, or until the writer could not go on.
    package func run() {
        loop.run()
        end()
    }

    /// A server that was made and not run has a thread to end, too.
    deinit {
        if writer != nil { end() }
    }

    private func end() {
        exchange.stop()
        writer?.join()
        writer = nil
        closeLoop()
    }

    private func closeLoop() {
        for connection in connections { connection?.stream.close() }
        loop.beforePoll = nil
        loop.afterPoll = nil
        loop.close()
        connections = []
        timer = nil
        control = nil
        wake = nil
        listeners = []
        signals = []
    }

    // MARK: A turn of the loop

    /// What is done once before the loop blocks, for everything that has arrived.
    private func turn() {
        guard failure == nil else { return }
        let now = clock.monotonic
        let hasMore = deliver(now: now)
        tellStarted()
        if events.hasDue { tellListeners() }
        flush()
        handOver()
        stopIfDrained(now: now)
        arm(now: now)
        if hasMore || events.hasDue || dispatcher.hasWork && !isStopping { wake.send() }
    }

    private func flush() {
        for connection in touched {
            connection.isTouched = false
            connection.stream.flush()
            if connection.stream.unsentBytes > Server.unsentBytesMax {
                connection.closeIfUnread()
            } else if connection.isBlocked && connection.stream.unsentBytes == 0 {
                // The kernel has taken all of it at once: nothing drains later.
                didDrain(connection)
            }
        }
        touched.removeAll(keepingCapacity: true)
    }

    private func handOver() {
        dispatcher.leases.takeChanges(into: &staging.open.slotChanges)
        staging.handOver(to: exchange)
    }

    func touch(_ connection: Connection) {
        if !connection.isTouched {
            connection.isTouched = true
            touched.append(connection)
        }
    }

    /// Lends a writer that is empty and keeps its memory.
    func withScratch(_ body: (inout WireWriter) -> Void) {
        var writer = WireWriter(capacity: 0)
        swap(&writer, &scratch)
        writer.removeAll()
        body(&writer)
        writer.removeAll()
        writer.shrink(to: 1 << 20)
        swap(&writer, &scratch)
    }

    /// Stages a command for the next batch.
    func stage(_ command: Command) {
        staging.add(command)
        commandsInFlight += 1
    }

    func fail(_ error: EngineError) {
        guard failure == nil else { return }
        failure = error
        logger.critical("the database can't go on; nobody is answered any more", metadata: ["error": "\(error)"])
        loop.stop()
    }

    func fail(_ error: LMDBError) { fail(.lmdb(error)) }

    func closeListeners() {
        for listener in listeners { listener.close() }
    }

    // MARK: Time

    /// Arms the one timer for whatever is due next.
    private func arm(now: UInt64) {
        var next = min(dispatcher.leases.nextDeadline, dispatcher.leases.nextWrite, waits.nextDeadline, nextHeld)
        next = min(next, dispatcher.timeouts.next, dispatcher.nextOpening)
        next = min(next, nextSchedulerLook(now: now))
        if connectionCount > 0 || nextHousekeeping > 0 { next = min(next, nextHousekeeping) }
        if nextDue != .max && !isPromoting {
            let elapsed = clock.elapsed
            next = min(next, nextDue > elapsed ? now + (nextDue - elapsed) : now)
        }
        if nextTimed != .max && !isPromoting {
            let wall = clock.wall
            // No timer goes by the wall clock: a jump of it is looked for now and then.
            next = min(next, nextTimed > wall ? now + min(nextTimed - wall, Server.wallLookMilliseconds) : now)
        }
        if min(nextStartLimit, nextSweep) != .max && !isExpiring {
            let elapsed = clock.elapsed
            let due = min(nextStartLimit, nextSweep)
            next = min(next, due > elapsed ? now + (due - elapsed) : now)
        }
        if !isStopping {
            next = min(next, retention.due(now: now, elapsed: clock.elapsed, isSettling: isSettling))
        }
        if events.nextExpiry != .max && !isStopping {
            let elapsed = clock.elapsed
            next = min(next, events.nextExpiry > elapsed ? now + (events.nextExpiry - elapsed) : now)
        }
        if case .draining(let deadline) = stopping { next = min(next, deadline) }
        if case .flushing(let deadline) = stopping { next = min(next, deadline) }
        guard next != .max else {
            if armedAt != .max { timer.stop() }
            armedAt = .max
            return
        }
        // A timer that fires too early costs a turn; one that is armed anew each turn costs every turn.
        guard next < armedAt || armedAt <= now else { return }
        armedAt = next
        let wait = next > now ? next - now : 0
        armedReal = Loop.monotonicNanoseconds() / 1_000_000 + wait
        timer.start(afterMilliseconds: wait)
    }

    /// Milliseconds that the timer may be late before the server counts as having been frozen.
    private static let frozenMilliseconds: UInt64 = 1000

    private func timerFired() {
        let real = Loop.monotonicNanoseconds() / 1_000_000
        armedAt = .max
        if real > armedReal + Server.frozenMilliseconds {
            let gap = real - armedReal
            logger.warning("the server stood still", metadata: ["milliseconds": "\(gap)"])
            // What has arrived meanwhile is read before anything may expire.
            dispatcher.shift(by: gap)
            dispatcher.shiftGates(by: gap)
            for session in sessions.all { session.lastHeard += gap }
            for connection in connections { connection?.lastHeard += gap }
            return
        }
        let now = clock.monotonic
        tendLeases(now: now)
        dispatcher.openDueGates(now: now)
        promoteDue()
        expireDue()
        retain(now: now)
        runDueSchedulers(now: now)
        expireWaits(now: now)
        expireEvents()
        if nextHeld <= now { goOnWithHeld(hasSettled: false) }
        keepHouse(now: now)
    }

    /// Bytes that a client may leave unread before it is closed.
    static let unsentBytesMax = 8 << 20
    /// Commands of one session that may wait to be durable before nothing more is read from it.
    static let commandsOfSessionMax: UInt64 = 65_536
    /// Bytes of such commands.
    static let commandBytesOfSessionMax = 16 << 20
    /// Bytes that a client may leave unread before deliveries to it wait.
    static let unsentBytesForDeliveryMax = 1 << 20
}

/// Carries the writer to its thread, which alone uses it from then on.
final class WriterBox: @unchecked Sendable {  // because it is handed over once, before the thread starts
    private var writer: Writer

    init(_ writer: consuming Writer) { self.writer = writer }

    func run() { writer.run() }
}
