import Logging
import NIOCore
import PenstockWire

/// Performs what the state machine of a session decides. Lives on one event loop, beyond any one connection.
final class SessionCore {
    typealias Machine = SessionStateMachine<Waiter>

    private let eventLoop: any EventLoop
    private let outbox: Outbox
    private let ended: OneShot
    private let logger: Logger
    private var machine: Machine
    private var output = Machine.Output()
    private var channel: (any Channel)?
    private var workers: [WorkerID: any LeaseHolder] = [:]
    /// Who listens to events, and the number of the connection that the feed is told on.
    private var feeds: [ListenerID: (feed: EventFeed, generation: Int)] = [:]
    /// True once a connection has come to stand since this was last asked.
    private var hasStood = false

    init(client: String, eventLoop: any EventLoop, outbox: Outbox, ended: OneShot, logger: Logger) {
        self.eventLoop = eventLoop
        self.outbox = outbox
        self.ended = ended
        self.logger = logger
        machine = Machine(client: client, session: .random())
    }

    // MARK: From the client

    /// Takes what has gathered in the outbox, and sends it.
    func drain() {
        collect()
        perform()
    }

    private func collect() {
        let batch = outbox.take()
        machine.start(batch.started, &output)
        // A barrier stands behind what was completed before it, and so behind all that has gathered.
        let barrier = batch.commands.firstIndex(where: \.isBarrier) ?? batch.commands.endIndex
        for command in batch.commands[..<barrier] { apply(command) }
        for (bytes, count) in batch.frames { machine.complete(DurableFrame(completions: bytes, count: count), &output) }
        for command in batch.commands[barrier...] { apply(command) }
    }

    private func apply(_ command: SessionCommand) {
        let now = NIODeadline.now()
        switch command {
        case .command(let bytes, let request, let waiter, let deadline):
            let frame = DurableFrame(command: bytes, request: request, context: waiter, deadline: deadline)
            machine.command(frame, &output)
        case .read(let frame, let request, let waiter, let deadline, let isWait, let survives):
            let read = Machine.Read(
                frame: frame,
                context: waiter,
                deadline: deadline,
                isWait: isWait,
                survives: survives
            )
            machine.read(request, read, now: now, &output)
        case .barrier(let request, let waiter, let deadline):
            machine.awaitCompletions(request, waiter, deadline: deadline, &output)
        case .cancel(let request): machine.cancel(request, .cancelledByTask, &output)
        case .begin(let worker, let subscription, let holder):
            guard machine.phase != .ended else { return holder.end(.clientEnded) }
            workers[worker] = holder
            machine.begin(worker, subscription, &output)
        case .end(let worker, let request, let waiter): machine.end(worker, request, waiter, now: now, &output)
        case .credit(let worker, let generation, let count):
            machine.credit(worker, generation: generation, count: count, &output)
        case .resize(let worker, let concurrency): machine.resize(worker, concurrency, &output)
        case .release(let tokens): machine.release(tokens, &output)
        case .listen(let feed):
            guard machine.phase != .ended else { return feed.finish(.clientEnded) }
            feeds[feed.id] = (feed, 0)
            if machine.phase == .ready { greet(feed) }
        case .unlisten(let id):
            feeds[id] = nil
            machine.unlisten(id, &output)
        case .creditEvents(let id, let generation, let bytes):
            if feeds[id]?.generation == generation { machine.credit(id, bytes: bytes, &output) }
        }
    }

    /// Asks for the events of a feed, on the connection that stands.
    private func greet(_ feed: EventFeed) {
        let (message, generation) = feed.greet()
        feeds[feed.id]?.generation = generation
        machine.listen(feed.id, message, &output)
    }

    /// A worker has come to its end: it holds nothing any more.
    func forget(_ worker: WorkerID) {
        workers[worker] = nil
        machine.forget(worker)
    }

    func leave() {
        collect()
        machine.leave(&output)
        perform()
    }

    func abort() {
        collect()
        machine.abort(&output)
        perform()
        endWorkers()
        channel?.close(promise: nil)
    }

    /// No session, no leases: whatever the workers still run is of no use any more.
    private func endWorkers() {
        for worker in workers.values {
            worker.loseAll()
            worker.end(.clientEnded)
        }
        for (feed, _) in feeds.values { feed.finish(.clientEnded) }
        feeds.removeAll()
    }

    func tick() {
        collect()
        machine.tick(now: .now(), &output)
        perform()
    }

    /// True where nobody waits for an answer.
    var isIdle: Bool { machine.isIdle }

    var heartbeatInterval: TimeAmount { machine.heartbeatInterval }

    func takeHasStood() -> Bool {
        defer { hasStood = false }
        return hasStood
    }

    // MARK: From the connection

    func connected(_ channel: any Channel) {
        self.channel = channel
        machine.connected(fresh: .random(), now: .now(), &output)
        perform()
    }

    func disconnected(_ channel: any Channel) {
        guard self.channel === channel else { return }
        self.channel = nil
        machine.disconnected(&output)
        perform()
    }

