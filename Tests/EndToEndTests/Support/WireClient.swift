import Glibc
import PenstockWire

/// A client that speaks the protocol byte by byte, for tests of what a good client never does.
///
/// Every call blocks its thread, at most ten seconds: use it in ``onThread(_:)``.
final class WireClient {
    struct Frame {
        var header: FrameHeader
        var body: [UInt8]

        var opcode: Opcode? { Opcode(rawValue: header.opcode) }
        var isError: Bool { header.flags.contains(.error) }
        var error: ErrorCode? { isError ? ErrorCode(rawValue: header.status) : nil }
    }

    private var descriptor: Int32
    private var received: [UInt8] = []
    /// Frames that were skipped on the way to another one.
    private(set) var skipped: [Frame] = []
    /// The session's last command.
    private(set) var sequence: UInt64 = 0
    private(set) var session = SessionID.random()

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw WireFailure("no connection: errno \(errno)") }
        var yes: Int32 = 1
        _ = unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(4))
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    }

    deinit { close() }

    func close() {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
        descriptor = -1
    }

    // MARK: Out

    /// Sends bytes; false where the server has closed the connection.
    @discardableResult
    func send(bytes: [UInt8]) -> Bool {
        var start = 0
        while start < bytes.count {
            let sent = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.send(
                    descriptor,
                    buffer.baseAddress! + start,
                    buffer.count - start,
                    Int32(MSG_NOSIGNAL)
                )
            }
            if sent <= 0 { return false }
            start += sent
        }
        return true
    }

    /// - Parameter capacity: bytes to make room for, as growing takes a while in a debug build.
    static func frame(
        _ message: some WireMessage,
        correlation: UInt32 = 0,
        stream: UInt32 = 0,
        capacity: Int = 512
    ) -> [UInt8] {
        var writer = WireWriter(capacity: capacity)
        message.encodeFrame(into: &writer, correlation: correlation, stream: stream)
        return writer.bytes
    }

    /// A frame of any opcode, with any bytes as its body.
    static func frame(
        opcode: UInt8,
        flags: UInt8 = 0,
        correlation: UInt32 = 0,
        stream: UInt32 = 0,
        body: [UInt8] = []
    ) -> [UInt8] {
        var writer = WireWriter()
        writer.u32(UInt32(12 + body.count))
        writer.u8(opcode)
        writer.u8(flags)
        writer.u16(0)
        writer.u32(correlation)
        writer.u32(stream)
        writer.raw(body)
        return writer.bytes
    }

    func send(_ message: some WireMessage, correlation: UInt32 = 0, stream: UInt32 = 0) {
        send(bytes: WireClient.frame(message, correlation: correlation, stream: stream))
    }

    // MARK: In

    /// The next frame; nil where the server has closed the connection.
    func next() throws -> Frame? {
        while true {
            if let (length, header) = try whole() {
                let body = Array(received[16..<length])
                received.removeFirst(length)
                return Frame(header: header, body: body)
            }
            guard try fill() else { return nil }
        }
    }

    /// The header of the frame that is there as a whole, and its length.
    private func whole() throws -> (length: Int, header: FrameHeader)? {
        guard received.count >= 4 else { return nil }
        let bytes = received
        var reader = WireReader(bytes.rawSpan)
        let length = 4 + Int(try reader.u32())
        guard bytes.count >= length else { return nil }
        return (length, try FrameHeader(from: &reader))
    }

    /// Reads what is there; false at the end.
    private func fill() throws -> Bool {
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress!, $0.count, 0) }
        if count > 0 {
            received += buffer[..<count]
            return true
        }
        if count == 0 || errno == ECONNRESET { return false }
        throw WireFailure("nothing came for ten seconds: errno \(errno)")
    }

    /// The next frame for which `isWanted` is true; others are kept in ``skipped``.
    func next(where isWanted: (Frame) -> Bool) throws -> Frame {
        if let index = skipped.firstIndex(where: isWanted) { return skipped.remove(at: index) }
        while let frame = try next() {
            if isWanted(frame) { return frame }
            skipped.append(frame)
        }
        throw WireFailure("the server closed the connection; before that came \(skipped.map { $0.header })")
    }

    /// The next message of a type.
    func next<Message: WireMessage>(_ type: Message.Type) throws -> Message {
        let frame = try next {
            $0.header.opcode == Message.opcode.rawValue && ($0.isError || isReply($0) == type.isReply)
        }
        guard !frame.isError else { throw WireFailure("an error in place of \(type): \(try error(frame))") }
        return try Message(body: frame.body.rawSpan)
    }

    private func isReply(_ frame: Frame) -> Bool { frame.header.flags.contains(.reply) }

    /// Sends a request and gives its reply, or the error's code.
    func request<Reply: WireMessage>(
        _ message: some WireMessage,
        stream: UInt32 = 0,
        _ type: Reply.Type
    ) throws -> Result<Reply, WireRefusal> {
        nextCorrelation += 1
        let correlation = nextCorrelation
        send(message, correlation: correlation, stream: stream)
        return try reply(to: correlation, type)
    }

    /// The reply of a request about a flow that settles, sent again where the server has made it wait for long enough.
    func settled<Reply: WireMessage>(_ message: some WireMessage, _ type: Reply.Type) throws -> Reply {
        for _ in 0..<10 {
            let answer = try request(message, type)
            if answer.refusal != .settling { return try answer.get() }
        }
        throw WireFailure("the flow does not settle")
    }

    func reply<Reply: WireMessage>(to correlation: UInt32, _ type: Reply.Type) throws -> Result<Reply, WireRefusal> {
        let frame = try next { $0.header.correlation == correlation && self.isReply($0) }
        if let code = frame.error { return .failure(WireRefusal(code: code)) }
        return .success(try Reply(body: frame.body.rawSpan))
    }

    private var nextCorrelation: UInt32 = 1_000_000

    func error(_ frame: Frame) throws -> String {
        var reader = WireReader(frame.body.rawSpan)
        return "\(frame.error.map { "\($0)" } ?? "?"): \(try ErrorBody(from: &reader).message)"
    }

    /// The next error frame.
    func nextError() throws -> Frame { try next { $0.isError } }

    /// The hard error that ends the connection; nothing comes after it.
    func hardError() throws -> Frame {
        let frame = try nextError()
        guard try next() == nil else { throw WireFailure("a frame came after a hard error") }
        return frame
    }

    /// Waits for the end of the connection, and gives what came before.
    func untilClosed() throws -> [Frame] {
        var frames = skipped
        while let frame = try next() { frames.append(frame) }
        return frames
    }

    // MARK: The usual

    /// Opens a session.
    @discardableResult
    func open(lockDuration: UInt32 = 0) throws -> Welcome {
        try request(Hello(session: session, mode: .open, lockDuration: lockDuration), Welcome.self).get()
    }

    /// Goes on with the session of another client, up to the answer of the HOLD.
    @discardableResult
    func resume(_ other: WireClient, confirmed: UInt64 = 0, holding tokens: [LeaseToken] = []) throws -> (
        welcome: Welcome, held: Held
    ) {
        let welcome = try hello(resuming: other.session, confirmed: confirmed).get()
        let held = try request(Hold(tokens: tokens), Held.self).get()
        return (welcome, held)
    }

    func hello(resuming session: SessionID, confirmed: UInt64 = 0) throws -> Result<Welcome, WireRefusal> {
        self.session = session
        let answer = try request(Hello(session: session, mode: .resume, confirmed: confirmed), Welcome.self)
        if case .success(let welcome) = answer { sequence = welcome.lastApplied }
        return answer
    }

    func newSequence(count: Int = 1) -> UInt64 {
        sequence += UInt64(count)
        return sequence - UInt64(count) + 1
    }

    /// The outcome of a command: of a run, as if it were alone.
    func outcome(_ sequence: UInt64) throws -> Outcome {
        if let known = outcomes[sequence] { return known }
        while outcomes[sequence] == nil {
            let applied = try next(Applied.self)
            for run in applied.outcomes {
                for offset in 0..<run.count {
                    var outcome = run
                    outcome.sequence += UInt64(offset)
                    outcome.count = 1
                    outcome.index += offset
                    outcomes[outcome.sequence] = outcome
                }
            }
        }
        return outcomes[sequence]!
    }

    private(set) var outcomes: [UInt64: Outcome] = [:]

    /// Adds jobs alone and gives their ids.
    @discardableResult
    func add(_ count: Int = 1, queue: String, bytes: Int = 0, options: NodeOptions = .default) throws -> [JobID] {
        let data = [UInt8](repeating: 7, count: bytes)
        let node = AddNode(queue: 0, name: "job", contentType: .binary, data: data, options: options)
        let items = (0..<count).map { _ in AddItem(isFlow: false, nodes: [node]) }
        let message = Add(sequence: newSequence(), queues: [queue], items: items)
        return try add(message, capacity: 1024 + count * (bytes + 64))
    }

    func add(_ message: Add, capacity: Int = 512) throws -> [JobID] {
        send(bytes: WireClient.frame(message, capacity: capacity))
        let outcome = try outcome(message.sequence)
        guard outcome.status == 0 else {
            throw WireRefusal(code: ErrorCode(rawValue: outcome.status) ?? .internalError)
        }
        var reader = WireReader(outcome.body.rawSpan)
        return try AddOutcome(from: &reader).items.flatMap(\.jobIDs)
    }

    /// The code with which an add is refused.
    func refusal(of nodes: [AddNode], queues: [String] = ["q"]) throws -> ErrorCode? {
        let number = newSequence()
        send(Add(sequence: number, queues: queues, items: [AddItem(isFlow: true, nodes: nodes)]))
        return ErrorCode(rawValue: try outcome(number).status)
    }

    @discardableResult
    func subscribe(
        _ queues: [String],
        stream: UInt32 = 1,
        jobs: UInt32 = 1,
        bytes: UInt32 = 1 << 20,
        lockDuration: UInt32 = 0,
        prefetches: Bool = false
    ) throws -> Subscribed {
        try request(
            Subscribe(
                queues: queues,
                creditJobs: jobs,
                creditBytes: bytes,
                lockDuration: lockDuration,
                worker: "wire",
                prefetches: prefetches
            ),
            stream: stream,
            Subscribed.self
        ).get()
    }

    /// The next `count` deliveries.
    func deliveries(_ count: Int = 1) throws -> [Delivery] {
        while pendingDeliveries.count < count { pendingDeliveries += try next(Deliver.self).deliveries }
        defer { pendingDeliveries.removeFirst(count) }
        return Array(pendingDeliveries[..<count])
    }

    private var pendingDeliveries: [Delivery] = []

    /// All that was delivered up to now.
    func allDeliveries() throws -> [Delivery] {
        try roundTrip()
        while skipped.contains(where: { $0.opcode == .deliver }) {
            pendingDeliveries += try next(Deliver.self).deliveries
        }
        defer { pendingDeliveries.removeAll() }
        return pendingDeliveries
    }

    /// Asserts by a round trip that nothing was delivered up to now.
    func deliveredNothing() throws -> Bool {
        try roundTrip()
        return pendingDeliveries.isEmpty && !skipped.contains { $0.opcode == .deliver }
    }

    /// Completes a job and gives the outcome's code.
    @discardableResult
    func complete(_ delivery: Delivery, result: [UInt8] = []) throws -> ErrorCode? {
        try complete(slot: delivery.slot, token: delivery.token, result: result)
    }

    func complete(slot: UInt32, token: LeaseToken, result: [UInt8] = []) throws -> ErrorCode? {
        let number = newSequence()
        let message = Complete(sequence: number, completions: [Completion(slot: slot, token: token, result: result)])
        send(bytes: WireClient.frame(message, capacity: result.count + 512))
        return ErrorCode(rawValue: try outcome(number).status)
    }

    @discardableResult
    func fail(_ delivery: Delivery, unrecoverable: Bool = false, delay: UInt64? = nil) throws -> ErrorCode? {
        let number = newSequence()
        let failure = Failure(
            slot: delivery.slot,
            token: delivery.token,
            unrecoverable: unrecoverable,
            delay: delay,
            message: "it failed"
        )
        send(Fail(sequence: number, failures: [failure]))
        return ErrorCode(rawValue: try outcome(number).status)
    }

    /// Asks the server something; it answers, so it is alive.
    @discardableResult
    func roundTrip() throws -> ServerView { try request(GetServer(), ServerView.self).get() }

    func job(_ id: JobID) throws -> JobView { try request(GetJob(job: .id(id)), JobView.self).get() }

    func counts(_ queue: String) throws -> StateCounts {
        try request(GetQueue(queue: queue), QueueView.self).get().counts
    }

    /// Asks until the answer is right, for what has no event: so often that it takes ten seconds at least.
    func poll(_ isRight: (ServerView) throws -> Bool) throws {
        for _ in 0..<5000 {
            if try isRight(try roundTrip()) { return }
            usleep(2000)
        }
        throw WireFailure("it has not happened, however often it was asked for")
    }
}

struct WireFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// The server has refused a request.
struct WireRefusal: Error, Equatable {
    let code: ErrorCode
}

extension Result where Failure == WireRefusal {
    var refusal: ErrorCode? {
        if case .failure(let refusal) = self { refusal.code } else { nil }
    }
}
