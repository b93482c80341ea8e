import LMDB
import Logging
import PenstockEngine
import PenstockWire
import UV

/// Connections and sessions: how they begin, go on, and end.
extension Server {
    /// Milliseconds from the accept in which a client has to say hello.
    static let helloMilliseconds: UInt64 = 5000

    func accept(_ stream: UV.Stream) {
        let slot = vacantConnections.popLast() ?? UInt32(connections.count)
        let connection = Connection(slot: slot, stream: stream, server: self, now: clock.monotonic)
        if Int(slot) == connections.count {
            connections.append(connection)
        } else {
            connections[Int(slot)] = connection
        }
        connectionCount += 1
        stream.delegate = connection
        stream.startReading()
        // The timer has to look at heartbeats from now on.
        nextHousekeeping = min(nextHousekeeping == 0 ? .max : nextHousekeeping, clock.monotonic + 1000)
        if connectionCount > configuration.connectionsMax {
            connection.fail(
                WireError(
                    .tooManyConnections,
                    "The server has \(configuration.connectionsMax) connections, which is its most."
                )
            )
        }
    }

    func didClose(_ connection: Connection) {
        guard connections[Int(connection.slot)] === connection else { return }
        connections[Int(connection.slot)] = nil
        vacantConnections.append(connection.slot)
        connectionCount -= 1
        retire(connection)
        if let session = connection.session { forgetIfIdle(session) }
    }

    /// The connection is about to end: nothing is delivered to it any more, and its session is free for another one.
    func retire(_ connection: Connection) {
        endSubscriptions(of: connection)
        if connection.waitCount > 0 { waits.remove(connection: connection.slot) }
        connection.waitCount = 0
        forgetHeld(of: connection)
        if let session = connection.session {
            if session.connection === connection { session.connection = nil }
            if session.welcoming === connection { session.welcoming = nil }
        }
    }

    private func endSubscriptions(of connection: Connection) {
        if !connection.subscriptions.isEmpty { dispatcher.unsubscribeAll(ofConnection: connection.slot) }
        connection.subscriptions.removeAll()
        if !pendingSubscriptions.isEmpty { pendingSubscriptions.removeAll { $0.connection === connection } }
        endListeners(of: connection)
    }

    func didDrain(_ connection: Connection) {
        guard connection.isBlocked else { return }
        connection.isBlocked = false
        for id in connection.subscriptions.values { dispatcher.unblock(id) }
        wakeListeners(of: connection)
    }

    /// Takes a session that nobody uses out of memory; the database remembers it for a day.
    private func forgetIfIdle(_ session: Session) {
        if session.isIdle { forget(idle: [session]) }
    }

    /// Takes those of the sessions that hold no lease out of memory.
    ///
    /// - Complexity: O(leases + sessions).
    private func forget(idle idleSessions: [Session]) {
        guard !idleSessions.isEmpty else { return }
        var holders = Set<UInt32>()
        dispatcher.leases.forEachHeld { _, lease in
            if sessions[lease.sessionSlot]?.isIdle == true { holders.insert(lease.sessionSlot) }
        }
        for session in idleSessions where !holders.contains(session.slot) { sessions.remove(session) }
    }

    // MARK: Hello

    func hello(_ header: FrameHeader, _ hello: Hello, from connection: Connection) throws(WireError) {
        guard hello.versionMin <= Hello.version, hello.versionMax >= Hello.version else {
            throw WireError(
                .unsupportedVersion,
                "The client speaks versions \(hello.versionMin) to \(hello.versionMax); this server speaks \(Hello.version)."
            )
        }
        if isStopping { throw WireError(.draining, "The server is stopping.") }
        guard hello.lockDuration == 0 || Limits.allowsLockDuration(hello.lockDuration) else {
            throw .lockDuration(hello.lockDuration)
        }
        guard hello.session != SessionID(high: 0, low: 0) else {
            throw WireError(.invalidRequest, "A session's id can't be 0: draw one at random.")
        }
        let session = try hello.mode == .open ? open(hello) : resume(hello)
        if hello.lockDuration > 0 { session.lockDurationMin = min(session.lockDurationMin, hello.lockDuration) }
        session.lastHeard = clock.monotonic
        logger.debug(
            "a client said hello",
            metadata: [
                "client": "\(Names.quoted(hello.client))", "session": "\(session.id)",
                "peer": "\(connection.stream.peerName)",
            ]
        )
        connection.session = session
        connection.client = hello.client
        connection.state = .welcoming
        connection.hello = (header, hello.confirmed, hello.mode == .resume)
        session.welcoming = connection
        if session.isSettled { welcome(connection, session) }
    }

