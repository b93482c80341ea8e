import DequeModule
import NIOCore
import PenstockWire

// How a session comes to stand on a connection, and what it does when that is lost.

extension SessionStateMachine {
    /// True where the next hello goes on with a session that the server knows.
    var resumes: Bool { isOpened }

    /// A connection stands: says hello.
    ///
    /// - Parameter fresh: an id for a session that was never welcomed. Its last
    ///   hello may have arrived, so the id is not used twice.
    mutating func connected(fresh: SessionID, now: NIODeadline, _ output: inout Output) {
        guard phase == .offline else { return }
        if !isOpened { session = fresh }
        phase = .greeting
        lastReceived = now
        lastHeartbeat = now
        output.frames.append(hello)
    }

    private var hello: ByteBuffer {
        ByteBuffer(
            Hello(
                session: session,
                mode: isOpened ? .resume : .open,
                confirmed: isOpened ? confirmed : 0,
                client: client
            )
        )
    }

    /// - Parameter leases: what each worker holds, asked for only where the session is resumed.
    mutating func welcomed(
        _ welcome: Welcome,
        leases: [WorkerID: HeldLeases],
        now: NIODeadline,
        _ output: inout Output
    ) {
        guard phase == .greeting else { return }
        heard(now: now)
        frameLimit = Int(welcome.framesInFlightMax)
        addWindow = Int(welcome.addWindowBytes)
        heartbeatInterval = .milliseconds(Int64(max(welcome.heartbeat, 1)))
        overdue.removeAll()
        guard isOpened else {
            isOpened = true
            becomeReady(repeating: nil, now: now, &output)
            return
        }
        var tokens = Set<LeaseToken>()
        for (worker, held) in leases {
            subscriptions[worker]?.generation = held.generation
            let concurrency = subscriptions[worker]?.concurrency ?? 0
            subscriptions[worker]?.credits = concurrency - held.tokens.count
            // What was said of them may have been lost with the connection; said twice, it means nothing.
            untoldStarts += held.started
        }
        // A lease whose completion has yet to be applied is held too: else the completion would find it given back.
        for frame in log where frame.isCompletions && (!frame.isSent || frame.last > welcome.lastApplied) {
            tokens.formUnion(frame.tokens(above: welcome.lastApplied))
        }
        // What is not listed is given back. The jobs that have ended come first: no more is to be done for them.
        let running = Set(leases.values.flatMap(\.tokens)).subtracting(tokens).sorted()
        let room = max(0, Limits.tokensPerFrameMax - tokens.count)
        let listed = (tokens.sorted().prefix(Limits.tokensPerFrameMax) + running.prefix(room)).sorted()
        if running.count > room { output.events.append(.fenced(Array(running.dropFirst(room)))) }
        phase = .holding
        lastApplied = welcome.lastApplied
        output.frames.append(ByteBuffer(Hold(tokens: listed), correlation: ownCorrelation()))
    }

    /// HOLD is answered: the session goes on.
    mutating func held(_ message: Held, now: NIODeadline, _ output: inout Output) {
        guard phase == .holding else { return }
        if !message.fenced.isEmpty { output.events.append(.fenced(message.fenced)) }
        becomeReady(repeating: lastApplied, now: now, &output)
    }

    private mutating func becomeReady(repeating applied: UInt64?, now: NIODeadline, _ output: inout Output) {
        phase = .ready
        for tokens in releasedInHold { release(tokens, &output) }
        releasedInHold.removeAll()
        for worker in subscriptions.keys.sorted(by: { $0.rawValue < $1.rawValue }) { subscribe(worker, &output) }
        tellStarts(&output)
        var repeated = 0
        if let applied {
            for frame in log where frame.isSent && frame.last > applied {
                output.frames.append(frame.bytes(above: applied))
                repeated += 1
            }
        }
        pump(&output)
        for id in reads.keys.sorted() {
            if let read = reads[id] { send(read, now: now, &output) }
        }
        output.events.append(.established(resumed: applied != nil, repeated: repeated))
    }

