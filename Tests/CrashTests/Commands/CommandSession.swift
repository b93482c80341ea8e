import PenstockWire

/// One session of commands of any kind: numbers them, keeps each until it is answered, and resumes.
///
/// It is used by one thread.
final class CommandSession {
    /// What whoever sent a command is told.
    typealias Answer = (Outcome, _ commit: UInt64) -> Void

    private struct Pending {
        var sequence: UInt64
        var bytes: [UInt8]
        var answer: Answer
    }

    let name: String
    private let id = SessionID.random()
    private(set) var connection: WireConnection?
    private(set) var epoch: UInt64 = 0
    private(set) var isGoingAway = false
    private(set) var violations: [String] = []
    private var isKnown = false
    private var wasWelcome = false
    private var lastSequence: UInt64 = 0
    private var answered: UInt64 = 0
    private var pending: [Pending] = []
    private var lastPlace = Ledger.Place(commit: 0, index: 0)
    /// Leases that it holds, as far as it knows.
    private(set) var held: [LeaseToken: Delivery] = [:]
    var onDelivery: (Delivery) -> Void = { _ in }
    /// A lease has gone, by a restart or a revocation.
    var onLoss: (LeaseToken) -> Void = { _ in }

    init(name: String) { self.name = name }

    var isConnected: Bool { connection != nil }
    var isIdle: Bool { pending.isEmpty }
    /// How many have been answered.
    var commands: Int { Int(answered) }

    func violation(_ text: String) { violations.append("\(name): \(text)") }

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
            if wasWelcome { violation("the session is forgotten: \(message)") }
            isKnown = false
            throw CrashError.disconnected
        }
        (isKnown, wasWelcome) = (true, true)
        self.connection = connection
        epoch = welcome.epoch
        guard welcome.resumed else { return }
        if welcome.lastApplied < answered || welcome.lastApplied > lastSequence {
            violation("\(welcome.lastApplied) is the last applied; \(answered) are answered, \(lastSequence) sent")
        }
        try hold(connection)
        if let first = pending.first, first.sequence <= welcome.lastApplied {
            violation("command \(first.sequence) is applied and its outcome was not sent")
        }
        for command in pending { try connection.send(command.bytes) }
    }

    private func hello(_ connection: WireConnection, _ mode: Hello.Mode) throws -> Welcome {
        if mode == .open { isKnown = false }
        let hello = Hello(session: id, mode: mode, confirmed: mode == .open ? 0 : answered, client: name)
        try connection.send(hello, correlation: connection.nextCorrelation())
        guard let frame = try connection.receive(milliseconds: 20_000) else {
            throw CrashError.failed("\(name): no answer to a hello in 20 s")
        }
        if let error = frame.error { throw error }
        return try frame.decode(Welcome.self)
    }

    private func hold(_ connection: WireConnection) throws {
        let tokens = Array(held.keys)
        let correlation = connection.nextCorrelation()
        try connection.send(Hold(tokens: tokens), correlation: correlation)
        for token in try waitFor(correlation).decode(Held.self).fenced { lose(token) }
    }

    private func lose(_ token: LeaseToken) {
        guard held.removeValue(forKey: token) != nil else { return }
        onLoss(token)
    }

    // MARK: Commands

    /// Sends a command, now or as soon as there is a connection; it must be one frame, and one number.
    func send(_ message: (UInt64) -> some WireMessage, answer: @escaping Answer) throws {
        lastSequence += 1
        var writer = WireWriter()
        message(lastSequence).encodeFrame(into: &writer)
        pending.append(Pending(sequence: lastSequence, bytes: writer.bytes, answer: answer))
        guard let connection else { throw CrashError.disconnected }
        try connection.send(writer.bytes)
    }

    /// The lease has ended by what its holder has said, and the server agrees.
    func ended(_ token: LeaseToken) { held[token] = nil }

    func subscribe(_ queues: [String], jobs: UInt32) throws {
        let correlation = connection?.nextCorrelation() ?? 0
        let subscribe = Subscribe(queues: queues, creditJobs: jobs, worker: name)
        try connection?.send(subscribe, correlation: correlation, stream: 1)
        _ = try waitFor(correlation)
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
        throw CrashError.failed("\(name): no answer in 20 s")
    }

    private func take(_ frame: WireConnection.Frame) throws {
        if let error = frame.error {
            violation("the server sent \(error)")
            throw CrashError.disconnected
        }
        switch Opcode(rawValue: frame.header.opcode) {
        case .applied: take(try frame.decode(Applied.self))
        case .deliver:
            for delivery in try frame.decode(Deliver.self).deliveries {
                if held.updateValue(delivery, forKey: delivery.token) != nil {
                    violation("token \(delivery.token) was delivered twice")
                }
                onDelivery(delivery)
            }
        case .revoked: for lease in try frame.decode(Revoked.self).leases { lose(lease.token) }
        case .goodbye: isGoingAway = true
        default: break
        }
    }

    private func take(_ applied: Applied) {
        for run in applied.outcomes {
            for offset in 0..<run.count where run.sequence + UInt64(offset) > answered {
                var outcome = run
                outcome.sequence += UInt64(offset)
                outcome.index += offset
                outcome.count = 1
                guard let first = pending.first, first.sequence == outcome.sequence else {
                    violation("the outcome of \(outcome.sequence) came, and that of \(answered + 1) did not")
                    continue
                }
                let place = Ledger.Place(commit: applied.commit, index: outcome.index)
                if place <= lastPlace {
                    violation("command \(outcome.sequence) has the place \(place) after \(lastPlace)")
                }
                lastPlace = place
                pending.removeFirst()
                answered = outcome.sequence
                first.answer(outcome, applied.commit)
            }
        }
    }
}