    private func open(_ hello: Hello) throws(WireError) -> Session {
        guard sessions[hello.session] == nil, try storedApplied(hello.session) == nil else {
            throw WireError(.invalidRequest, "The session \(hello.session) exists: resume it, or draw another id.")
        }
        let session = sessions.add(hello.session, isOpening: true, applied: 0, now: clock.monotonic)
        var command = Command(.openSession)
        command.sessionSlot = session.slot
        command.session = session.id
        stage(command)
        return session
    }

    private func resume(_ hello: Hello) throws(WireError) -> Session {
        let known = sessions[hello.session]
        if let session = known, !session.isEnding {
            for old in [session.connection, session.welcoming] {
                old?.fail(WireError(.sessionTakenOver, "Another connection has resumed this session."))
            }
            return session
        }
        guard known == nil, let applied = try storedApplied(hello.session) else {
            throw WireError(
                .sessionUnknown,
                "The session \(hello.session) is not known: it ended, nobody came back for a day, or it is another database."
            )
        }
        return sessions.add(hello.session, isOpening: false, applied: applied, now: clock.monotonic)
    }

    private func storedApplied(_ session: SessionID) throws(WireError) -> UInt64? {
        let reader = reader
        do throws(LMDBError) {
            let snapshot = try reader.begin()
            return try sessionReads.applied(session, snapshot)
        } catch {
            fail(error)
            throw WireError(.internalError, "The database can't be read.")
        }
    }

    func didOpen(_ slot: UInt32) {
        guard let session = sessions[slot], session.isOpening else { return }
        session.isOpening = false
        if let connection = session.welcoming {
            welcome(connection, session)
        } else {
            forgetIfIdle(session)
        }
    }

    /// Answers a hello, now that nothing of the session is in flight.
    func welcome(_ connection: Connection, _ session: Session) {
        guard let hello = connection.hello else { return }
        session.welcoming = nil
        session.connection = connection
        connection.hello = nil
        connection.frameBytesMax = Limits.frameBytesMax
        var welcome = Welcome(
            resumed: hello.isResume,
            database: database,
            epoch: epoch,
            lastApplied: session.applied,
            heartbeat: session.heartbeat,
            server: ServerConfiguration.version
        )
        welcome.version = Hello.version
        connection.send(welcome, correlation: hello.header.correlation)
        connection.state = hello.isResume ? .holding : .open
        nextHousekeeping = min(nextHousekeeping, clock.monotonic + UInt64(session.heartbeat) / 2)
        guard hello.isResume else { return }
        let reader = reader
        do throws(LMDBError) {
            let snapshot = try reader.begin()
            try sessionReads.outcomes(of: session.id, above: hello.confirmed, snapshot) { body in
                connection.send { writer in
                    let start = writer.beginFrame(FrameHeader(.applied))
                    writer.raw(body)
                    writer.endFrame(start)
                }
            }
        } catch {
            fail(error)
        }
        session.confirmed = max(session.confirmed, min(hello.confirmed, session.applied))
        stageConfirm(session)
    }

    /// Gives back what the session holds and the client has not listed, and tells which of the listed are dead.
    func hold(_ header: FrameHeader, _ hold: Hold, _ session: Session, _ connection: Connection) {
        var live = liveLeases(of: session)
        var fenced: [LeaseToken] = []
        for token in hold.tokens where live.removeValue(forKey: token) == nil { fenced.append(token) }
        for slot in live.values { returnLease(slot, session) }
        connection.state = .open
        connection.send(Held(fenced: fenced), correlation: header.correlation)
        recallAgain(session, connection)
    }

    func release(_ header: FrameHeader, _ release: Release, _ session: Session, _ connection: Connection) {
        var live = liveLeases(of: session)
        var fenced: [LeaseToken] = []
        for token in release.tokens {
            if let slot = live.removeValue(forKey: token) { returnLease(slot, session) } else { fenced.append(token) }
        }
        connection.send(Released(fenced: fenced), correlation: header.correlation)
    }

    /// The live and the reserved leases of a session.
    private func liveLeases(of session: Session) -> [LeaseToken: UInt32] {
        var live: [LeaseToken: UInt32] = [:]
        dispatcher.leases.forEachLive(where: { $0.sessionSlot == session.slot }) { slot, lease in
            live[lease.token] = slot
        }
        dispatcher.leases.forEachReserved(where: { $0.sessionSlot == session.slot }) { slot, lease in
            live[lease.token] = slot
        }
        return live
    }

    // MARK: Signs of life

    func heartbeat(_ heartbeat: Heartbeat, _ session: Session) throws(WireError) {
        guard heartbeat.number <= session.applied else {
            throw WireError(
                .badSequence,
                "Number \(heartbeat.number) is confirmed, but only those up to \(session.applied) have been answered."
            )
        }
        confirm(heartbeat.number, session)
    }

