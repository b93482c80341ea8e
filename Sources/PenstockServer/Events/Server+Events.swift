import LMDB
import PenstockEngine
import PenstockWire
import UV

/// Listeners: how they begin, what they are told, how they end.
extension Server {
    /// A LISTEN to what nobody has listened to lately: the engine is to gather it first.
    struct PendingListen {
        var connection: Connection
        var header: FrameHeader
        var request: Listen
        var creditBytes: Int
        /// It was taken back meanwhile; what it asked of the engine is under way all the same.
        var isCancelled = false
    }

    /// Bytes that a client may leave unread before it is told nothing more: less than with deliveries, so that events
    /// never stand in their way.
    static let unsentBytesForEventsMax = 256 << 10

    // MARK: Beginning

    func listen(_ header: FrameHeader, _ request: Listen, _ connection: Connection) throws(WireError) {
        try checkStream(header.stream, connection)
        guard Int(request.creditBytes) <= Limits.creditBytesMax else { throw .eventCreditTooLarge }
        try check(request.scope)
        if let scope = known(request.scope), events.keeps(scope) {
            return begin(header, request, scope, creditBytes: Int(request.creditBytes), connection)
        }
        if !pendingListens.contains(where: { $0.request.scope == request.scope }) {
            try makeRoomForScope()
            stage(.listen, request.scope)
        }
        pendingListens.append(
            PendingListen(
                connection: connection,
                header: header,
                request: request,
                creditBytes: Int(request.creditBytes)
            )
        )
    }

    /// What the server keeps the events by; nil for a queue that it does not know yet.
    private func known(_ wanted: Listen.Scope) -> EventScope? {
        switch wanted {
        case .all: .all
        case .queue(let name): reads.queueIDs[name].map { .queue($0) }
        case .flow(let flow): .flow(flow)
        }
    }

    /// Refuses what can't be listened to. A flow that is gone can be as long as its events are kept.
    private func check(_ wanted: Listen.Scope) throws(WireError) {
        switch wanted {
        case .all: return
        case .queue(let name):
            let text = Array(name.utf8)
            try Names.checkQueue(text.rawSpan)
        case .flow(let flow):
            if events.keeps(.flow(flow)) { return }
            guard try exists(flow) else { throw WireError(.flowNotFound, "There is no flow \(flow).") }
        }
    }

    private func exists(_ flow: FlowID) throws(WireError) -> Bool {
        let reader = reader
        do throws(LMDBError) {
            let snapshot = try reader.begin()
            return try reads.contains(flow, snapshot)
        } catch {
            fail(error)
            throw WireError(.internalError, "The database can't be read.")
        }
    }

    private func makeRoomForScope() throws(WireError) {
        guard events.vacancies <= pendingListens.count else { return }
        guard let idlest = events.takeIdlest() else {
            throw WireError(
                .invalidRequest,
                "Somebody listens to \(Limits.eventScopesMax) queues and flows already, which is the most."
            )
        }
        forget(idlest)
    }

    private func stage(_ kind: Command.Kind, _ scope: Listen.Scope) {
        var command = Command(kind)
        var body = WireWriter(capacity: 160)
        scope.encode(into: &body)
        command.body = staging.keep(body.span)
        stage(command)
    }

    /// Nobody listens there any more: the engine need not gather it.
    private func forget(_ scope: EventScope) {
        switch scope {
        case .all: stage(.unlisten, .all)
        case .queue(let queue): stage(.unlisten, .queue(reads.queueNames[Int(queue.rawValue) - 1]))
        case .flow(let flow): stage(.unlisten, .flow(flow))
        }
    }

    private func begin(
        _ header: FrameHeader,
        _ request: Listen,
        _ scope: EventScope,
        creditBytes: Int,
        _ connection: Connection
    ) {
        let listener = EventListener(
            connection: connection.slot,
            stream: header.stream,
            scope: scope,
            kinds: request.kinds,
            creditBytes: creditBytes
        )
        connection.listeners[header.stream] = listener
        let sequence = events.add(listener, since: request.since)
        connection.send(Listening(sequence: sequence), correlation: header.correlation, stream: header.stream)
    }

