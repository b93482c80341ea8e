import NIOCore
import PenstockWire

@testable import Penstock

/// A session's state machine with a clock of its own; answers come as text.
struct TestSession {
    typealias Machine = SessionStateMachine<String>

    var machine = Machine(client: "test", session: SessionID(high: 1, low: 1))
    var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
    /// What has been sent and not been looked at.
    var frames: [Frame] = []
    /// What has happened, as text.
    var events: [String] = []
    private var sessions: UInt64 = 1

    struct Frame: Equatable {
        var header: FrameHeader
        var body: [UInt8]

        var opcode: Opcode? { Opcode(rawValue: header.opcode) }
        /// The sequence number of a durable frame.
        var sequence: UInt64 { read { (reader) throws(WireError) in try reader.u64() } ?? 0 }

        func message<Message: WireMessage>(_ type: Message.Type) throws -> Message {
            try Message(body: body.rawSpan)
        }

        private func read<Value>(_ read: (inout WireReader) throws(WireError) -> Value) -> Value? {
            var reader = WireReader(body.rawSpan)
            return try? read(&reader)
        }
    }

    mutating func run(_ body: (inout Machine, NIODeadline, inout Machine.Output) -> Void) {
        var output = Machine.Output()
        body(&machine, now, &output)
        for buffer in output.frames { frames += TestSession.split(buffer) }
        for event in output.events { events.append(TestSession.text(event)) }
    }

    static func split(_ buffer: ByteBuffer) -> [Frame] {
        var splitter = FrameSplitter()
        var frames: [Frame] = []
        do throws(WireError) {
            try splitter.push(buffer.readableBytesSpan) { header, body in
                frames.append(Frame(header: header, body: [UInt8](copying: body)))
                return true
            }
        } catch {
            fatalError("the session made a frame that can't be read: \(error)")
        }
        return frames
    }

    private static func text(_ event: Machine.Event) -> String {
        switch event {
        case .answered(let who, .success(let bytes)): "\(who): \(bytes.count) bytes"
        case .answered(let who, .failure(let error)): "\(who): \(error.code)"
        case .discarded(let token, let error): "lease \(token.rawValue): \(error.code)"
        case .sessionLost: "session lost"
        case .overdue: "overdue"
        case .fenced(let tokens): "fenced \(tokens.map(\.rawValue))"
        case .established(let resumed, let repeated): resumed ? "resumed, \(repeated) repeated" : "opened"
        case .close(let error): "close: \(error.code)"
        case .ended: "ended"
        }
    }

    /// What has been sent since the last call, by opcode.
    mutating func sent() -> [Opcode?] {
        defer { frames = [] }
        return frames.map(\.opcode)
    }

    mutating func takeFrames() -> [Frame] {
        defer { frames = [] }
        return frames
    }

    mutating func takeEvents() -> [String] {
        defer { events = [] }
        return events
    }

    // MARK: What happens

    mutating func connect() {
        sessions += 1
        let fresh = SessionID(high: sessions, low: sessions)
        run { machine, now, output in machine.connected(fresh: fresh, now: now, &output) }
    }

    mutating func disconnect() { run { machine, _, output in machine.disconnected(&output) } }

    mutating func welcome(
        lastApplied: UInt64 = 0,
        leases: [WorkerID: HeldLeases] = [:],
        heartbeat: UInt32 = 1000,
        _ change: (inout Welcome) -> Void = { _ in }
    ) {
        var welcome = Welcome(
            resumed: machine.isOpened,
            database: SessionID(high: 9, low: 9),
            epoch: 1,
            lastApplied: lastApplied,
            heartbeat: heartbeat,
            server: "test"
        )
        change(&welcome)
        run { machine, now, output in machine.welcomed(welcome, leases: leases, now: now, &output) }
    }

    mutating func held(fenced: [UInt64] = []) {
        run { machine, now, output in
            machine.held(Held(fenced: fenced.map { LeaseToken($0) }), now: now, &output)
        }
    }

