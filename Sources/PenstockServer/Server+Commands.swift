import PenstockEngine
import PenstockWire

/// What each frame asks for.
extension Server {
    /// Takes one frame. An error is its answer, and closes the connection if it is a hard one.
    func receive(_ header: FrameHeader, _ body: RawSpan, from connection: Connection) {
        let now = clock.monotonic
        connection.lastHeard = now
        connection.session?.lastHeard = now
        do throws(WireError) {
            try take(header, body, connection)
            if Opcode(rawValue: header.opcode)?.isDurable == true { connection.session?.weigh(body.byteCount) }
        } catch {
            connection.refuse(header, error)
            // A numbered command that could not be taken would leave a gap in the numbers.
            let isDurable = Opcode(rawValue: header.opcode)?.isDurable == true
            if isDurable && connection.state != .closing { connection.closeAfterFlush() }
        }
    }

    private func take(
        _ header: FrameHeader,
        _ body: RawSpan,
        _ connection: Connection
    ) throws(WireError) {
        let opcode = Opcode(rawValue: header.opcode)
        switch connection.state {
        case .new:
            guard opcode == .hello else { throw helloExpected() }
            return try hello(header, Hello(body: body), from: connection)
        case .holding:
            if let opcode, opcode.isDurable || opcode == .subscribe || opcode == .release {
                throw WireError(
                    opcode.isDurable ? .badSequence : .invalidRequest,
                    "A resumed session begins with HOLD."
                )
            }
        case .open:
            // It would give back the leases that it does not list.
            if opcode == .hold {
                throw WireError(.invalidRequest, "HOLD is sent once, after the welcome to a resumed session.")
            }
        case .welcoming: throw WireError(.helloExpected, "A frame came before the welcome.")
        case .closing: return
        }
        guard let session = connection.session, !session.isEnding else { throw helloExpected() }
        guard let opcode else {
            throw WireError(.unknownOpcode, "Opcode \(header.opcode) is not known to this version.")
        }
        switch opcode {
        case .complete: try complete(body, session)
        case .fail: try fail(body, session)
        case .add: try change(.add, body, session, addBytes: body.frameBytes)
        case .addHeld: try addHeld(body, session)
        case .move: try move(body, session)
        case .report: try report(body, session)
        case .cancel, .retry, .finish, .resolve, .remove, .clean, .update, .clearLogs, .promote:
            if holdsBack(opcode, header, body, connection) { return }
            try change(opcode.changeKind, body, session)
        case .setQueue: try change(.setQueue, body, session)
        case .stage: try change(.stage, body, session, addBytes: body.frameBytes)
        case .setScheduler: try setScheduler(body, session)
        case .removeScheduler: try change(.removeScheduler, body, session)
        case .heartbeat: try heartbeat(Heartbeat(body: body), session)
        case .hold: hold(header, try Hold(body: body), session, connection)
        case .goodbye:
            _ = try Goodbye(body: body)
            goodbye(header, session, connection)
        case .release: release(header, try Release(body: body), session, connection)
        case .subscribe: try subscribe(header, Subscribe(body: body), session, connection)
        case .credit: try credit(header, Credit(body: body), connection)
        case .unsubscribe:
            _ = try Unsubscribe(body: body)
            try unsubscribe(header, connection)
        case .hello: throw WireError(.badHeader, "A second HELLO on one connection.")
        case .deliver, .revoked, .applied:
            throw WireError(.unknownOpcode, "Opcode \(header.opcode) is the server's to send.")
        default: try read(opcode, header, body, connection)
        }
    }

    private func helloExpected() -> WireError {
        WireError(.helloExpected, "The first frame of a connection must be a HELLO.")
    }

    // MARK: Durable commands

