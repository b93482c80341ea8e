import PenstockWire

/// One session: numbers its commands, keeps them until they are answered, and resumes after a broken connection.
///
/// It is used by one thread. Every attempt and every outcome goes into the journal.
final class SessionClient {
    /// A lease that this session holds, as far as it knows.
    struct Held {
        var delivery: Delivery
        /// Its completion or failure has been sent and is not answered.
        var isFinishing = false
    }

    let index: Int
    let journal: Journal
    let id: SessionID
    var random: SplitMix
    private(set) var connection: WireConnection?
    private(set) var epoch: UInt64 = 0
    private var isKnown = false
    private var wasWelcome = false
    private var lastSequence: UInt64 = 0
    private var answered: UInt64 = 0
    /// Commands without an outcome, in order of their numbers.
    private(set) var pending: [(sequence: UInt64, kind: Ledger.Kind)] = []
    var held: [LeaseToken: Held] = [:]
    /// Leases that were delivered and not looked at yet.
    var arrived: [LeaseToken] = []
    /// Tokens that are dead for certain.
    var dead: [LeaseToken] = []
    private(set) var isGoingAway = false

    init(index: Int, journal: Journal, seed: UInt64) {
        self.index = index
        self.journal = journal
        random = SplitMix(seed: seed)
        id = SessionID.random()
    }

    var isConnected: Bool { connection != nil }
    var framesInFlight: Int { pending.count }

    func disconnect() {
        connection = nil
        isGoingAway = false
    }

    // MARK: Hello

    /// Connects, opens or resumes the session, and sends again what the server does not have.
    func connect(port: Int) throws {
        let connection = try WireConnection(port: port)
        var welcome: Welcome
        do {
            welcome = try hello(connection, isKnown ? .resume : .open)
        } catch CrashError.refused(.invalidRequest, _) where !wasWelcome && !isKnown {
            // It was opened by a hello whose answer was lost.
            isKnown = true
            welcome = try hello(connection, .resume)
        } catch CrashError.refused(.sessionUnknown, let message) {
            if wasWelcome { journal.violation("client \(index): the session is forgotten: \(message)") }
            isKnown = false
            throw CrashError.disconnected
        }
        isKnown = true
        wasWelcome = true
        self.connection = connection
        epoch = welcome.epoch
        guard welcome.resumed else { return }
        if welcome.lastApplied < answered || welcome.lastApplied > lastSequence {
            journal.violation(
                "client \(index): \(welcome.lastApplied) is the last command applied; \(answered) are answered, \(lastSequence) sent"
            )
        }
        try hold(connection)
        if let first = pending.first, first.sequence <= welcome.lastApplied {
            journal.violation("client \(index): command \(first.sequence) is applied and its outcome was not sent")
        }
        for command in pending { try transmit(command.sequence, command.kind) }
    }

    private func hello(_ connection: WireConnection, _ mode: Hello.Mode) throws -> Welcome {
        if mode == .open { isKnown = false }
        let hello = Hello(session: id, mode: mode, confirmed: mode == .open ? 0 : answered, client: "crash-\(index)")
        try connection.send(hello, correlation: connection.nextCorrelation())
        guard let frame = try connection.receive(milliseconds: 10_000) else {
            throw CrashError.failed("client \(index): no answer to a hello in 10 s")
        }
        if let error = frame.error { throw error }
        return try frame.decode(Welcome.self)
    }

    /// Lists what is held, but for a lease now and then that is so given back.
    private func hold(_ connection: WireConnection) throws {
        for (token, lease) in held where !lease.isFinishing && random.chance(10) { drop(token) }
        let tokens = Array(held.keys)
        let correlation = connection.nextCorrelation()
        try connection.send(Hold(tokens: tokens), correlation: correlation)
        let reply = try waitFor(correlation)
        let fenced = Set(try reply.decode(PenstockWire.Held.self).fenced)
        for token in tokens {
            if fenced.contains(token) {
                // Its completion stays among the pending ones, to be answered as fenced.
                drop(token)
            } else if held[token] != nil {
                journal.survived(token, epoch: epoch)
            } else {
                journal.violation("client \(index): token \(token) is used up, and the server says that it lives")
            }
        }
    }

    // MARK: Commands

    func add(queues: [String], _ items: (UInt64) -> [AddItem]) throws {
        let sequence = lastSequence + 1
        try command(.add(Add(sequence: sequence, queues: queues, items: items(sequence))))
    }

    /// Ends leases with completions or failures, in one frame for each kind.
    func finish(_ kinds: [Ledger.Kind], mustBeFenced: Bool = false) throws {
        var completions = Complete(sequence: 0, completions: [])
        for kind in kinds {
            guard case .complete(let token, let result) = kind else {
                try flush(&completions)
                try command(kind, mustBeFenced: mustBeFenced)
                continue
            }
            enter(kind, mustBeFenced: mustBeFenced)
            if completions.completions.isEmpty { completions.sequence = lastSequence }
            completions.completions.append(completion(token, result))
        }
        try flush(&completions)
    }

    private func flush(_ completions: inout Complete) throws {
        guard !completions.completions.isEmpty else { return }
        for offset in completions.completions.indices {
            journal.send(key(completions.sequence + UInt64(offset)), epoch: epoch)
        }
        try connection?.send(completions)
        completions.completions = []
    }

    private func command(_ kind: Ledger.Kind, mustBeFenced: Bool = false) throws {
        enter(kind, mustBeFenced: mustBeFenced)
        try transmit(lastSequence, kind)
    }