    /// One frame of the server's; what it leads to is performed when all that was read has been looked at.
    /// - Returns: false where nothing more may be read.
    func receive(_ header: FrameHeader, _ body: RawSpan) throws(WireError) -> Bool {
        guard channel != nil, machine.phase != .ended || machine.isLeaving else { return false }
        if header.flags.contains(.error) {
            receiveError(header, PenstockError(status: header.status, body: body))
            return true
        }
        switch Opcode(rawValue: header.opcode) {
        case .deliver: deliver(try Deliver(body: body), stream: header.stream)
        case .events:
            let events = try Events(body: body)
            if let id = machine.listeners[header.stream] { feeds[id]?.feed.receive(events) }
        case .listen:
            let listening = try Listening(body: body)
            if let id = machine.listeners[header.stream] { feeds[id]?.feed.began(after: listening.sequence) }
        case .applied: machine.applied(try Applied(body: body), &output)
        case .heartbeat: break
        case .revoked:
            let leases = try Revoked(body: body).leases
            for lease in leases where lease.reason == .cancelled {
                logger.info("A job that runs here was cancelled", metadata: ["reason": "\(lease.message)"])
            }
            let revoked = Dictionary(leases.map { ($0.token, JobCancellation($0)) }) { first, _ in first }
            for worker in workers.values { worker.revoke(revoked) }
        case .recall:
            let tokens = try Recall(body: body).tokens
            for worker in workers.values { machine.release(worker.recall(tokens), &output) }
        case .hello: welcome(try Welcome(body: body))
        case .hold: machine.held(try Held(body: body), now: .now(), &output)
        case .subscribe:
            machine.heartbeatInterval = .milliseconds(Int64(max(try Subscribed(body: body).heartbeat, 1)))
            if let id = machine.worker(of: header.stream) { workers[id]?.subscribed() }
        case .goodbye:
            if header.flags.contains(.reply) {
                machine.farewell(&output)
            } else {
                logger.info("The server is about to stop; the session goes on when it is back")
            }
        default: machine.replied(header.correlation, .success([UInt8](copying: body)), &output)
        }
        return true
    }

    private func receiveError(_ header: FrameHeader, _ error: PenstockError) {
        let isHard = ErrorCode(rawValue: header.status)?.isHard ?? false
        switch Opcode(rawValue: header.opcode) {
        case .hello where machine.phase == .greeting, .hold where machine.phase == .holding:
            machine.refused(error, fresh: .random(), now: .now(), &output)
        case _ where isHard: machine.hardError(error, fresh: .random(), &output)
        case .subscribe:
            logger.error("The server refused a subscription", metadata: ["error": "\(error)"])
            // A server that is about to stop is back before long, and is asked again.
            guard error.code != .draining, let id = machine.worker(of: header.stream) else { return }
            workers[id]?.end(error)
        case .listen:
            // A server that is about to stop is back before long, and is asked again.
            guard error.code != .draining, let id = machine.listeners.removeValue(forKey: header.stream) else { return }
            feeds.removeValue(forKey: id)?.feed.finish(error)
        default: machine.replied(header.correlation, .failure(error), &output)
        }
    }

    private func welcome(_ welcome: Welcome) {
        var leases: [WorkerID: HeldLeases] = [:]
        if machine.resumes {
            // In this order: what ends in between is in both the list and the outbox, never in neither.
            for (id, worker) in workers { leases[id] = worker.held() }
            collect()
        }
        machine.welcomed(welcome, leases: leases, now: .now(), &output)
        hasStood = true
    }

    private func deliver(_ message: Deliver, stream: UInt32) {
        let unwanted: [LeaseToken]
        if let id = machine.worker(of: stream), let worker = workers[id] {
            unwanted = worker.receive(message.deliveries)
        } else {
            unwanted = message.deliveries.map(\.token)
        }
        machine.release(unwanted, &output)
    }

    /// All that was read has been looked at.
    func readComplete() {
        machine.heard(now: .now())
        perform()
    }

    /// The server's bytes make no sense.
    func failed(_ error: WireError) {
        logger.error("The server sent what can't be read", metadata: ["error": "\(error)"])
        channel?.close(promise: nil)
    }

    // MARK: Effects

    private func perform() {
        while !output.isEmpty {
            let output = self.output
            self.output = Machine.Output()
            if let channel, !output.frames.isEmpty {
                for frame in output.frames { channel.write(frame, promise: nil) }
                channel.flush()
            }
            for event in output.events { perform(event) }
        }
    }

    private func perform(_ event: Machine.Event) {
        switch event {
        case .answered(let waiter, let result): waiter.resume(returning: result)
        case .discarded(let token, let error):
            let what: Logger.Message =
                error.code == .unresolvedDependencies
                ? "A job was completed while dependencies of it were unfinished: the attempt has failed"
                : "The server refused the end of a job: its lease had been lost"
            logger.warning(what, metadata: ["lease": "\(token)", "error": "\(error)"])
        case .sessionLost:
            logger.warning("The server does not know the session any more; its jobs are given up")
            for worker in workers.values { worker.loseAll() }
        case .overdue(let worker):
            logger.warning("The connection has been lost for longer than a lease lasts; its jobs are given up")
            workers[worker]?.loseAll()
        case .fenced(let tokens):
            let lost = Dictionary(tokens.map { ($0, JobCancellation.leaseLost) }) { first, _ in first }
            for worker in workers.values { worker.revoke(lost) }
        case .established(let resumed, let repeated):
            for (feed, _) in feeds.values { greet(feed) }
            logger.info(
                "Connected",
                metadata: [
                    "session": "\(machine.session)", "resumed": "\(resumed)", "repeated-frames": "\(repeated)",
                ]
            )
        case .close(let error):
            logger.warning("Closing the connection", metadata: ["error": "\(error)"])
            channel?.close(promise: nil)
        case .ended:
            ended.fire()
            endWorkers()
            channel?.close(promise: nil)
        }
    }
}

extension PenstockError {
    static let clientEnded = PenstockError(.shutDown, "The client has ended, and with it its workers' jobs.")
    static let cancelledByTask = PenstockError(
        .cancelled,
        "The task that waited was cancelled. A command that had been sent may be carried out all the same."
    )
}