    private func complete(_ body: RawSpan, _ session: Session) throws(WireError) {
        var reader = WireReader(body)
        let first = try reader.u64()
        let count = try commandCount(&reader, bytesEach: Completion.byteCountMin)
        try checkCompletions(reader, count)
        try session.accept(first: first, count: count, addBytes: 0)
        for index in 0..<count {
            let slot = try reader.u32()
            let token = try reader.token()
            let contentType = ContentType(rawValue: try reader.u8())
            let result = try reader.range32()
            let sequence = first + UInt64(index)
            guard Int(result.count) <= Limits.payloadBytesMax else {
                refuse(
                    sequence,
                    session,
                    WireError(
                        .resultTooLarge,
                        "A result of \(result.count) bytes; at most \(Limits.payloadBytesMax) are allowed."
                    )
                )
                continue
            }
            guard let lease = dispatcher.finish(slot, token: token, sessionSlot: session.slot) else {
                refuse(sequence, session, .fencedLease)
                continue
            }
            var command = command(.complete, slot, lease, session)
            command.sequence = sequence
            command.contentType = contentType
            if !result.isEmpty { command.body = staging.keep(body.extracting(result)) }
            stage(command)
        }
    }

    /// Walks the frame before anything of it is taken: it is taken whole, or not at all.
    private func checkCompletions(_ reader: WireReader, _ count: Int) throws(WireError) {
        var reader = WireReader(reader.bytes.extracting(reader.offset..<reader.bytes.byteCount))
        for _ in 0..<count {
            _ = try reader.range(Completion.byteCountMin - 4)
            _ = try reader.range32()
        }
        try reader.end("the completions")
    }

    private func checkFailures(_ reader: WireReader, _ count: Int) throws(WireError) {
        var reader = WireReader(reader.bytes.extracting(reader.offset..<reader.bytes.byteCount))
        for _ in 0..<count {
            _ = try reader.range(Failure.byteCountMin - 6)
            _ = try reader.range16()
            _ = try reader.range32()
        }
        try reader.end("the failures")
    }

    private func fail(_ body: RawSpan, _ session: Session) throws(WireError) {
        var reader = WireReader(body)
        let first = try reader.u64()
        let count = try commandCount(&reader, bytesEach: Failure.byteCountMin)
        try checkFailures(reader, count)
        try session.accept(first: first, count: count, addBytes: 0)
        for index in 0..<count {
            let slot = try reader.u32()
            let token = try reader.token()
            let flags = try reader.u8()
            let delay = try reader.u64()
            let message = try reader.range16()
            let details = try reader.range32()
            let sequence = first + UInt64(index)
            if let error = failureError(body, message, details, delay) {
                refuse(sequence, session, error)
                continue
            }
            guard let lease = dispatcher.finish(slot, token: token, sessionSlot: session.slot) else {
                refuse(sequence, session, .fencedLease)
                continue
            }
            var command = command(.fail, slot, lease, session)
            command.sequence = sequence
            command.flags = flags
            command.duration = delay
            command.body = staging.keep(body.extracting(message))
            command.details = staging.keep(body.extracting(details))
            stage(named(command, lease))
        }
    }

    private func failureError(
        _ body: RawSpan,
        _ message: ByteRange,
        _ details: ByteRange,
        _ delay: UInt64
    ) -> WireError? {
        if delay > Limits.delayMillisecondsMax {
            return WireError(
                .invalidOption,
                "A delay of \(delay) ms; at most \(Limits.delayMillisecondsMax) is allowed."
            )
        }
        if message.count > Limits.failureMessageBytesMax || details.count > Limits.failureDetailsBytesMax {
            return WireError(
                .failureTooLarge,
                "A failure of \(message.count) and \(details.count) bytes; \(Limits.failureMessageBytesMax) of message and \(Limits.failureDetailsBytesMax) of details are allowed."
            )
        }
        if String(validating: body.extracting(message)) == nil {
            return WireError(.invalidUTF8, "The failure message is not valid UTF-8.")
        }
        return nil
    }

    private func commandCount(_ reader: inout WireReader, bytesEach: Int) throws(WireError) -> Int {
        let count = try reader.count16(bytesEach: bytesEach)
        guard (1...Limits.completionsPerFrameMax).contains(count) else {
            throw WireError(
                .malformed,
                "\(count) commands in one frame; 1 to \(Limits.completionsPerFrameMax) are allowed."
            )
        }
        return count
    }