    /// The hello, or HOLD, was refused.
    mutating func refused(_ error: PenstockError, fresh: SessionID, now: NIODeadline, _ output: inout Output) {
        guard phase == .greeting || phase == .holding else { return }
        if phase == .greeting && error.code == .sessionUnknown && isOpened {
            abandonSession(fresh: fresh, why: error, &output)
            phase = .greeting
            output.frames.append(hello)
            return
        }
        if !error.isRetryable {
            // Another attempt would be refused as well: say so to those who wait, and go on trying.
            for id in reads.keys.sorted() { cancel(id, error, &output) }
            for frame in log where frame.context != nil && !frame.isSent { cancel(frame.request, error, &output) }
        }
        output.events.append(.close(error))
    }

    /// Begins another session: what was sent under the old one has an unknown outcome, the rest goes on.
    private mutating func abandonSession(fresh: SessionID, why: PenstockError, _ output: inout Output) {
        let unknown = PenstockError(
            .outcomeUnknown,
            "The session was lost after the command had been sent: it may have been carried out, or not. \(why.message)"
        )
        let lost = PenstockError(.fenced, "The session was lost, and with it the lease of the job.")
        for frame in log {
            guard let context = frame.context, frame.isSent || frame.needsLease else { continue }
            output.events.append(.answered(context, .failure(frame.isSent ? unknown : lost)))
        }
        // Of those not sent, what needs a lease that the old session held is of no use any more.
        log.removeAll { $0.isSent || $0.needsLease }
        sentCount = 0
        framesInFlight = 0
        addBytesInFlight = 0
        nextSequence = 1
        untoldStarts.removeAll()
        outcomes = SequenceSet()
        session = fresh
        isOpened = false
        for worker in subscriptions.keys {
            subscriptions[worker]?.stream = nil
            let concurrency = subscriptions[worker]?.concurrency ?? 0
            subscriptions[worker]?.credits = concurrency
        }
        dropBarriers(unknown, &output)
        output.events.append(.sessionLost)
    }

    /// The server says why it is about to close the connection.
    ///
    /// What the client did wrong would be done again by a resumed session, so another one is begun.
    mutating func hardError(_ error: PenstockError, fresh: SessionID, _ output: inout Output) {
        if isOpened && !error.isRetryable && phase != .ended { abandonSession(fresh: fresh, why: error, &output) }
        output.events.append(.close(error))
    }

    mutating func disconnected(_ output: inout Output) {
        guard phase != .ended else { return }
        phase = .offline
        for worker in subscriptions.keys { subscriptions[worker]?.stream = nil }
        endingStreams = [:]
        releasedInHold.removeAll()
        listeners = [:]
        for (id, read) in reads where !read.survives { cancel(id, .connectionLost, &output) }
        dropBarriers(.connectionLost, &output) { !$0.isPatient }
        if hasSaidGoodbye || (isLeaving && log.isEmpty) {
            phase = .ended
            output.events.append(.ended)
        }
    }

    // MARK: Leaving

    /// Takes no more adds, and says goodbye once everything has its outcome.
    mutating func leave(_ output: inout Output) {
        guard phase != .ended, !isLeaving else { return }
        isLeaving = true
        if (phase != .ready && log.isEmpty) || (!isOpened && phase == .offline) {
            phase = .ended
            dropBarriers(.shutDown, &output)
            output.events.append(.ended)
        } else {
            sayGoodbyeWhenDone(&output)
        }
    }

    mutating func sayGoodbyeWhenDone(_ output: inout Output) {
        guard isLeaving, !hasSaidGoodbye, phase == .ready, log.isEmpty else { return }
        hasSaidGoodbye = true
        output.frames.append(ByteBuffer(Goodbye(), correlation: ownCorrelation()))
    }

    mutating func farewell(_ output: inout Output) {
        guard hasSaidGoodbye, phase != .ended else { return }
        phase = .ended
        output.events.append(.ended)
    }

    /// The end, at once: whoever waits is told what is known.
    mutating func abort(_ output: inout Output) {
        for id in reads.keys.sorted() { cancel(id, .shutDown, &output) }
        for frame in log where frame.context != nil {
            cancel(frame.request, frame.isSent ? .shutDownWhileSent : .shutDown, &output)
        }
        hasDroppedCompletions = hasDroppedCompletions || firstOpenCompletion != nil
        dropBarriers(.shutDownWhileSent, &output)
        log.removeAll()
        sentCount = 0
        phase = .ended
    }
}

extension PenstockError {
    static let shutDownWhileSent = PenstockError(
        .outcomeUnknown,
        "The client was shut down after the command had been sent: it may have been carried out, or not."
    )
}
