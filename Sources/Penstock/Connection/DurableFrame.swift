import NIOCore
import PenstockWire

/// A frame of durable commands on its way: kept until each of its commands has an outcome.
///
///     offset  0        16             24
///             | header | u64 sequence | rest of the body
///
/// The sequence number is written when the frame is first sent, so that frames
/// not sent yet can go on under another session.
struct DurableFrame<Context> {
    static var sequenceOffset: Int { FrameHeader.byteCount }

    var bytes: ByteBuffer
    /// Commands in the frame, each with a number of its own.
    let count: Int
    /// Number of the first; 0 while the frame has not been sent.
    var first: UInt64 = 0
    /// Commands without an outcome.
    var left: Int
    /// Who waits for the outcome of a command; nil for completions, and where nobody waits any more.
    var context: Context?
    /// Which of the frames of completions it is, counted from 1; 0 for a command.
    var completion: UInt64 = 0
    /// The command's number among the client's requests; 0 for completions.
    let request: UInt32
    let deadline: NIODeadline
    private let opcode: Opcode

    /// One command, and who waits for its outcome, if anybody does.
    init(command bytes: ByteBuffer, request: UInt32, context: Context?, deadline: NIODeadline) {
        opcode = DurableFrame.opcode(of: bytes)
        self.bytes = bytes
        self.request = request
        self.context = context
        self.deadline = deadline
        count = 1
        left = 1
    }

    /// Completions or failures.
    init(completions bytes: ByteBuffer, count: Int) {
        opcode = DurableFrame.opcode(of: bytes)
        self.bytes = bytes
        self.count = count
        left = count
        context = nil
        request = 0
        deadline = .distantFuture
    }

    private static func opcode(of bytes: ByteBuffer) -> Opcode {
        let raw: UInt8? = bytes.getInteger(at: bytes.readerIndex + FrameHeader.lengthBytes)
        guard let opcode = raw.flatMap(Opcode.init), opcode.isDurable else {
            preconditionFailure("a frame without durable commands was given as one")
        }
        return opcode
    }

    /// True for completions and failures: many commands, and nobody waits for their outcomes.
    var isCompletions: Bool { request == 0 }
    /// True for what a worker does under a lease: it means nothing in another session.
    var needsLease: Bool {
        switch opcode {
        case .complete, .fail, .addHeld, .move, .report: true
        default: false
        }
    }
    /// Bytes that the frame takes of the add window.
    var windowBytes: Int { opcode.carriesAdd ? bytes.readableBytes : 0 }
    var isSent: Bool { first != 0 }
    /// Number of the last command.
    var last: UInt64 { first + UInt64(count) - 1 }

    mutating func number(from sequence: UInt64) {
        first = sequence
        bytes.setInteger(sequence, at: DurableFrame.sequenceOffset, endianness: .little)
    }

    /// The frame without the commands up to `sequence`, for a server that has applied those.
    func bytes(above sequence: UInt64) -> ByteBuffer {
        guard isSent, sequence >= first, isCompletions else { return bytes }
        let skipped = Int(sequence - first) + 1
        var writer = WireWriter(capacity: bytes.readableBytes)
        switch message {
        case .complete(var message):
            message.completions.removeFirst(skipped)
            message.sequence = sequence + 1
            message.encodeFrame(into: &writer)
        case .fail(var message):
            message.failures.removeFirst(skipped)
            message.sequence = sequence + 1
            message.encodeFrame(into: &writer)
        case nil: return bytes
        }
        return ByteBuffer(frames: writer)
    }

    /// The leases that the completions above `sequence` end.
    ///
    /// None for any other command: while the handler that sent it waits, its worker holds the lease; when it does not
    /// wait any more, the lease is to be given back.
    func tokens(above sequence: UInt64) -> [LeaseToken] {
        let tokens: [LeaseToken] =
            switch message {
            case .complete(let message): message.completions.map(\.token)
            case .fail(let message): message.failures.map(\.token)
            case nil: []
            }
        guard isSent, sequence >= first else { return tokens }
        return Array(tokens.dropFirst(Int(sequence - first) + 1))
    }

    private enum Message {
        case complete(Complete)
        case fail(Fail)
    }

    /// What the client itself has encoded; read again only where a connection was lost or a lease had been.
    private var message: Message? {
        guard isCompletions else { return nil }
        let body = bytes.readableBytesSpan.extracting(droppingFirst: FrameHeader.byteCount)
        if opcode == .complete { return (try? Complete(body: body)).map(Message.complete) }
        return (try? Fail(body: body)).map(Message.fail)
    }
}

extension ByteBuffer {
    /// What a writer holds: one frame or several.
    init(frames writer: borrowing WireWriter) {
        self = ByteBufferAllocator().buffer(capacity: writer.count)
        writeBytes(writer.span)
    }

    /// A message as a frame.
    init<Message: WireMessage>(_ message: Message, correlation: UInt32 = 0, stream: UInt32 = 0) {
        var writer = WireWriter()
        message.encodeFrame(into: &writer, correlation: correlation, stream: stream)
        self.init(frames: writer)
    }
}