    /// A command whose body the engine reads.
    private func change(
        _ kind: Command.Kind,
        _ body: RawSpan,
        _ session: Session,
        addBytes: Int = 0
    ) throws(WireError) {
        var reader = WireReader(body)
        let sequence = try reader.u64()
        try session.accept(first: sequence, count: 1, addBytes: addBytes)
        var command = Command(kind)
        command.sessionSlot = session.slot
        command.session = session.id
        command.sequence = sequence
        command.body = staging.keep(body)
        stage(command)
    }

    /// Stages a refusal: the command uses up its number, and its outcome is remembered like any other.
    func refuse(_ sequence: UInt64, _ session: Session, _ error: WireError) {
        var command = Command(.refuse)
        command.sessionSlot = session.slot
        command.session = session.id
        command.sequence = sequence
        command.status = error.code
        let text = Array(error.message.utf8)
        command.body = staging.keep(text.rawSpan)
        stage(command)
    }

    // MARK: Subscriptions

    private func subscribe(
        _ header: FrameHeader,
        _ request: Subscribe,
        _ session: Session,
        _ connection: Connection
    ) throws(WireError) {
        try check(header, request, connection)
        var isWaiting = false
        for name in request.queues where reads.queueIDs[name] == nil {
            isWaiting = true
            var command = Command(.makeQueue)
            let text = Array(name.utf8)
            command.body = staging.keep(text.rawSpan)
            stage(command)
        }
        if isWaiting {
            pendingSubscriptions.append(
                PendingSubscription(connection: connection, header: header, request: request)
            )
        } else {
            beginSubscription(header, request, session, connection)
        }
    }

    /// The index of a subscription whose queues are being made.
    private func pending(_ stream: UInt32, _ connection: Connection) -> Int? {
        pendingSubscriptions.firstIndex { $0.connection === connection && $0.header.stream == stream }
    }

    private func check(_ header: FrameHeader, _ request: Subscribe, _ connection: Connection) throws(WireError) {
        guard header.stream != 0 else { throw WireError(.unknownStream, "A stream's number can't be 0.") }
        guard connection.subscriptions[header.stream] == nil, pending(header.stream, connection) == nil else {
            throw WireError(.streamInUse, "Stream \(header.stream) is subscribed already.")
        }
        let pendingCount = pendingSubscriptions.count { $0.connection === connection }
        guard connection.subscriptions.count + pendingCount < Limits.streamsPerConnectionMax else {
            throw WireError(
                .invalidRequest,
                "A connection can have \(Limits.streamsPerConnectionMax) subscriptions; this is one more."
            )
        }
        guard !request.queues.isEmpty, request.queues.count <= Limits.queuesPerMessageMax,
            Set(request.queues).count == request.queues.count
        else {
            throw WireError(
                .invalidRequest,
                "\(request.queues.count) queues in a subscription; 1 to \(Limits.queuesPerMessageMax), each once, are allowed."
            )
        }
        for name in request.queues {
            let text = Array(name.utf8)
            try Names.checkQueue(text.rawSpan)
        }
        guard Int(request.creditJobs) <= Limits.creditJobsMax, Int(request.creditBytes) <= Limits.creditBytesMax else {
            throw .creditTooLarge
        }
        guard request.lockDuration == 0 || Limits.allowsLockDuration(request.lockDuration) else {
            throw .lockDuration(request.lockDuration)
        }
    }

    private func beginSubscription(
        _ header: FrameHeader,
        _ request: Subscribe,
        _ session: Session,
        _ connection: Connection
    ) {
        let lockDuration =
            request.lockDuration == 0 ? Limits.lockDurationMillisecondsDefault : request.lockDuration
        session.lockDurationMin = min(session.lockDurationMin, lockDuration)
        let subscription = Subscription(
            connection: connection.slot,
            sessionSlot: session.slot,
            stream: header.stream,
            queues: request.queues.map { reads.queueIDs[$0]! },  // because the caller has seen that each is known
            creditJobs: Int(request.creditJobs),
            creditBytes: Int(request.creditBytes),
            lockDuration: lockDuration,
            worker: request.worker
        )
        connection.subscriptions[header.stream] = dispatcher.subscribe(subscription)
        connection.send(
            Subscribed(heartbeat: session.heartbeat),
            correlation: header.correlation,
            stream: header.stream
        )
        nextHousekeeping = min(nextHousekeeping, clock.monotonic + UInt64(session.heartbeat) / 2)
    }