    mutating func refuse(_ code: PenstockError.Code) {
        sessions += 1
        let fresh = SessionID(high: sessions, low: sessions)
        run { machine, now, output in
            machine.refused(PenstockError(code, "refused"), fresh: fresh, now: now, &output)
        }
    }

    /// A new session on a new connection, with nothing left to look at.
    mutating func open() {
        connect()
        welcome()
        frames = []
        events = []
    }

    mutating func add(_ who: String, request: UInt32, bytes: Int = 8, timeout: TimeAmount = .seconds(30)) {
        let node = AddNode(queue: 0, name: who, data: [UInt8](repeating: 0, count: bytes))
        let add = Add(sequence: 0, queues: ["q"], items: [AddItem(isFlow: false, nodes: [node])])
        let deadline = now + timeout
        run { machine, _, output in
            machine.command(
                DurableFrame(command: ByteBuffer(add), request: request, context: who, deadline: deadline),
                &output
            )
        }
    }

    mutating func move(_ who: String, request: UInt32, token: UInt64) {
        let move = Move(sequence: 0, slot: 0, token: LeaseToken(token), to: .waitingChildren)
        command(who, request: request, move)
    }

    mutating func command(_ who: String, request: UInt32, _ message: some WireMessage) {
        let frame = ByteBuffer(message)
        let deadline = now + .seconds(30)
        run { machine, _, output in
            machine.command(
                DurableFrame(command: frame, request: request, context: who, deadline: deadline),
                &output
            )
        }
    }

    mutating func complete(_ tokens: [UInt64]) {
        let completions = tokens.map { Completion(slot: UInt32($0), token: LeaseToken($0)) }
        let frame = ByteBuffer(Complete(sequence: 0, completions: completions))
        run { machine, _, output in
            machine.complete(DurableFrame(completions: frame, count: tokens.count), &output)
        }
    }

    mutating func apply(_ sequence: UInt64, count: UInt32 = 1, status: ErrorCode = .ok, body: [UInt8] = []) {
        var bytes = body
        if status != .ok {
            var writer = WireWriter()
            ErrorBody(WireError(status, "refused")).encode(into: &writer)
            bytes = writer.bytes
        }
        let outcome = Outcome(sequence: sequence, count: count, index: 0, status: status.rawValue, body: bytes)
        run { machine, _, output in machine.applied(Applied(commit: 1, outcomes: [outcome]), &output) }
    }

    mutating func read(_ who: String, request: UInt32, survives: Bool = true, timeout: TimeAmount = .seconds(30)) {
        let read = Machine.Read(
            frame: ByteBuffer(GetServer(), correlation: request),
            context: who,
            deadline: now + timeout,
            isWait: false,
            survives: survives
        )
        run { machine, now, output in machine.read(request, read, now: now, &output) }
    }

    mutating func wait(_ who: String, request: UInt32, timeout: TimeAmount) {
        let read = Machine.Read(
            frame: ByteBuffer(Wait(target: .job(PenstockWire.JobID(7))), correlation: request),
            context: who,
            deadline: now + timeout,
            isWait: true,
            survives: true
        )
        run { machine, now, output in machine.read(request, read, now: now, &output) }
    }

    mutating func reply(_ request: UInt32, bytes: Int) {
        run { machine, _, output in
            machine.replied(request, .success([UInt8](repeating: 0, count: bytes)), &output)
        }
    }

    mutating func begin(_ worker: WorkerID, concurrency: Int = 4) {
        let subscription = Subscription(queues: ["q"], concurrency: concurrency, lockDuration: 3000, worker: "w")
        run { machine, _, output in machine.begin(worker, subscription, &output) }
    }

    mutating func advance(_ amount: TimeAmount) {
        now = now + amount
        run { machine, now, output in machine.tick(now: now, &output) }
    }

    mutating func hear() { machine.heard(now: now) }
}
