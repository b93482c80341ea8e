import LMDB
import PenstockEngine
import PenstockWire

/// Jobs that workers have been given before they could begin them.
///
/// Nothing of that is durable, and nothing of it counts: for everybody but its
/// worker such a job waits, until the worker says that it has started.
extension Server {
    func start(_ message: Started, _ session: Session) {
        let now = clock.monotonic
        let wall = clock.wall
        for lease in message.leases {
            dispatcher.start(lease.slot, token: lease.token, sessionSlot: session.slot, now: now, wall: wall)
        }
        for slot in dispatcher.takeWriteRequests() { writeLease(slot) }
    }

    /// Asks for the reserved jobs of a queue back, of which nothing is to begin now.
    ///
    /// Their workers decide: what they have not begun they release, and what they have begun they have said so of, or are
    /// about to. So no job is taken from a handler that runs.
    func recall(_ queue: QueueID, now: UInt64) {
        var tokens: [UInt32: [LeaseToken]] = [:]
        for lease in dispatcher.recall(queue, now: now) { tokens[lease.sessionSlot, default: []].append(lease.token) }
        for (slot, tokens) in tokens {
            if let connection = sessions[slot]?.connection, connection.state == .open {
                send(recall: tokens, connection)
            }
        }
    }

    /// What was asked back while the session had no connection.
    func recallAgain(_ session: Session, _ connection: Connection) {
        var tokens: [LeaseToken] = []
        dispatcher.leases.forEachReserved(where: { $0.sessionSlot == session.slot && $0.phase == .recalled }) {
            tokens.append($1.token)
        }
        send(recall: tokens, connection)
    }

    private func send(recall tokens: [LeaseToken], _ connection: Connection) {
        for start in stride(from: 0, to: tokens.count, by: Limits.tokensPerFrameMax) {
            let end = min(start + Limits.tokensPerFrameMax, tokens.count)
            connection.send(Recall(tokens: Array(tokens[start..<end])))
        }
    }

    /// Tells those who listen which reserved jobs are active now.
    func tellStarted() {
        let started = dispatcher.takeStartedJobs()
        guard !started.isEmpty, events.isOn else { return }
        let reader = reader
        do throws(LMDBError) {
            let snapshot = try reader.begin()
            for lease in started {
                let entry = ReadyEntry(queue: lease.queue, group: lease.group, turn: lease.turn, job: lease.job)
                try tellActive(entry, lease.flow, lease.subscription, snapshot)
            }
        } catch {
            fail(error)
        }
    }

    // MARK: Where nobody prefetches

    /// Takes a SET_QUEUE. A bound on what runs is refused while somebody prefetches from the queue.
    func setQueue(_ body: RawSpan, _ session: Session) throws(WireError) {
        guard let request = try? SetQueue(body: body), request.settings.forbidsPrefetch else {
            return try change(.setQueue, body, session)
        }
        try limit(request.queue, request.sequence, .setQueue, body, session)
    }

    /// Takes a SET_GROUP, likewise.
    func setGroup(_ body: RawSpan, _ session: Session) throws(WireError) {
        guard let request = try? SetGroup(body: body), request.concurrency > 0 else {
            return try change(.setGroup, body, session)
        }
        try limit(request.queue, request.sequence, .setGroup, body, session)
    }

    private func limit(
        _ name: String,
        _ sequence: UInt64,
        _ kind: Command.Kind,
        _ body: RawSpan,
        _ session: Session
    ) throws(WireError) {
        if let queue = reads.queueIDs[name], dispatcher.isPrefetched(queue) {
            try session.accept(first: sequence, count: 1, addBytes: 0)
            return refuse(sequence, session, .prefetched(name))
        }
        try change(kind, body, session)
        limitsSettle = statistics.commands + UInt64(commandsInFlight)
    }

    /// False while a bound is on its way: a subscription that prefetches has to wait for it, so that not both are there.
    var limitsAreSettled: Bool { statistics.commands >= limitsSettle }

    func checkPrefetch(_ request: Subscribe) throws(WireError) {
        guard request.prefetches else { return }
        for name in request.queues {
            if let queue = reads.queueIDs[name], dispatcher.forbidsPrefetch(queue) { throw .limited(name) }
        }
    }
}

extension WireError {
    fileprivate static func prefetched(_ queue: String) -> WireError {
        WireError(
            .prefetchLimited,
            "A worker prefetches from the queue \(Names.quoted(queue)): a rate or a concurrency can be set when none does."
        )
    }

    fileprivate static func limited(_ queue: String) -> WireError {
        WireError(
            .prefetchLimited,
            "The queue \(Names.quoted(queue)) has a rate or a concurrency, or its groups have: prefetch 0 is allowed."
        )
    }
}