    /// Goes on with the subscriptions whose queues are there now.
    func retryPendingSubscriptions() {
        let pending = pendingSubscriptions
        pendingSubscriptions.removeAll()
        for entry in pending {
            guard let session = entry.connection.session, !session.isEnding, entry.connection.state == .open else {
                continue
            }
            if entry.request.queues.allSatisfy({ reads.queueIDs[$0] != nil }) {
                beginSubscription(entry.header, entry.request, session, entry.connection)
            } else {
                pendingSubscriptions.append(entry)
            }
        }
    }

    private func credit(
        _ header: FrameHeader,
        _ credit: Credit,
        _ connection: Connection
    ) throws(WireError) {
        if let index = pending(header.stream, connection) {
            let request = pendingSubscriptions[index].request
            let jobs = Int(request.creditJobs) + Int(credit.jobs)
            let bytes = Int(request.creditBytes) + Int(credit.bytes)
            guard jobs <= Limits.creditJobsMax, bytes <= Limits.creditBytesMax else { throw .creditTooLarge }
            pendingSubscriptions[index].request.creditJobs = UInt32(jobs)
            pendingSubscriptions[index].request.creditBytes = UInt32(bytes)
            return
        }
        guard let id = connection.subscriptions[header.stream], let subscription = dispatcher.subscription(id) else {
            throw .unknownStream(header.stream)
        }
        guard subscription.creditJobs + Int(credit.jobs) <= Limits.creditJobsMax,
            subscription.creditBytes + Int(credit.bytes) <= Limits.creditBytesMax
        else { throw .creditTooLarge }
        dispatcher.credit(id, jobs: Int(credit.jobs), bytes: Int(credit.bytes))
    }

    private func unsubscribe(_ header: FrameHeader, _ connection: Connection) throws(WireError) {
        if let id = connection.subscriptions.removeValue(forKey: header.stream) {
            dispatcher.unsubscribe(id)
        } else if let index = pending(header.stream, connection), let session = connection.session {
            let request = pendingSubscriptions.remove(at: index).header
            connection.send(
                Subscribed(heartbeat: session.heartbeat),
                correlation: request.correlation,
                stream: request.stream
            )
        } else {
            throw .unknownStream(header.stream)
        }
        connection.send(Unsubscribed(), correlation: header.correlation, stream: header.stream)
    }

    // MARK: What the server has done

    /// Asks for the next slice of the large effects.
    func carryOn() {
        guard isSettling, !isCarryingOn, !isStopping else { return }
        isCarryingOn = true
        stage(Command(.carryOn))
    }

    /// Asks for the delayed jobs that are due to be made ready.
    func promoteDue() {
        guard !isPromoting, nextDue <= clock.elapsed || nextTimed <= clock.wall else { return }
        isPromoting = true
        stage(Command(.promote))
    }

    /// Asks for the jobs to be failed that nobody has started in time.
    func expireDue() {
        guard !isExpiring, nextStartLimit <= clock.elapsed else { return }
        isExpiring = true
        stage(Command(.expire))
    }
}

extension WireError {
    static let fencedLease = WireError(
        .fenced,
        "The lease is not held any more: it ran out, was given back, has ended, or is another session's."
    )

    static let creditTooLarge = WireError(
        .invalidRequest,
        "A subscription can hold \(Limits.creditJobsMax) job credits and \(Limits.creditBytesMax) byte credits; these are more."
    )

    static func unknownStream(_ stream: UInt32) -> WireError {
        WireError(.unknownStream, "Stream \(stream) is not subscribed.")
    }
}

extension RawSpan {
    /// Bytes of the frame whose body this is.
    var frameBytes: Int { FrameHeader.byteCount + byteCount }
}

extension Opcode {
    /// The command of the engine; only for the commands whose body the engine reads.
    fileprivate var changeKind: Command.Kind {
        switch self {
        case .cancel: .cancel
        case .retry: .retry
        case .finish: .finish
        case .resolve: .resolve
        case .remove: .remove
        case .clean: .clean
        case .update: .update
        case .clearLogs: .clearLogs
        case .promote: .promoteJobs
        default: preconditionFailure("\(self) is no command that the engine reads")
        }
    }
}