    private func enter(_ kind: Ledger.Kind, mustBeFenced: Bool) {
        lastSequence += 1
        pending.append((lastSequence, kind))
        journal.attempt(index, kind, mustBeFenced: mustBeFenced)
        guard let token = kind.token, !mustBeFenced else { return }
        held[token]?.isFinishing = true
        journal.ended(token)
    }

    private func transmit(_ sequence: UInt64, _ kind: Ledger.Kind) throws {
        journal.send(key(sequence), epoch: epoch)
        guard let connection else { throw CrashError.disconnected }
        switch kind {
        case .add(let add): try connection.send(add)
        case .complete(let token, let result):
            try connection.send(Complete(sequence: sequence, completions: [completion(token, result)]))
        case .fail(let token, let unrecoverable):
            let failure = Failure(
                slot: held[token]?.delivery.slot ?? 0,
                token: token,
                unrecoverable: unrecoverable,
                message: "as the test wants it"
            )
            try connection.send(Fail(sequence: sequence, failures: [failure]))
        }
    }

    private func completion(_ token: LeaseToken, _ result: [UInt8]) -> Completion {
        Completion(slot: held[token]?.delivery.slot ?? 0, token: token, contentType: .binary, result: result)
    }

    private func key(_ sequence: UInt64) -> Ledger.Key { Ledger.Key(client: index, sequence: sequence) }

    // MARK: The lease side

    func subscribe(_ queues: [String], jobs: UInt32) throws {
        let correlation = connection?.nextCorrelation() ?? 0
        try connection?.send(
            Subscribe(queues: queues, creditJobs: jobs, worker: "w\(index)"),
            correlation: correlation,
            stream: 1
        )
        _ = try waitFor(correlation)
    }

    func release(_ tokens: [LeaseToken]) throws {
        for token in tokens { drop(token) }
        let correlation = connection?.nextCorrelation() ?? 0
        try connection?.send(Release(tokens: tokens), correlation: correlation)
        let fenced = try waitFor(correlation).decode(Released.self).fenced
        if !fenced.isEmpty { journal.violation("client \(index): leases \(fenced) were dead when they were released") }
    }

    private func drop(_ token: LeaseToken) {
        journal.ended(token)
        held[token] = nil
        dead.append(token)
    }

    /// Confirms what has been answered.
    func heartbeat() throws { try connection?.send(Heartbeat(number: answered)) }

    // MARK: What arrives

    /// Takes what arrives within the time.
    func pump(milliseconds: Int) throws {
        guard let connection else { throw CrashError.disconnected }
        var wait = milliseconds
        while let frame = try connection.receive(milliseconds: wait) {
            try take(frame)
            wait = 0
        }
    }

    /// Takes what arrives until the answer to a request does.
    private func waitFor(_ correlation: UInt32) throws -> WireConnection.Frame {
        guard let connection else { throw CrashError.disconnected }
        let end = Threads.nanoseconds + 20_000_000_000
        while Threads.nanoseconds < end {
            guard let frame = try connection.receive(milliseconds: 1000) else { continue }
            if frame.header.correlation == correlation && frame.header.flags.contains(.reply) {
                if let error = frame.error { throw error }
                return frame
            }
            try take(frame)
        }
        throw CrashError.failed("client \(index): no answer in 20 s")
    }

    private func take(_ frame: WireConnection.Frame) throws {
        if let error = frame.error {
            journal.violation("client \(index): the server sent \(error)")
            throw CrashError.disconnected
        }
        switch Opcode(rawValue: frame.header.opcode) {
        case .applied: try take(frame.decode(Applied.self))
        case .deliver:
            for delivery in try frame.decode(Deliver.self).deliveries {
                journal.delivered(index, delivery, epoch: epoch)
                held[delivery.token] = Held(delivery: delivery)
                arrived.append(delivery.token)
            }
        case .revoked:
            for lease in try frame.decode(Revoked.self).leases {
                journal.violation("client \(index): lease \(lease.token) was revoked (\(lease.reason))")
                drop(lease.token)
            }
        case .goodbye: isGoingAway = true
        default: break
        }
    }

    private func take(_ applied: Applied) throws {
        for outcome in applied.outcomes {
            for offset in 0..<outcome.count {
                let sequence = outcome.sequence + UInt64(offset)
                var entry = Ledger.Outcome(
                    commit: applied.commit,
                    index: outcome.index + offset,
                    status: outcome.status
                )
                entry.at = Threads.nanoseconds
                if outcome.status == 0 && !outcome.body.isEmpty {
                    var reader = WireReader(outcome.body.rawSpan)
                    entry.items = try AddOutcome(from: &reader).items
                }
                if sequence <= answered {
                    // A run that began below what is confirmed, or an outcome sent again.
                    journal.outcome(key(sequence), entry)
                    continue
                }
                guard pending.first?.sequence == sequence else {
                    journal.violation(
                        "client \(index): the outcome of \(sequence) came, and that of \(answered + 1) did not"
                    )
                    continue
                }
                journal.outcome(key(sequence), entry)
                answered = sequence
                if let token = pending.removeFirst().kind.token, held[token]?.isFinishing == true {
                    held[token] = nil
                    dead.append(token)
                }
            }
        }
    }
}

extension SessionClient {
    /// Adds one job with nothing special to it.
    func addJob(queue: String = Producer.queues[0], padding: Int = 0) throws {
        try add(queues: [queue]) { sequence in
            let tag = JobTag(key: Ledger.Key(client: index, sequence: sequence), node: 0)
            let node = AddNode(queue: 0, name: "job", contentType: .binary, data: tag.data(padding: padding))
            return [AddItem(isFlow: false, nodes: [node])]
        }
    }
}
