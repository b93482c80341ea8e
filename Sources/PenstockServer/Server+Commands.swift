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
            if let opcode, opcode.isDurable || opcode == .subscribe || opcode == .release || opcode == .listen {
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
        case .setQueue: try setQueue(body, session)
        case .removeDeduplication: try change(.removeDeduplication, body, session)
        case .setGroup: try setGroup(body, session)
        case .stage: try change(.stage, body, session, addBytes: body.frameBytes)
        case .setScheduler: try setScheduler(body, session)
        case .removeScheduler: try change(.removeScheduler, body, session)
        case .heartbeat: try heartbeat(Heartbeat(body: body), session)
        case .hold: hold(header, try Hold(body: body), session, connection)
        case .goodbye:
            _ = try Goodbye(body: body)
            goodbye(header, session, connection)
        case .started: start(try Started(body: body), session)
        case .release: release(header, try Release(body: body), session, connection)
        case .subscribe: try subscribe(header, Subscribe(body: body), session, connection)
        case .credit:
            let credit = try Credit(body: body)
            try changeCredits(header, jobs: Int(credit.jobs), bytes: Int(credit.bytes), connection)
        case .debit:
            let debit = try Debit(body: body)
            try changeCredits(header, jobs: -Int(debit.jobs), bytes: -Int(debit.bytes), connection)
        case .unsubscribe:
            _ = try Unsubscribe(body: body)
            try unsubscribe(header, connection)
        case .hello: throw WireError(.badHeader, "A second HELLO on one connection.")
        case .listen: try listen(header, Listen(body: body), connection)
        case .unlisten:
            _ = try Unlisten(body: body)
            try unlisten(header, connection)
        case .deliver, .revoked, .applied, .events, .recall:
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
    func change(
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

    /// Milliseconds between the end of the time that a deduplication id is held for and the sweep that deletes its row:
    /// nobody sees the row meanwhile, and many go at once.
    static let sweepMilliseconds: UInt64 = 10_000

    /// Asks for the jobs to be failed that nobody has started in time, and for the deduplication ids to be swept.
    func expireDue() {
        guard !isExpiring, min(nextStartLimit, nextSweep) <= clock.elapsed else { return }
        isExpiring = true
        stage(Command(.expire))
    }
}

extension WireError {
    static let fencedLease = WireError(
        .fenced,
        "The lease is not held any more: it ran out, was given back, has ended, or is another session's."
    )
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
