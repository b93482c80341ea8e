internal import PenstockWire
internal import UV

/// A client on the wire itself, on an event loop of its own: what the server is measured with.
///
/// Single-threaded: the caller's thread turns the loop in ``run(until:)``. One flush for each turn, with everything
/// that the turn's events allow: completions, adds, requests. A timer sends heartbeats, which also confirm outcomes.
///
///     let client = try WireClient(to: address)
///     defer { client.close() }
///     try client.add(AddLoad(items, queues: ["bench"], frames: 100, outstandingMax: 8))
///     try client.subscribe(to: ["bench"], credits: 1024)
///     try client.run { client.state.acknowledged == 100 }
final class WireClient {
    /// How long nothing may come before a run is given up.
    static let patienceSeconds: UInt64 = 20
    private static let heartbeatMilliseconds: UInt64 = 500

    let address: ServerAddress
    private let loop: Loop
    private var stream: Stream?
    private var splitter = FrameSplitter()
    private var output = WireWriter(capacity: 1 << 16)
    private var heartbeat: Timer?
    private var holdTick: Timer?
    private var failure: ClientFailure?
    private var correlation: UInt32 = 0
    private var subscriptions: UInt32 = 0
    /// The clock at the last frame that came.
    private var lastHeardAt: UInt64 = 0

    var state = ClientState(session: SessionNumbers(framesInFlightMax: 0, addWindowBytes: 0))
    private(set) var adds: AddLoad?
    /// Called some times a second while running, with the state.
    var onProgress: ((ClientState) -> Void)?

    /// Connects and opens a session.
    init(to address: ServerAddress) throws {
        self.address = address
        loop = try Loop()
        do {
            try connect(to: address)
            try openSession()
        } catch {
            close()
            throw error
        }
    }

    /// Ends the session, where the connection still lives, and frees everything. Idempotent.
    func close() {
        guard !loop.isClosed else { return }
        if failure == nil, stream != nil { _ = try? request(Goodbye(), Farewell.self) }
        loop.beforePoll = nil
        heartbeat?.close()
        holdTick?.close()
        stream?.close()
        loop.close()
    }

    // MARK: Connecting

    private func connect(to address: ServerAddress) throws {
        var result: Result<Stream, UVError>?
        switch address {
        case .tcp(let host, let port):
            try Stream.connectTCP(host: host, port: port, on: loop, delegate: self) { result = $0 }
        case .unix(let path):
            try Stream.connectUnix(path: path, on: loop, delegate: self) { result = $0 }
        }
        while result == nil { loop.runOnce(wait: true) }
        do throws(UVError) {
            stream = try result?.get()
        } catch {
            throw ClientFailure.notConnected(error)
        }
        stream?.startReading()
        loop.beforePoll = { [unowned self] in writeTurn() }
        heartbeat = Timer(on: loop) { [unowned self] in tick() }
        heartbeat?.start(
            afterMilliseconds: Self.heartbeatMilliseconds,
            repeatMilliseconds: Self.heartbeatMilliseconds
        )
    }

    private func openSession() throws {
        let welcome = try request(
            Hello(session: .random(), mode: .open, client: "penstock-bench"),
            Welcome.self
        )
        state = ClientState(
            session: SessionNumbers(
                lastApplied: welcome.lastApplied,
                framesInFlightMax: Int(welcome.framesInFlightMax),
                addWindowBytes: Int(welcome.addWindowBytes)
            ),
            frameBytesMax: Int(welcome.frameBytesMax)
        )
    }

    // MARK: What it is asked to do

    /// Sends a request and waits for its reply.
    func request<Request: WireMessage, Reply: WireMessage>(
        _ message: Request,
        _ reply: Reply.Type,
        stream: UInt32 = 0
    ) throws -> Reply {
        correlation += 1
        message.encodeFrame(into: &output, correlation: correlation, stream: stream)
        var received: ClientState.Reply?
        try run {
            received = state.takeReply()
            return received != nil
        }
        guard let received, received.correlation == correlation else {
            throw ClientFailure.wire(WireError(.malformed, "A reply to another request."))
        }
        if let error = received.error { throw ClientFailure.wire(error) }
        return try Reply(body: received.body.rawSpan)
    }