    /// Goes on with the listeners whose events are gathered now.
    func beginPendingListens() {
        let pending = pendingListens
        pendingListens.removeAll()
        for entry in pending {
            guard let scope = known(entry.request.scope), events.keeps(scope) else {
                pendingListens.append(entry)
                continue
            }
            guard !entry.isCancelled, entry.connection.state == .open else { continue }
            begin(entry.header, entry.request, scope, creditBytes: entry.creditBytes, entry.connection)
        }
    }

    // MARK: Ending

    /// The index of a listener on the connection that has not begun yet.
    func pendingListen(_ stream: UInt32, _ connection: Connection) -> Int? {
        pendingListens.firstIndex {
            $0.connection === connection && $0.header.stream == stream && !$0.isCancelled
        }
    }

    func unlisten(_ header: FrameHeader, _ connection: Connection) throws(WireError) {
        if let listener = connection.listeners.removeValue(forKey: header.stream) {
            events.remove(listener, elapsed: clock.elapsed)
        } else if let index = pendingListen(header.stream, connection) {
            pendingListens[index].isCancelled = true
            let request = pendingListens[index].header
            connection.send(
                Listening(sequence: events.sequence),
                correlation: request.correlation,
                stream: request.stream
            )
        } else {
            throw .unknownStream(header.stream)
        }
        connection.send(Unlistened(), correlation: header.correlation, stream: header.stream)
    }

    func endListeners(of connection: Connection) {
        for listener in connection.listeners.values { events.remove(listener, elapsed: clock.elapsed) }
        connection.listeners.removeAll()
        for index in pendingListens.indices where pendingListens[index].connection === connection {
            pendingListens[index].isCancelled = true
        }
    }

    /// Lets events go that nobody has asked for any more for a while.
    func expireEvents() {
        guard !isStopping, events.nextExpiry <= clock.elapsed else { return }
        for scope in events.takeExpired(elapsed: clock.elapsed) { forget(scope) }
    }

    // MARK: Telling

    /// Lets a listener be told more bytes of events; false where the stream is no listener's.
    func credit(_ stream: UInt32, jobs: Int, bytes: Int, _ connection: Connection) throws(WireError) -> Bool {
        let pending = pendingListen(stream, connection)
        let listener = connection.listeners[stream]
        guard listener != nil || pending != nil else { return false }
        guard jobs == 0, bytes >= 0 else {
            throw WireError(.invalidRequest, "A listener is given credits in bytes; jobs, and DEBIT, are a worker's.")
        }
        let credit = (listener?.creditBytes ?? pendingListens[pending ?? 0].creditBytes) + bytes
        guard credit <= Limits.creditBytesMax else { throw .eventCreditTooLarge }
        if let listener {
            listener.creditBytes = credit
            events.wake(listener)
        } else if let pending {
            pendingListens[pending].creditBytes = credit
        }
        return true
    }

    /// Takes in what a commit has brought about.
    func takeEvents(_ result: borrowing BatchResult) {
        for scope in result.heard { events.open(scope, elapsed: clock.elapsed) }
        events.append(result.events, commit: result.commit)
        if !pendingListens.isEmpty { beginPendingListens() }
    }

    /// Sends what there is to those who listen, as long as they read it.
    func tellListeners() {
        for listener in events.takeDue() {
            guard let connection = connections[Int(listener.connection)], connection.state == .open,
                connection.listeners[listener.stream] === listener
            else { continue }
            tell(listener, connection)
        }
    }

    private func tell(_ listener: EventListener, _ connection: Connection) {
        while true {
            guard connection.stream.unsentBytes <= Server.unsentBytesForEventsMax else {
                // It is woken when all of that has gone.
                connection.isBlocked = true
                return
            }
            var hasMore = false
            connection.send { writer in hasMore = events.write(to: listener, into: &writer) }
            if !hasMore { return }
        }
    }

    /// The client has read what it had: its listeners are told more.
    func wakeListeners(of connection: Connection) {
        for listener in connection.listeners.values { events.wake(listener) }
    }
}

extension WireError {
    fileprivate static let eventCreditTooLarge = WireError(
        .invalidRequest,
        "A listener can hold \(Limits.creditBytesMax) byte credits; these are more."
    )
}