    /// A session that was not written for so many milliseconds is, so that it is known to be alive.
    private static let aliveMilliseconds: UInt64 = 1_800_000

    private func confirm(_ sequence: UInt64, _ session: Session) {
        session.confirmed = max(session.confirmed, min(sequence, session.applied))
        if session.confirmed > session.confirmedSent || isToBeWritten(session) { stageConfirm(session) }
    }

    private func isToBeWritten(_ session: Session) -> Bool {
        clock.monotonic >= session.lastConfirm + Server.aliveMilliseconds
    }

    /// Has the session's row written: with what is confirmed, and as a sign of life.
    func stageConfirm(_ session: Session) {
        session.confirmedSent = session.confirmed
        session.lastConfirm = clock.monotonic
        var command = Command(.confirm)
        command.sessionSlot = session.slot
        command.session = session.id
        command.sequence = session.confirmed
        stage(command)
    }

    /// Sends heartbeats, closes what is silent, forgets what is idle.
    func keepHouse(now: UInt64) {
        guard nextHousekeeping <= now else { return }
        var shortest = UInt64(Limits.heartbeatMillisecondsMax)
        for connection in connections {
            guard let connection, connection.state != .closing else { continue }
            guard let session = connection.session, connection.state != .welcoming else {
                shortest = min(shortest, Server.helloMilliseconds)
                if now > connection.lastHeard + Server.helloMilliseconds && connection.state == .new {
                    connection.fail(WireError(.helloTimeout, "No hello within \(Server.helloMilliseconds) ms."))
                }
                continue
            }
            let interval = UInt64(session.heartbeat)
            shortest = min(shortest, interval)
            if connection.isHeldUp {
                connection.lastHeard = now
                session.lastHeard = now
            }
            if now > connection.lastHeard + 2 * interval {
                connection.fail(WireError(.heartbeatMissed, "Nothing was heard for two intervals of \(interval) ms."))
            } else if now >= connection.lastSent + interval {
                connection.lastSent = now
                connection.send(Heartbeat(number: statistics.lastCommit))
            }
        }
        forget(idle: sessions.all.filter(\.isIdle))
        dispatcher.leases.trim()
        expireSessions(now: now)
        let hasWork = connectionCount > 0 || sessions.all.contains { _ in true }
        // A heartbeat is late by a quarter of its interval at most: so the division rounds up.
        nextHousekeeping = hasWork ? now + max(50, (shortest + 3) / 4) : .max
    }

    /// Milliseconds between two looks for sessions that nobody came back to. One look takes as many rounds of the
    /// housekeeping as there are pages of sessions.
    private static let expiryMilliseconds: UInt64 = 3_600_000

    private func expireSessions(now: UInt64) {
        guard now >= nextExpiry else { return }
        nextExpiry = now + Server.expiryMilliseconds
        environment.releaseDeadReaders()
        // Whoever is connected or holds leases is not forgotten, though it may have confirmed nothing for a day.
        for session in sessions.all where !session.isOpening && !session.isEnding && isToBeWritten(session) {
            stageConfirm(session)
        }
        stage(Command(.expireSessions))
    }

    // MARK: The end

    /// The session ends: its leases are given back, its outcomes forgotten.
    func goodbye(_ header: FrameHeader, _ session: Session, _ connection: Connection) {
        for slot in liveLeases(of: session).values { returnLease(slot, session) }
        endSubscriptions(of: connection)
        connection.goodbye = header.correlation
        session.isEnding = true
        var command = Command(.endSession)
        command.sessionSlot = session.slot
        command.session = session.id
        stage(command)
    }

    func didEnd(_ slot: UInt32) {
        guard let session = sessions[slot], session.isEnding else { return }
        session.applied = session.accepted
        if let connection = session.connection {
            if let correlation = connection.goodbye { connection.send(Farewell(), correlation: correlation) }
            connection.closeAfterFlush()
            connection.session = nil
        }
        sessions.remove(session)
    }
}

extension Limits {
    static func allowsLockDuration(_ milliseconds: UInt32) -> Bool {
        (lockDurationMillisecondsMin...lockDurationMillisecondsMax).contains(milliseconds)
    }
}

extension WireError {
    static func lockDuration(_ milliseconds: UInt32) -> WireError {
        WireError(
            .invalidRequest,
            "A lease of \(milliseconds) ms; \(Limits.lockDurationMillisecondsMin) to \(Limits.lockDurationMillisecondsMax) are allowed, 0 for the default."
        )
    }
}

extension Environment {
    /// Frees the slots of readers whose process is gone; where that fails, the next look tries again.
    func releaseDeadReaders() { _ = try? checkReaders() }
}