    /// Subscribes with credits that each completion gives back; again, for more of them.
    func subscribe(to queues: [String], credits: Int) throws {
        subscriptions += 1
        _ = try request(
            Subscribe(queues: queues, creditJobs: UInt32(credits), worker: "bench"),
            Subscribed.self,
            stream: subscriptions
        )
    }

    /// Ends the last subscription: no delivery comes after this.
    func unsubscribe() throws {
        _ = try request(Unsubscribe(), Unsubscribed.self, stream: subscriptions)
    }

    /// Holds each job for some time before it is completed.
    func hold(milliseconds: UInt64) {
        state.holdNanoseconds = milliseconds * 1_000_000
        holdTick = Timer(on: loop) {}
        holdTick?.start(afterMilliseconds: 5, repeatMilliseconds: 5)
    }

    /// Sends adds and waits for all of their outcomes.
    ///
    /// - Returns: seconds from the first frame to the last outcome.
    @discardableResult
    func add(_ load: AddLoad) throws -> Double {
        adds = load
        try run { [unowned self] in adds?.framesLeft == 0 && state.session.commandsInFlight == 0 }
        let began = adds?.beganAt ?? 0
        adds = nil
        return Double(state.lastOutcomeAt - began) / 1e9
    }

    /// Sends one add and waits for the ids of its jobs.
    ///
    /// - Returns: besides, seconds from the frame to the outcome.
    func add(_ items: [AddItem], queues: [String]) throws -> (outcome: AddOutcome, seconds: Double) {
        state.wantsAddOutcome = true
        defer { state.wantsAddOutcome = false }
        let seconds = try add(AddLoad(items, queues: queues, frames: 1, outstandingMax: 1))
        guard let outcome = state.takeAddOutcome() else {
            throw ClientFailure.wire(WireError(.malformed, "The outcome of an add without ids."))
        }
        return (outcome, seconds)
    }

    /// Turns the loop until `isDone`, asked after each turn, says so.
    ///
    /// - Throws: where the connection fails, a command was refused, a lease was taken back, or nothing comes any more.
    ///
    /// - Parameter patiently: true where nothing is expected to come: only heartbeats turn the loop.
    func run(patiently: Bool = false, until isDone: () -> Bool) throws {
        lastHeardAt = patiently ? .max : Loop.monotonicNanoseconds()
        while true {
            if let failure { throw failure }
            if let error = state.firstRefusal { throw ClientFailure.refused(commands: state.refused, error) }
            if state.revoked > 0 { throw ClientFailure.revoked(leases: state.revoked) }
            if isDone() { return }
            loop.runOnce(wait: true)
        }
    }

    // MARK: Each turn

    /// Writes what may go and hands it to the kernel: just before the loop waits.
    private func writeTurn() {
        guard let stream else { return }
        let now = Loop.monotonicNanoseconds()
        state.writeAnswers(into: &output, at: now)
        adds?.write(into: &output, session: &state.session, at: now)
        guard output.count > 0 else { return }
        stream.output.append(output.span)
        output.removeAll()
        stream.flush()
    }

    private func tick() {
        state.writeHeartbeat(into: &output)
        onProgress?(state)
        let now = Loop.monotonicNanoseconds()
        if now > lastHeardAt, now - lastHeardAt > Self.patienceSeconds * 1_000_000_000 {
            failure = .stuck(
                "\(state.delivered) delivered, \(state.held) held, \(state.acknowledged) acknowledged, "
                    + "\(state.session.commandsInFlight) in flight"
            )
        }
    }
}

extension WireClient: StreamDelegate {
    func stream(_ stream: Stream, didRead bytes: RawSpan) {
        let now = Loop.monotonicNanoseconds()
        do throws(WireError) {
            try splitter.push(bytes) { header, body throws(WireError) in
                if header.opcode != Opcode.heartbeat.rawValue { lastHeardAt = now }
                try state.receive(header, body, at: now)
                return true
            }
        } catch {
            failure = failure ?? .wire(error)
            stream.close()
        }
    }

    func streamDidClose(_ stream: Stream, error: UVError?) {
        failure = failure ?? .closed(error)
        self.stream = nil
    }
}
